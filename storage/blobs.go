package storage

import (
	"context"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/blob"
	"github.com/stowage/stowage/storage/database"
)

// HasBlob tells whether the blob's whole, verified file is on disk.
func (s *Store) HasBlob(d image.Descriptor) bool { return s.blobs.Has(d.Digest, d.Size) }

// BlobSize gives the bytes of a stored blob; NotFound where there is none.
func (s *Store) BlobSize(d image.Digest) (int64, error) { return s.blobs.Size(d) }

// PartialBlob gives how many bytes of a blob an unfinished attempt has left on disk; 0 where there are none.
func (s *Store) PartialBlob(d image.Digest) int64 { return s.blobs.Partials.Size(d) }

// NewBlob opens a writer at the end of what an earlier attempt left. One writer per digest at a time. A blob
// that the volume has no room for is refused (DiskFull) before any of it is fetched, unless it is reserved.
func (s *Store) NewBlob(d image.Descriptor) (shelf.BlobWriter, error) {
	return s.blobs.Partials.Writer(d.Digest, d.Size)
}

// OpenPartial opens what there is of a blob that is being written; the whole blob where it is stored.
func (s *Store) OpenPartial(d image.Descriptor) (blob.Reader, error) {
	if s.HasBlob(d) { // an attempt that was given up can have left a partial beside it
		return s.blobs.Open(d.Digest)
	}
	return s.blobs.Partials.Open(d.Digest)
}

// ReadBlob reads a small blob whole; one over limit bytes is TooLarge.
func (s *Store) ReadBlob(d image.Digest, limit int64) ([]byte, error) {
	return s.blobs.ReadAll(d, limit)
}

// Document gives a stored index or manifest, parsed anew from its original bytes.
func (s *Store) Document(ctx context.Context, d image.Digest) (image.Document, error) {
	var mediaType string
	err := s.db.QueryRowContext(ctx, `SELECT media_type FROM manifests WHERE digest = ?`, d).Scan(&mediaType)
	if err != nil {
		return image.Document{}, database.NotFound(err, "no index or manifest %s is stored", d)
	}
	raw, err := s.blobs.ReadAll(d, image.MaxManifestSize)
	if err != nil {
		return image.Document{}, err
	}
	return image.ParseStoredDocument(mediaType, raw)
}
