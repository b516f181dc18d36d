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

// ImageStore finds what is stored.
type ImageStore interface {
	Archived(ctx context.Context, ref image.Reference) (a shelf.Archived, err error)
	ArchivedID(ctx context.Context, prefix string) (a shelf.Archived, err error)
	ImageByID(ctx context.Context, prefix string) (shelf.Image, error)
	Named(ctx context.Context, name string) (shelf.Named, error)
	Preferred(images []shelf.Image) shelf.Image
	RepositoryExists(ctx context.Context, name image.Repository) (exists bool, err error)
	TagsOf(ctx context.Context, repo image.Repository, limit int) ([]string, error)
}

// BlobStore has the files of blobs.
type BlobStore interface {
	HasBlob(d image.Descriptor) bool
	Hold(digests []image.Digest) (release func())
	OpenBlob(ctx context.Context, d image.Digest) (io.ReadSeekCloser, int64, error)
}

// SpaceStore knows the room on the disk.
type SpaceStore interface {
	Left() (int64, error)
}

// DownloadStore counts what clients are given.
type DownloadStore interface {
	Downloaded(ref image.Reference, d image.Digest, images ...image.Digest)
}

// Handlers has what is downloaded and uploaded as an archive.
type Handlers struct {
	Site      *page.Site
	Images    ImageStore
	Blobs     BlobStore
	Space     SpaceStore
	Downloads DownloadStore
	Importer  *archive.Importer
	Log       *slog.Logger
	Closing   <-chan struct{} // closed when the server goes down
}
