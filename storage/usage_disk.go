package storage

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

// DiskUse returns what the shelf takes on disk now, at once: from sums that are kept, a few files, and for what only a
// look at the whole folder tells, the last count.
func (s *Usage) DiskUse(ctx context.Context, counted shelf.Usage) (shelf.DiskUse, error) {
	d := shelf.DiskUse{Unfinished: counted.Files.Loose, Other: counted.Files.Other}
	var until sql.NullInt64
	err := s.db.QueryRowContext(ctx, `SELECT blob_bytes, waiting_bytes, waiting_count, (SELECT max(sweep_at)
		FROM waiting_blobs) FROM totals`).
		Scan(&d.Images, &d.Waiting, &d.WaitingBlobs, &until)
	if err != nil {
		return d, err
	}
	if until.Valid {
		d.WaitingUntil = database.FromMillis(until.Int64)
	}
	// There are few parts of layers: one for each download under way.
	err = s.blobs.Partials.Walk(ctx, func(_ image.Digest, size int64, _ time.Time) error {
		d.Unfinished += size
		return nil
	})
	if err != nil {
		return d, err
	}
	top, err := s.countTopFiles()
	if err != nil {
		return d, err
	}
	d.Database, d.Layout = top.Database, top.Layout
	d.Free, d.Volume, err = s.blobs.Volume.Free()
	return d, err
}

// countTopFiles looks at the files of the data folder itself, without those of its folders.
func (s *Usage) countTopFiles() (f shelf.Files, err error) {
	d, err := os.Open(s.dir)
	if err != nil {
		return f, err
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(filesAtOnce)
		for _, e := range entries {
			if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
				*kindOf(&f, filepath.Clean(e.Name())) += info.Size()
			}
		}
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return f, err
		}
	}
}
