package storage

import (
	"log/slog"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/blob"
	"github.com/stowage/stowage/storage/database"
)

// Blobs are the files of blobs, with who needs one that no row asks for yet.
type Blobs struct {
	db    *database.DB
	files *blob.Store
	holds holds
	log   *slog.Logger
}

// HasBlob reports whether the blob's whole, verified file is on disk.
func (s *Blobs) HasBlob(d image.Descriptor) bool { return s.files.Has(d.Digest, d.Size) }

// BlobSize returns the bytes of a stored blob; NotFound where there is none.
func (s *Blobs) BlobSize(d image.Digest) (int64, error) { return s.files.Size(d) }

// PartialBlob returns how many bytes of a blob an unfinished attempt has left on disk; 0 where there are none.
func (s *Blobs) PartialBlob(d image.Digest) int64 { return s.files.Partials.Size(d) }

// NewBlob opens a writer at the end of what an earlier attempt left. One writer per digest at a time. A blob
// that the volume has no room for is refused (DiskFull) before any of it is fetched, unless it is reserved.
func (s *Blobs) NewBlob(d image.Descriptor) (shelf.BlobWriter, error) {
	return s.files.Partials.Writer(d.Digest, d.Size)
}

// OpenPartial opens what there is of a blob that is being written; the whole blob where it is stored.
func (s *Blobs) OpenPartial(d image.Descriptor) (blob.Reader, error) {
	if s.HasBlob(d) { // an attempt that was given up can have left a partial beside it
		return s.files.Open(d.Digest)
	}
	return s.files.Partials.Open(d.Digest)
}

// ReadBlob reads a small blob whole; one over limit bytes is TooLarge.
func (s *Blobs) ReadBlob(d image.Digest, limit int64) ([]byte, error) {
	return s.files.ReadAll(d, limit)
}
