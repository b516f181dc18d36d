// Package fetch brings blobs from registries to the disk: each once, however many pulls and clients want it, from one
// registry or another, again after a failure that may pass, and from where an earlier attempt stopped.
package fetch

import (
	"context"
	"io"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// Source is what a Fetcher needs of the registries. Errors are image.Errors; see pull.Source.
type Source interface {
	// Blob opens a blob at an offset. The second value is the offset that the registry really started at: offset, or 0
	// where it does not do ranges. Nothing is verified: the writer does that.
	Blob(ctx context.Context, repo image.Repository, d image.Descriptor, offset int64) (io.ReadCloser, int64, error)
}

// Partial is a blob that is being written, opened for reading.
type Partial = interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Shelf is what a Fetcher needs of the storage. Errors are image.Errors; NotFound where something is not stored.
type Shelf interface {
	// HasBlob reports whether the blob's whole, verified file is on disk.
	HasBlob(d image.Descriptor) bool
	// ProveBlob reports whether the blob's file is on disk and its bytes are right: they are read for that unless they
	// were since the start. read is told of them. A blob that is damaged is as one that is not stored from then on.
	ProveBlob(ctx context.Context, d image.Descriptor, read func(n int)) (bool, error)
	// NewBlob opens a writer, at the end of what an earlier attempt left. One writer per digest at a time.
	NewBlob(d image.Descriptor) (shelf.BlobWriter, error)
	// OpenPartial opens for reading what there is of a blob that is being written; the whole blob where it is stored.
	// The file stays readable whatever happens to its name. NotFound where there is neither.
	OpenPartial(d image.Descriptor) (Partial, error)
}
