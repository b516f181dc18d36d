package storage

import (
	"context"
	"time"

	"github.com/gofrs/flock"

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
const (
	folderMode = 0o700
	lockName   = "stowage.lock"
)

// ownFiles and ownFolders are what the server itself makes in the data folder.
var (
	ownFiles   = append(database.Files(), lockName, blob.BallastName, "index.json", "oci-layout")
	ownFolders = []string{"blobs", filepath.Join("blobs", "sha256"), "ingest", blob.MarksDir, cacheDir}
)

// refuseLinks refuses (Invalid) a data folder in which one of the server's own files is a link or something else:
// whoever put it there would have the server write, or read, somewhere else. The folder itself may be a link.
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
			return image.Errorf(image.Invalid, "%s in the data folder is no file and no folder", name).
				Suggest("Find out who put it there, and remove it.")
		}
	}
	return nil
}

// folder is the data folder, opened: nobody else uses it.
type folder struct {
	dir   string
	lock  *flock.Flock
	blobs *blob.Store
	db    *database.DB
}

// openFolder makes the data folder where it is missing and opens it.
func openFolder(ctx context.Context, o Options) (*folder, error) {
	f := &folder{dir: o.Dir}
	if err := f.open(ctx, o); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *folder) open(ctx context.Context, o Options) (err error) {
	if f.lock, err = lockFolder(f.dir); err != nil {
		return err
	}
	if f.blobs, err = blob.Open(f.dir); err != nil {
		return err
	}
	f.blobs.Volume.KeepFree(o.DiskReserve)
	if o.Volume != nil {
		f.blobs.Volume.Measure(o.Volume)
	}
	f.blobs.Volume.YieldBallast() // on a full disk SQLite could not even open the database
	if err := refuseUnknownBlobs(ctx, f.blobs, filepath.Join(f.dir, database.Name)); err != nil {
		return err
	}
	if f.db, err = database.Open(ctx, f.dir, f.blobs, o.Logger); err != nil {
		return err
	}
	f.blobs.Volume.LayBallast()
	return nil
}

func (f *folder) close() error {
	var errs []error
	if f.db != nil {
		errs = append(errs, f.db.Close())
	}
	if f.lock != nil {
		errs = append(errs, f.lock.Unlock())
	}
	return errors.Join(errs...)
}

// lockFolder makes the data folder where it is missing, and keeps other servers from using it.
func lockFolder(dir string) (*flock.Flock, error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, image.Errorf(image.Invalid, "the data folder %s is no folder", dir).Suggest("Name a folder with --data.")
	}
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return nil, blob.Unusable(dir, "make the data folder", err)
	}
	// SQLite only says that it cannot open something.
	if err := blob.Writable(dir); err != nil {
		return nil, blob.Unusable(dir, "write to the data folder", err)
	}
	if err := refuseLinks(dir); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, lockName))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, blob.Unusable(dir, "lock the data folder", err)
	}
	if !locked {
		return nil, image.Errorf(image.Conflict, "another Stowage server is using the data folder %s", dir).
			Suggest("Stop it, or give this one a folder of its own with --data.")
	}
	return lock, nil
}

// refuseUnknownBlobs refuses a folder with blobs and without a database, or with an empty one: to an empty database all
// of them are strays, and index.json names too much, so both would be lost.
func refuseUnknownBlobs(ctx context.Context, blobs *blob.Store, path string) error {
	info, err := os.Stat(path)
	if err == nil && info.Size() > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, err = blobs.Walk(ctx, func(image.Digest, int64, time.Time) error {
		return image.Errorf(image.Invalid,
			"the data folder holds images, but the database %s that knows them is missing or empty", path).
			Suggest("Bring %s back from a backup, or name another folder with --data.", database.Name)
	})
	return err
}

// OpenToOthers lists the parts of the data folder, by their names in it, in which accounts of this machine other than
// the owner's can write, and so replace what is stored: folders of older versions, or made by hand. "." is the folder
// itself.
func (s *Store) OpenToOthers() []string {
	var open []string
	for _, name := range append([]string{"."}, ownFolders...) {
		info, err := os.Stat(filepath.Join(s.folder.dir, name))
		if err == nil && info.IsDir() && info.Mode().Perm()&0o022 != 0 {
			open = append(open, name)
		}
	}
	return open
}
