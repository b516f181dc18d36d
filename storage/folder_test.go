package storage

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/database"
)

func TestTheDataFolderIsItsOwnersAlone(t *testing.T) {
	before := syscall.Umask(0)
	defer syscall.Umask(before)
	dir := filepath.Join(t.TempDir(), "data")
	s := newShelfWith(t, Options{Dir: dir})
	s.pull("ubuntu:22.04=jammy amd64")
	seen := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		seen++
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil || seen < 10 {
		t.Errorf("%d files and folders, %v", seen, err)
	}
	if open := s.OpenToOthers(); len(open) > 0 {
		t.Errorf("others can write to %v", open)
	}
}

func TestAFolderThatOthersCanWriteToIsNamed(t *testing.T) {
	s := newShelf(t)
	for name, mode := range map[string]fs.FileMode{".": 0o777, "blobs": 0o755, filepath.Join("blobs", "sha256"): 0o770, "ingest": 0o700} {
		if err := os.Chmod(filepath.Join(s.options.Dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if open := s.OpenToOthers(); !slices.Equal(open, []string{".", "blobs/sha256"}) {
		t.Errorf("others can write to %v", open)
	}
}

func TestOthersCannotReadTheDatabaseOfAnOlderVersion(t *testing.T) {
	s := newShelf(t)
	if err := os.Chmod(filepath.Join(s.dir, database.Name), 0o644); err != nil {
		t.Fatal(err)
	}
	s.reopen()
	info, err := os.Stat(filepath.Join(s.dir, database.Name))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestAPlantedLinkIsRefused(t *testing.T) {
	for _, name := range slices.Concat(ownFiles, ownFolders) {
		t.Run(name, func(t *testing.T) {
			dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere")
			if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(elsewhere, filepath.Join(dir, name)); err != nil { // to what is not there, or comes
				t.Fatal(err)
			}
			_, err := Open(t.Context(), Options{Dir: dir})
			if image.KindOf(err) != image.Invalid || !strings.Contains(err.Error(), name+" in the data folder is a link") {
				t.Errorf("%v", err)
			}
			if _, err := os.Lstat(elsewhere); err == nil {
				t.Error("something was written behind the link")
			}
		})
	}
	// The folder itself may be one.
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Options{Dir: link})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
