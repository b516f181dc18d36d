package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/blob"
)

// What the data folder holds is its owner's alone. It is made so here, whatever the umask.
const (
	folderMode   = 0o700
	databaseMode = 0o600
)

// ownFiles and ownFolders are what the server itself makes in the data folder.
var (
	ownFiles   = []string{databaseName, databaseName + "-wal", databaseName + "-shm", lockName, endedName, blob.BallastName, "index.json", "oci-layout"}
	ownFolders = []string{"blobs", filepath.Join("blobs", "sha256"), "ingest", blob.MarksDir, cacheDir}
)

// refuseLinks refuses (Invalid) a data folder in which one of the server's own files is a link or something else: whoever
// put it there would have the server write, or read, somewhere else. The folder itself may be a link.
func refuseLinks(dir string) error {
	for _, name := range slices.Concat(ownFiles, ownFolders) {
		info, err := os.Lstat(filepath.Join(dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return unusableFolder(dir, "look into the data folder", err)
		case info.Mode()&fs.ModeSymlink != 0:
			return image.Errorf(image.Invalid, "%s in the data folder is a link", name).
				Suggest("Find out who put it there. The data folder lies on one volume as a whole; to have it elsewhere, name that place with --data.")
		case !info.Mode().IsRegular() && !info.IsDir():
			return image.Errorf(image.Invalid, "%s in the data folder is no file and no folder", name).Suggest("Find out who put it there, and remove it.")
		}
	}
	return nil
}

// makeDatabase makes an empty database that nobody else can read, and takes others' reading away from one that an older
// version has made. SQLite gives the files beside it the same mode.
func makeDatabase(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, databaseMode)
	if err != nil {
		return unusableFolder(filepath.Dir(path), "make the database", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	if mode := info.Mode().Perm(); mode&^databaseMode != 0 {
		_ = f.Chmod(mode & databaseMode) // of another owner's file it stays; what that means is told of the folder
	}
	return nil
}

// OpenToOthers lists the parts of the data folder, by their names in it, in which accounts of this machine other than the
// owner's can write, and so replace what is stored: folders of older versions, or made by hand. "." is the folder itself.
func (s *Store) OpenToOthers() []string {
	var open []string
	for _, name := range append([]string{"."}, ownFolders...) {
		if info, err := os.Stat(filepath.Join(s.dir, name)); err == nil && info.IsDir() && info.Mode().Perm()&0o022 != 0 {
			open = append(open, name)
		}
	}
	return open
}
