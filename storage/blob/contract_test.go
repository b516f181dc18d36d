package blob_test

import (
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/blob"
	"github.com/stowage/stowage/storage/blob/blobtest"
)

// folder is the store of a folder, as the contract's tests see it.
type folder struct{ *blob.Store }

func (f folder) Writer(d image.Digest, size int64) (blobtest.Writer, error) {
	return f.Partials.Writer(d, size)
}

func (f folder) Partial(d image.Digest) int64                        { return f.Partials.Size(d) }
func (f folder) OpenPartial(d image.Digest) (blob.Reader, error)     { return f.Partials.Open(d) }
func (f folder) RemovePartial(d image.Digest) (freed int64, _ error) { return f.Partials.Remove(d) }

func TestAFolderKeepsTheContract(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) (blobtest.Store, func() blobtest.Store) {
		dir := t.TempDir()
		open := func() blobtest.Store {
			s, err := blob.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			return folder{s}
		}
		return open(), open
	})
}
