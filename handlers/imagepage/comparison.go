package imagepage

import (
	"context"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// ChangesStore is what a comparison asks of the shelf.
type ChangesStore interface {
	Document(ctx context.Context, d image.Digest) (image.Document, error)
	ImageLayers(ctx context.Context, manifest image.Digest) ([]shelf.Layer, error)
	ReadBlob(d image.Digest, limit int64) ([]byte, error)
	Target(ctx context.Context, ref image.Reference) (shelf.Target, error)
}

// Changes has the page that compares two images of a repository.
type Changes struct {
	Site     *page.Site
	Store    ChangesStore
	Platform image.Platform // that is compared where nobody chooses
}
