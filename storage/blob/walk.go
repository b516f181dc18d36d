package blob

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/stowage/stowage/image"
)

// walkChunk is how many names of a folder are held at a time.
const walkChunk = 1024

// Walk calls visit for every blob, in no order, and ends with visit's first error. modTime is when the
// blob's last byte was written. visit may remove blobs; blobs that come or go meanwhile may be visited or
// not. strays counts what lies among the blobs and is none, a foreign name or not a regular file: it is
// never visited and never touched.
func (s *Store) Walk(ctx context.Context,
	visit func(d image.Digest, size int64, modTime time.Time) error) (strays int, err error) {
	return walk(ctx, s.Folder.blobs, "", visit)
}

func walk(ctx context.Context, folder, suffix string,
	visit func(image.Digest, int64, time.Time) error) (strays int, err error) {
	var visitErr error
	err = eachEntry(ctx, folder, func(e fs.DirEntry) error {
		d, ok := digestOfName(e.Name(), suffix)
		if !ok || !e.Type().IsRegular() {
			strays++
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return ignoreMissing(err) // gone since its name was read
		}
		visitErr = visit(d, info.Size(), info.ModTime())
		return visitErr
	})
	switch {
	case err == nil:
		return strays, nil
	case visitErr != nil || ctx.Err() != nil:
		return strays, err
	}
	return strays, failure("list "+folder, err)
}

// eachEntry calls visit for every entry of a folder without holding them all.
func eachEntry(ctx context.Context, folder string, visit func(fs.DirEntry) error) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(walkChunk)
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := visit(e); err != nil {
				return err
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
