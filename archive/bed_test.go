package archive_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3"

	"github.com/stowage/stowage/archive"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage"
)

var amd64 = image.Platform{OS: "linux", Architecture: "amd64"}

// bed is an importer over a real shelf.
type bed struct {
	t        *testing.T
	dir      string
	store    *storage.Store
	jobs     *job.Runner
	importer *archive.Importer
}

func newBed(t *testing.T) *bed { return openBed(t, t.TempDir(), 0) }

func openBed(t *testing.T, dir string, maxBytes int64) *bed {
	t.Helper()
	return bedOf(t, storage.Options{Dir: dir}, maxBytes)
}

// newBedWith is a bed over a shelf with options of its own.
func newBedWith(t *testing.T, o storage.Options) *bed {
	t.Helper()
	o.Dir = t.TempDir()
	return bedOf(t, o, 0)
}

func bedOf(t *testing.T, o storage.Options, maxBytes int64) *bed {
	t.Helper()
	o.DefaultPlatform = amd64
	store, err := storage.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	jobs := job.NewRunner(store.Jobs, nil, nil)
	b := &bed{t: t, dir: o.Dir, store: store, jobs: jobs,
		importer: archive.NewImporter(archive.Options{Shelf: store.Recorder, Jobs: jobs, MaxBytes: maxBytes})}
	if err := b.importer.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	return b
}

func (b *bed) close() {
	if b.store == nil {
		return
	}
	if err := errors.Join(b.jobs.Close(context.Background()), b.store.Close()); err != nil {
		b.t.Error(err)
	}
	b.store = nil
}

// send imports an archive.
func (b *bed) send(raw []byte, name string) (job.Job, error) {
	b.t.Helper()
	done, err := b.importer.Begin(int64(len(raw)), name, image.ActorNamed("10.0.0.1"))
	if err != nil {
		return job.Job{}, err
	}
	defer done()
	return b.importer.Import(b.t.Context(),
		archive.Request{Body: bytes.NewReader(raw), File: "test.tar", Name: name, Size: int64(len(raw)),
			By: image.ActorNamed("mira")})
}

// upload is an archive of which nobody has said how large it is.
func upload(raw []byte) archive.Request { return archive.Request{Body: bytes.NewReader(raw), Size: -1} }

// stores imports an archive that is to be taken.
func (b *bed) stores(entries []entry, name string) job.Job {
	b.t.Helper()
	j, err := b.send(tarOf(b.t, entries...), name)
	if err != nil {
		b.t.Fatal(err)
	}
	return j
}

// target returns what the shelf has under a reference.
func (b *bed) target(reference string) shelf.Target {
	b.t.Helper()
	ref, err := image.ParseReference(reference)
	if err != nil {
		b.t.Fatal(err)
	}
	target, err := b.store.Images.Target(b.t.Context(), ref)
	if err != nil {
		b.t.Fatal(err)
	}
	return target
}

// left writes down what the data folder holds: each file but the database's own with its size, and the rows of each
// table but those of the jobs, whose record stays.
func (b *bed) left() string {
	b.t.Helper()
	b.store.Janitor.Settle()
	var s strings.Builder
	err := filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || strings.HasPrefix(d.Name(), "stowage.db") {
			return err
		}
		name, _ := filepath.Rel(b.dir, path)
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if d.IsDir() {
			fmt.Fprintln(&s, name)
		} else {
			fmt.Fprintln(&s, name, info.Size())
		}
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(b.dir, "stowage.db")+"?mode=ro")
	if err != nil {
		b.t.Fatal(err)
	}
	defer db.Close()
	for _, name := range tablesOf(b.t, db) {
		var n int
		if err := db.QueryRow(`SELECT count(*) FROM "` + name + `"`).Scan(&n); err != nil {
			b.t.Fatal(err)
		}
		fmt.Fprintln(&s, name, n)
	}
	return s.String()
}

// tablesOf lists the tables but for that of the jobs.
func tablesOf(t *testing.T, db *sql.DB) (tables []string) {
	t.Helper()
	rows, err := db.Query(`SELECT name FROM sqlite_schema WHERE type = 'table'
		AND name NOT IN ('pulls', 'sqlite_sequence') ORDER BY name`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return tables
}

// refused imports an archive that is to be refused, and proves that nothing is left of it.
func (b *bed) refused(raw []byte, name string, kind image.Kind, says string) {
	b.t.Helper()
	before := b.left()
	j, err := b.send(raw, name)
	var known *image.Error
	if !errors.As(err, &known) || known.Kind != kind || !strings.Contains(known.Message+". "+known.Suggestion, says) {
		b.t.Errorf("it is refused by %v (%s), not by %q (%s)", err, image.KindOf(err), says, kind)
	}
	if j.ID != 0 && (j.State != job.Failed || j.Problem == nil || j.Problem.Kind != kind) {
		b.t.Errorf("the job is %s: %+v", j.State, j.Problem)
	}
	if after := b.left(); after != before {
		b.t.Errorf("something is left:\n%s\nbefore:\n%s", after, before)
	}
}

func small() sample.Image {
	im := sample.Image{Platform: linux("amd64"), Steps: []sample.Step{
		{By: "COPY one /", Layer: sample.NewLayer(sample.Gzip, sample.Dir("bin"), sample.Program("bin/one", "one", 40_000))},
		{By: "CMD one"},
		{By: "COPY two /", Layer: sample.NewLayer(sample.Gzip, sample.Text("etc/two", "two\n"))},
	}}
	return im
}

// blobs counts the files of the blobs.
func (b *bed) blobs() int {
	b.t.Helper()
	found, err := filepath.Glob(filepath.Join(b.dir, "blobs", "sha256", "*"))
	if err != nil {
		b.t.Fatal(err)
	}
	return len(found)
}

func stages(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "ingest", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// uploadOf returns what the job of an upload knows.
func uploadOf(j job.Job) archive.Upload {
	u, _ := j.Detail.(archive.Upload)
	return u
}
