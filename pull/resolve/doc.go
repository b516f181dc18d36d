// Package resolve finds out what a reference points to and what is to be brought of it: the index, those of its images
// that are asked for, and what describes them. It reads documents and brings no layers.
package resolve

import (
	"context"
	"io"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// Source is what a Resolver needs of the registries. Errors are image.Errors; see pull.Source.
type Source interface {
	// Head resolves a reference by one HEAD: the descriptor of the index or manifest it points to. Where it took a GET
	// to find that out, Data are the document's bytes.
	Head(ctx context.Context, ref image.Reference) (image.Descriptor, error)
	// Document fetches an index or a manifest; its bytes are proved against the digest of ref (or, for a
	// tag, against the digest that the registry announced).
	Document(ctx context.Context, ref image.Reference) (image.Document, error)
	// Attestation fetches the manifest of what describes an image, by its digest, against which its bytes are proved.
	Attestation(ctx context.Context, ref image.Reference) (image.Attestation, error)
	// Tags lists the tags of a repository, in the registry's order.
	Tags(ctx context.Context, repo image.Repository) ([]string, error)
	// Blob opens a blob at an offset, from which the second value may differ; see fetch.Source. It is used for configs.
	Blob(ctx context.Context, repo image.Repository, d image.Descriptor, offset int64) (io.ReadCloser, int64, error)
}

// Blobs are the files of blobs, as far as a Resolver needs them.
type Blobs interface {
	// HasBlob reports whether the blob's whole, verified file is on disk.
	HasBlob(d image.Descriptor) bool
	// PartialBlob returns how many bytes of a blob an unfinished attempt has left on disk; 0 where there are none.
	PartialBlob(d image.Digest) int64
	// ReadBlob reads a small blob whole; one over limit bytes is TooLarge.
	ReadBlob(d image.Digest, limit int64) ([]byte, error)
}

// Images is what a Resolver needs to know of what is stored. Errors are image.Errors; NotFound where something is not
// stored.
type Images interface {
	// Resolved returns what the shelf holds under a reference.
	Resolved(ctx context.Context, ref image.Reference) (shelf.Stored, error)
	// KeptDocument returns an index or a manifest that is stored, or that KeepDocument kept, with its bytes
	// proved; NotFound or Corrupt else. A digest never changes meaning, so what was read once need not be
	// asked for again.
	KeptDocument(ctx context.Context, d image.Digest) (image.Document, error)
	// KeepDocument remembers an index or a manifest that was read and is not (yet) stored. It does not wait
	// for the disk, and does not promise to keep everything for ever.
	KeepDocument(ctx context.Context, doc image.Document) error
	// KeptAttestation and KeepAttestation are the same for the manifests of attestations that are not stored.
	KeptAttestation(ctx context.Context, d image.Digest) (image.Attestation, error)
	KeepAttestation(ctx context.Context, a image.Attestation) error
}

// Retrier makes a request to a registry, again where it sees fit.
type Retrier func(ctx context.Context, request func(context.Context) error) error

// Once makes a request one time.
func Once(ctx context.Context, request func(context.Context) error) error { return request(ctx) }
