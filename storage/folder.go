package storage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/blob"
	"github.com/stowage/stowage/storage/database"
)

// What the data folder holds is its owner's alone. It is made so here, whatever the umask.
const folderMode = 0o700

// ownFiles and ownFolders are what the server itself makes in the data folder.
var (
	ownFiles   = append(database.Files(), lockName, blob.BallastName, "index.json", "oci-layout")
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
			return blob.Unusable(dir, "look into the data folder", err)
		case info.Mode()&fs.ModeSymlink != 0:
			return image.Errorf(image.Invalid, "%s in the data folder is a link", name).
				Suggest("Find out who put it there. The data folder lies on one volume as a whole; to have it elsewhere, name that place with --data.")
		case !info.Mode().IsRegular() && !info.IsDir():
			return image.Errorf(image.Invalid, "%s in the data folder is no file and no folder", name).Suggest("Find out who put it there, and remove it.")
		}
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
