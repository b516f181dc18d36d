package database

import (
	"log/slog"
	"testing"

	"github.com/stowage/stowage/storage/blob"
)

func newDB(t *testing.T) *DB {
	t.Helper()
	dir := t.TempDir()
	blobs, err := blob.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(t.Context(), dir, blobs, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestEachConnectionEnforcesForeignKeysAndReadersCannotWrite(t *testing.T) {
	d := newDB(t)
	for range 3 {
		conn, err := d.read.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		var on bool
		if err := conn.QueryRowContext(t.Context(), `PRAGMA foreign_keys`).Scan(&on); err != nil || !on {
			t.Errorf("foreign keys %v, %v", on, err)
		}
		if _, err := conn.ExecContext(t.Context(), `DELETE FROM blobs`); err == nil {
			t.Error("a reader could write")
		}
	}
}
