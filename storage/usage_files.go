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
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/blob"
	"github.com/stowage/stowage/storage/database"
)

// ingestDir holds the blobs that have been fetched in part; see package blob.
const ingestDir = "ingest"

// countFiles looks at every file of the data folder. It does not hold their names.
func (s *Usage) countFiles(ctx context.Context) (shelf.Files, error) {
	var f shelf.Files
	err := walkFiles(ctx, s.dir, func(path string, size int64) { *kindOf(&f, path) += size })
	return f, err
}

// kindOf returns the sum that a file, named by its path within the data folder, belongs to.
func kindOf(f *shelf.Files, path string) *int64 {
	dir, name := filepath.Split(path)
	switch dir = filepath.ToSlash(filepath.Clean(dir)); {
	case dir == ocispec.ImageBlobsDir+"/sha256":
		if _, err := image.ParseDigest("sha256:" + name); err == nil {
			return &f.Blobs
		}
	case dir == ingestDir, filepath.Dir(dir) == ingestDir:
		return &f.Partial
	case dir == "." && (strings.HasPrefix(name, database.Name) || name == blob.BallastName || name == database.EndedName),
		dir == cacheDir:
		return &f.Database
	case dir == "." && (strings.HasPrefix(name, ocispec.ImageIndexFile) ||
		strings.HasPrefix(name, ocispec.ImageLayoutFile) || name == lockName), dir == blob.MarksDir:
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
