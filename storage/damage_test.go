package storage

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/storage/database"
)

const pageSize = 4096

// newWrittenShelf is a shelf whose database has several pages of most kinds, and long values that continue on others.
func newWrittenShelf(t *testing.T) *testShelf {
	t.Helper()
	s := newShelf(t)
	s.fill([]string{"ubuntu:22.04=jammy amd64 arm64", "redis:7=redis amd64", "postgres:15=postgres amd64", "told:1=told amd64"})
	for i := range 40 {
		j := job.Job{Detail: pull.Single{Ref: tagRef(t, fmt.Sprintf("redis:%d", i))}, State: job.Done, Created: time.UnixMilli(int64(i))}
		j.Outcome.Lines = []string{strings.Repeat(fmt.Sprintf("line %d of a long record; ", i), 200*(i%3))}
		s.begin(j)
	}
	if err := s.Unpacker.AwaitUnpacked(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Janitor.Settle()
	return s
}

// copyDatabase copies what belongs to the database of a data folder to another one.
func copyDatabase(t *testing.T, from, to string) {
	t.Helper()
	for _, name := range []string{database.Name, database.Name + "-wal", database.EndedName} {
		raw, err := os.ReadFile(filepath.Join(from, name))
		if os.IsNotExist(err) {
			err = os.RemoveAll(filepath.Join(to, name))
		} else if err == nil {
			err = os.WriteFile(filepath.Join(to, name), raw, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(to, database.Name+"-shm")); err != nil {
		t.Fatal(err)
	}
}

// everything reads each row of the database by each table, but for what a start changes.
func everything(t *testing.T, q database.Querier) (string, error) {
	t.Helper()
	tables, err := database.RowsOf(t.Context(), q, database.ScanString, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, table := range tables {
		if err := readTable(t, q, table, &b); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

func readTable(t *testing.T, q database.Querier, table string, b *strings.Builder) error {
	t.Helper()
	rows, err := q.QueryContext(t.Context(), `SELECT * FROM `+table)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values := make([]any, len(columns))
	for i := range values {
		values[i] = new(any)
	}
	for rows.Next() {
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			fmt.Fprintln(b, *v.(*any))
		}
	}
	return rows.Err()
}

// overwritten calls check for each page of a database that is overwritten, with random bytes or with zeros.
func overwritten(t *testing.T, from string, check func(what, dir string)) {
	t.Helper()
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	info, err := os.Stat(filepath.Join(from, database.Name))
	if err != nil {
		t.Fatal(err)
	}
	for page := range info.Size() / pageSize {
		for _, with := range []string{"random bytes", "zeros"} {
			copyDatabase(t, from, dir)
			f, err := os.OpenFile(filepath.Join(dir, database.Name), os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			bytes := make([]byte, pageSize)
			for i := range bytes {
				if with != "zeros" {
					bytes[i] = byte(random.Uint32())
				}
			}
			if _, err := f.WriteAt(bytes, page*pageSize); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			check(fmt.Sprintf("page %d of %s", page+1, with), dir)
		}
	}
}

// saysDamaged fails where an error is not that the database is damaged, or does not say what to do.
func saysDamaged(t *testing.T, what string, err error) {
	t.Helper()
	var e *image.Error
	if image.KindOf(err) != image.Damaged || !errors.As(err, &e) {
		t.Errorf("%s: %v", what, err)
		return
	}
	if !strings.Contains(e.Message, database.Name) || !strings.Contains(e.Suggestion, "backup") || strings.Contains(e.Message+e.Suggestion, "malformed") {
		t.Errorf("%s: it says %q, %q", what, e.Message, e.Suggestion)
	}
}

func TestADatabaseThatWasOverwrittenAfterAGoodEndIsNotOpened(t *testing.T) {
	s := newWrittenShelf(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.open() // as it was left
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	overwritten(t, s.dir, func(what, dir string) {
		again, err := Open(t.Context(), Options{Dir: dir})
		if err == nil {
			err = again.Close()
			t.Errorf("%s: it was opened (%v)", what, err)
			return
		}
		saysDamaged(t, what, err)
	})
}

// TestADatabaseThatWasOverwrittenAfterACrashIsFoundAtTheStartOrWhenItIsRead takes the files of a server that did not end.
func TestADatabaseThatWasOverwrittenAfterACrashIsFoundAtTheStartOrWhenItIsRead(t *testing.T) {
	s := newWrittenShelf(t)
	crashed := t.TempDir()
	checkpoint(t, s.dir)
	copyDatabase(t, s.dir, crashed)
	truth, err := everything(t, s.folder.db)
	if err != nil {
		t.Fatal(err)
	}
	started, read := 0, 0
	overwritten(t, crashed, func(what, dir string) {
		// Without the check of the start, as if it were overwritten while the server runs.
		db := database.OpenToRead(filepath.Join(dir, database.Name), slog.New(slog.DiscardHandler))
		switch found, err := everything(t, db); {
		case err != nil:
			saysDamaged(t, what+", read", err)
			saysDamaged(t, what+", remembered", db.Trouble())
			read++
		case found != truth:
			// Of an index or of the list of free pages nothing is wrong in the rows of the tables.
			t.Errorf("%s: wrong rows are read", what)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		again, err := Open(t.Context(), Options{Dir: dir})
		if err != nil {
			saysDamaged(t, what, err)
			started++
			return
		}
		found, err := everything(t, again.folder.db)
		switch {
		case err != nil:
			saysDamaged(t, what+", started", err)
			saysDamaged(t, what+", readiness", again.Ready(t.Context()))
		case found != truth:
			t.Errorf("%s: wrong rows are read after the start", what)
		}
		_ = again.Close() // which may say that it is damaged, too
	})
	t.Logf("found at the start: %d, when read: %d", started, read)
}

func TestABackupInThePlaceOfTheDatabaseIsOpenedAfterACheck(t *testing.T) {
	s := newWrittenShelf(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	backup, err := os.ReadFile(filepath.Join(s.dir, database.Name))
	if err != nil {
		t.Fatal(err)
	}
	s.open()
	s.pull("ubuntu:latest=jammy amd64")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, database.Name), backup, 0o600); err != nil {
		t.Fatal(err)
	}
	s.open()
	defer s.Close()
	if rows := s.rows(); len(rows) == 0 || strings.Contains(strings.Join(rows, "\n"), "ubuntu:latest") {
		t.Errorf("rows %q", rows)
	}
}

// TestABackupOfTheSameRunIsOpenedAsTheWordsSay restores what was copied while the server that ended well was running: that
// cannot be told from a database that was tampered with, so that the words have to lead on.
func TestABackupOfTheSameRunIsOpenedAsTheWordsSay(t *testing.T) {
	s := newWrittenShelf(t)
	checkpoint(t, s.dir)
	backup, err := os.ReadFile(filepath.Join(s.dir, database.Name))
	if err != nil {
		t.Fatal(err)
	}
	s.pull("ubuntu:latest=jammy amd64")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, database.Name), backup, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), Options{Dir: s.dir})
	if err == nil {
		t.Fatal(again.Close())
	}
	saysDamaged(t, "a backup of the same run", err)
	if e := (*image.Error)(nil); !errors.As(err, &e) || !strings.Contains(e.Suggestion, "remove "+database.EndedName+" alone") {
		t.Errorf("it does not say to remove %s: %v", database.EndedName, err)
	}
	if err := os.Remove(filepath.Join(s.dir, database.EndedName)); err != nil {
		t.Fatal(err)
	}
	s.open()
	defer s.Close()
	if rows := s.rows(); len(rows) == 0 || strings.Contains(strings.Join(rows, "\n"), "ubuntu:latest") {
		t.Errorf("rows %q", rows)
	}
}

func TestWhatCannotBeADataFolderIsSaidInWords(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("no folder"), 0o600); err != nil {
		t.Fatal(err)
	}
	foreign, emptied := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, database.Name), []byte(strings.Repeat("no database\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newShelfWith(t, Options{})
	s.pull("redis:7=redis amd64")
	s.Janitor.Settle()
	if err := os.CopyFS(emptied, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(emptied, database.Name), 0); err != nil {
		t.Fatal(err)
	}
	for dir, kind := range map[string]image.Kind{file: image.Invalid, filepath.Join(file, "below"): image.Invalid, foreign: image.Damaged, emptied: image.Invalid} {
		_, err := Open(t.Context(), Options{Dir: dir})
		var e *image.Error
		if !errors.As(err, &e) || e.Kind != kind || e.Suggestion == "" {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func TestNothingIsWrittenToADamagedDatabase(t *testing.T) {
	s := newShelf(t)
	s.pull("redis:7=redis amd64")
	s.Janitor.Settle()
	files := s.files()
	s.damageDatabase()
	_, err := s.Jobs.Begin(t.Context(), job.Job{Detail: pull.Single{Ref: tagRef(t, "redis:7")}})
	saysDamaged(t, "a new job", err)
	s.Janitor.removeStrays(slices.Collect(maps.Keys(files)))
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if now := s.files(); !maps.Equal(now, files) {
		t.Errorf("files were removed: %v of %v", now, files)
	}
	if _, err := os.Stat(filepath.Join(s.dir, database.EndedName)); err == nil {
		t.Error("the end is said to be good")
	}
	s.open()
	defer s.Close()
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("it is sound, and %v", err)
	}
}
