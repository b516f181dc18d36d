// Package archives answers what is downloaded and uploaded as an archive.
package archives

import (
	"context"
	"io"
	"log/slog"

	"github.com/stowage/stowage/archive"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// Store is what these pages ask of the shelf.
type Store interface {
	Archived(ctx context.Context, ref image.Reference) (a shelf.Archived, err error)
	ArchivedID(ctx context.Context, prefix string) (a shelf.Archived, err error)
	Downloaded(ref image.Reference, d image.Digest, images ...image.Digest)
	HasBlob(d image.Descriptor) bool
	Hold(digests []image.Digest) (release func())
	ImageByID(ctx context.Context, prefix string) (shelf.Image, error)
	Left() (int64, error)
	Named(ctx context.Context, name string) (shelf.Named, error)
	OpenBlob(ctx context.Context, d image.Digest) (io.ReadSeekCloser, int64, error)
	Preferred(images []shelf.Image) shelf.Image
	RepositoryExists(ctx context.Context, name image.Repository) (exists bool, err error)
	TagsOf(ctx context.Context, repo image.Repository, limit int) ([]string, error)
}

// Handlers has what is downloaded and uploaded as an archive.
type Handlers struct {
	Site     *page.Site
	Store    Store
	Importer *archive.Importer
	Log      *slog.Logger
	Closing  <-chan struct{} // closed when the server goes down
}
