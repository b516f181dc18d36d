package database

import (
	"errors"
	"io/fs"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"github.com/mattn/go-sqlite3"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/blob"
)

// TestAFolderThatCannotBeWrittenToIsSaidInWords stands in for the file system, which refuses root nothing.
func TestAFolderThatCannotBeWrittenToIsSaidInWords(t *testing.T) {
	h := &health{log: slog.New(slog.DiscardHandler)}
	for _, err := range []error{
		h.judge(sqlite3.Error{Code: sqlite3.ErrReadonly}), h.judge(sqlite3.Error{Code: sqlite3.ErrCantOpen, SystemErrno: syscall.EROFS}),
		blob.Unusable("/data", "lock the data folder", &fs.PathError{Op: "open", Path: "/data/stowage.lock", Err: syscall.EACCES}),
	} {
		var e *image.Error
		if !errors.As(err, &e) || e.Kind != image.ReadOnly || e.Suggestion == "" {
			t.Errorf("%v", err)
		}
	}
	if err := h.err(); err != nil {
		t.Errorf("it is taken for damage: %v", err)
	}
}

func TestTheWordsOnADamagedDatabaseNameAllThatABackupReplaces(t *testing.T) {
	if e := damagedDatabase(); !strings.Contains(e.Suggestion, EndedName) {
		t.Errorf("it does not say to remove %s: %s", EndedName, e.Suggestion)
	}
}
