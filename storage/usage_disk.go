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
)

// DiskUse is what the shelf takes on disk: bytes of files. At rest All is what the files of the data folder have
// together.
type DiskUse struct {
	Images       int64     // blobs of images and indexes
	Waiting      int64     // blobs that nothing needs, until their deletion cannot be undone any more
	WaitingBlobs int       // how many
	WaitingUntil time.Time // when the last of them goes; zero where nothing waits
	Unfinished   int64     // of pulls that run, or that did not end well: whole layers, as last counted, and parts of layers
	Database     int64     // with its log, and what is kept free for it
	Layout       int64     // index.json, and what else makes the folder an image layout
	Other        int64     // what is not Stowage's, as last counted

	Free, Volume uint64 // of the volume that the data folder is on
}

// Blobs gives what images, deletions and pulls take.
func (d DiskUse) Blobs() int64 { return d.Images + d.Waiting + d.Unfinished }

// All gives what the whole data folder takes.
func (d DiskUse) All() int64 { return d.Blobs() + d.Database + d.Layout + d.Other }

// DiskUse gives what the shelf takes on disk now, at once: from sums that are kept, a few files, and for what only a
// look at the whole folder tells, the last count.
func (s *Store) DiskUse(ctx context.Context, counted Usage) (DiskUse, error) {
	d := DiskUse{Unfinished: counted.Files.Loose, Other: counted.Files.Other}
	var until sql.NullInt64
	err := s.read.QueryRowContext(ctx, `SELECT blob_bytes, waiting_bytes, waiting_count, (SELECT max(sweep_at) FROM waiting_blobs) FROM totals`).
		Scan(&d.Images, &d.Waiting, &d.WaitingBlobs, &until)
	if err != nil {
		return d, err
	}
	if until.Valid {
		d.WaitingUntil = fromMillis(until.Int64)
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
func (s *Store) countTopFiles() (f Files, err error) {
	d, err := os.Open(s.dir)
	if err != nil {
		return f, err
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(filesAtOnce)
		for _, e := range entries {
			if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
				*f.kind(filepath.Clean(e.Name())) += info.Size()
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
