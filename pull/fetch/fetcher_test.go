package fetch

import (
	"context"
	"io"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// empty is a shelf with nothing on it, and unwritten a blob of which nothing is there.
type (
	empty     struct{ Shelf }
	unwritten struct{ shelf.BlobWriter }
)

func (empty) HasBlob(image.Descriptor) bool                      { return false }
func (empty) NewBlob(image.Descriptor) (shelf.BlobWriter, error) { return unwritten{}, nil }
func (unwritten) Offset() int64                                  { return 0 }
func (unwritten) Close() error                                   { return nil }

// unasked is a registry that is not to be asked for a blob.
type unasked struct {
	Source
	t *testing.T
}

func (u unasked) Blob(context.Context, image.Repository, image.Descriptor, int64) (io.ReadCloser, int64, error) {
	u.t.Error("the registry was asked")
	return nil, 0, io.ErrUnexpectedEOF
}

// The place of what a cancelled job is fetching is free before all that wait for its other blobs have heard of the cancel.
func TestNoBlobIsAskedForOfAJobThatIsCancelled(t *testing.T) {
	f := New(t.Context(), Options{Source: unasked{t: t}, Shelf: empty{}, Concurrency: 1})
	job, cancel := context.WithCancel(t.Context())
	cancel()
	blob, _, _ := f.join(job, Blob{Descriptor: image.Descriptor{Digest: image.DigestOf([]byte("x")), Size: 1}, Repository: "registry.example.com/app"})
	<-blob.done
	f.leave(job, blob)
}
