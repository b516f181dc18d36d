package storage

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/blob"
)

// Files is what the data folder takes on disk: bytes of its files, by what they are.
type Files struct {
	Blobs    int64 // of images, waiting to be swept, and of pulls that have not ended well
	Partial  int64 // blobs that have been fetched in part, and uploads under way
	Database int64 // with its log, and what is kept free for it
	Layout   int64 // index.json, and what else makes the folder an image layout
	Other    int64 // what is not Stowage's

	// Loose are those of Blobs that no row knows: layers that a running pull has brought, or one that failed. As long as
	// things change it is off by what changed.
	Loose int64
}

// All adds the files up.
func (f Files) All() int64 { return f.Blobs + f.Partial + f.Database + f.Layout + f.Other }

// ingestDir holds the blobs that have been fetched in part; see package blob.
const ingestDir = "ingest"

// countFiles looks at every file of the data folder. It does not hold their names.
func (s *Store) countFiles(ctx context.Context) (Files, error) {
	var f Files
	err := walkFiles(ctx, s.dir, func(path string, size int64) { *f.kind(path) += size })
	return f, err
}

// kind gives the sum that a file, named by its path within the data folder, belongs to.
func (f *Files) kind(path string) *int64 {
	dir, name := filepath.Split(path)
	switch dir = filepath.ToSlash(filepath.Clean(dir)); {
	case dir == ocispec.ImageBlobsDir+"/sha256":
		if _, err := image.ParseDigest("sha256:" + name); err == nil {
			return &f.Blobs
		}
	case dir == ingestDir, filepath.Dir(dir) == ingestDir:
		return &f.Partial
	case dir == "." && (strings.HasPrefix(name, databaseName) || name == blob.BallastName || name == endedName):
		return &f.Database
	case dir == "." && (strings.HasPrefix(name, ocispec.ImageIndexFile) || strings.HasPrefix(name, ocispec.ImageLayoutFile) || name == lockName), dir == blob.MarksDir:
		return &f.Layout
	}
	return &f.Other
}

// filesAtOnce is how many names of a folder are held at a time.
const filesAtOnce = 1024

// maxFolders bounds how deep folders are looked into.
const maxFolders = 32

// walkFiles visits every regular file below root with its path from there. Links are not followed, and what goes
// meanwhile is left out.
func walkFiles(ctx context.Context, root string, visit func(path string, size int64)) error {
	return walkFolder(ctx, root, ".", 0, visit)
}

func walkFolder(ctx context.Context, root, folder string, depth int, visit func(path string, size int64)) error {
	d, err := os.Open(filepath.Join(root, folder))
	if err != nil {
		return ignoreGone(err)
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(filesAtOnce)
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			path := filepath.Join(folder, e.Name())
			switch {
			case e.IsDir() && depth < maxFolders:
				if err := walkFolder(ctx, root, path, depth+1, visit); err != nil {
					return err
				}
			case e.Type().IsRegular():
				info, err := e.Info()
				if err == nil {
					visit(path, info.Size())
				} else if ignoreGone(err) != nil {
					return err
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
