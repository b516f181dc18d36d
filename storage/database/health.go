package database

import (
	"errors"
	"log/slog"
	"sync"
	"syscall"

	"github.com/mattn/go-sqlite3"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/blob"
)

// health judges what SQLite answers, and remembers that the database is damaged. Safe for concurrent use.
type health struct {
	log *slog.Logger

	mu      sync.Mutex
	damaged error
}

// errGarbled says that a text that was read is none.
var errGarbled = errors.New("a stored text has bytes that are no text")

// judge words an error of SQLite where it says something of the database's file or its volume. Others stay as
// they are.
func (h *health) judge(err error) error {
	var se sqlite3.Error
	if err == nil || !errors.As(err, &se) {
		return err
	}
	switch {
	case se.Code == sqlite3.ErrCorrupt, se.Code == sqlite3.ErrNotADB:
		return h.damage(err)
	case se.Code == sqlite3.ErrIoErr && se.SystemErrno == syscall.EIO:
		return h.damage(err)
	case se.Code == sqlite3.ErrFull, se.ExtendedCode == sqlite3.ErrIoErrSHMSize, se.ExtendedCode == sqlite3.ErrIoErrSHMMap,
		se.SystemErrno == syscall.ENOSPC, se.SystemErrno == syscall.EDQUOT:
		return image.Errorf(image.DiskFull, "no space is left in the data folder").Because(err).
			Suggest("Delete images that nobody needs, free what waits on the Storage page, or make room on the volume of the data folder.")
	case se.Code == sqlite3.ErrReadonly, se.Code == sqlite3.ErrPerm, blob.Forbidden(se.SystemErrno):
		return blob.ReadOnly(err)
	}
	return err
}

// damage remembers that the database is damaged, and gives that in words.
func (h *health) damage(err error) error {
	h.mu.Lock()
	first := h.damaged == nil
	if first {
		h.damaged = damagedDatabase().Because(err)
	}
	h.mu.Unlock()
	if first {
		h.log.Error("the database is damaged: nothing is written to it any more, and what cannot be read is not served",
			"error", err)
	}
	return damagedDatabase().Because(err)
}

// err returns what is known against the database.
func (h *health) err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.damaged
}

func damagedDatabase() *image.Error {
	return suggestRestore(image.Errorf(image.Damaged, "the database %s in the data folder is damaged", Name))
}

func suggestRestore(e *image.Error) *image.Error {
	return e.Suggest("Stop Stowage, put a backup of %s in its place, and remove %s-wal, %s-shm and %s. The images' files are untouched: the data folder is an OCI image layout, which skopeo and crane can read.",
		Name, Name, Name, EndedName)
}
