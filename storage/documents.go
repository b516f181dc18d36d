package storage

import (
	"context"

	"github.com/stowage/stowage/image"
)

// KeptDocument implements pull.Shelf.
func (s *Store) KeptDocument(ctx context.Context, d image.Digest) (image.Document, error) {
	return s.Document(ctx, d)
}

// KeepDocument implements pull.Shelf.
func (s *Store) KeepDocument(ctx context.Context, doc image.Document) error { return nil }
