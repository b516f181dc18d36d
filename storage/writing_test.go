package storage

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/database"
)

// nextChange numbers what follows it, as each change of the shelf is numbered.
const nextChange = `UPDATE totals SET changes = changes + 1`

// writing writes to a database past what the shelf would do about it.
type writing struct{ db *database.DB }

func (w writing) ExecContext(ctx context.Context, query string, args ...any) (res sql.Result, err error) {
	err = w.db.Note(ctx, func(tx *sql.Tx) error {
		res, err = tx.ExecContext(ctx, query, args...)
		return err
	})
	return res, err
}

func (w writing) Exec(query string, args ...any) (sql.Result, error) {
	return w.ExecContext(context.Background(), query, args...)
}

// number runs a pragma of the connection that writes, which answers with a number.
func (w writing) number(pragma string) (n int, err error) {
	err = w.db.Note(context.Background(), func(tx *sql.Tx) error { return tx.QueryRow(pragma).Scan(&n) })
	return n, err
}

// checkpoint has all of the database in its file.
func checkpoint(t *testing.T, dir string) {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(dir, database.Name))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		t.Fatal(err)
	}
}

// damageDatabase has the shelf know that its database is damaged: a text of it is none.
func (s *testShelf) damageDatabase() {
	s.t.Helper()
	if _, err := (writing{s.folder.db}).Exec(`CREATE TABLE damaged AS SELECT CAST(x'` + "ffffffffffffffffffffffffffffffffffffffffff" + `' AS TEXT) AS text`); err != nil {
		s.t.Fatal(err)
	}
	var text string
	if err := s.folder.db.QueryRowContext(s.t.Context(), `SELECT text FROM damaged`).Scan(&text); image.KindOf(err) != image.Damaged {
		s.t.Fatalf("what is no text is read: %v", err)
	}
}
