package pull

import (
	"context"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull/fetch"
	"github.com/stowage/stowage/shelf"
)

// Source is what a pull needs of the registries. Errors are image.Errors; those of kind Unavailable and RateLimited may
// pass, the others will not. One that knows when asking may work again tells image.RetryTime, and one that knows that it
// will not tells image.Lasts. Calls, and reads from a blob, end soon after ctx does, and by themselves (Unavailable) when a
// registry is silent for too long: a Queue does not watch for that.
type Source interface {
	fetch.Source

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
}

// Shelf is what a pull needs of the storage. Errors are image.Errors; NotFound where something is not stored.
type Shelf interface {
	fetch.Shelf

	// Hold keeps blobs, stored or about to be, from being swept until release is called.
	Hold(digests []image.Digest) (release func())
	// PartialBlob gives how many bytes of a blob an unfinished attempt has left on disk; 0 where there are none.
	PartialBlob(d image.Digest) int64
	// Reserve sets bytes of the disk aside for what is going to be fetched; DiskFull where there is no room for them.
	Reserve(bytes int64) (shelf.Reservation, error)
	// ReserveBlobs sets room aside for what is missing of blobs, until release is called; what others have reserved
	// already takes none. from, which may be nil, is used up first. DiskFull where there is no room for all of them.
	ReserveBlobs(blobs []image.Descriptor, from shelf.Reservation) (release func(), err error)
	// GiveUp removes what was fetched of blobs that belong to nothing and that nobody holds.
	GiveUp(ctx context.Context, digests []image.Digest) error
	// ReadBlob reads a small blob whole; one over limit bytes is TooLarge.
	ReadBlob(d image.Digest, limit int64) ([]byte, error)
	// Resolved gives what the shelf holds under a reference.
	Resolved(ctx context.Context, ref image.Reference) (shelf.Stored, error)
	// Listed tells which index of a repository lists a digest, and under which reference that is stored; NotFound
	// where none does.
	Listed(ctx context.Context, ref image.Reference) (shelf.Indexed, error)
	// KeptDocument gives an index or a manifest that is stored, or that KeepDocument kept, with its bytes
	// proved; NotFound or Corrupt else. A digest never changes meaning, so what was read once need not be
	// asked for again.
	KeptDocument(ctx context.Context, d image.Digest) (image.Document, error)
	// KeepDocument remembers an index or a manifest that was read and is not (yet) stored. It does not wait
	// for the disk, and does not promise to keep everything for ever.
	KeepDocument(ctx context.Context, doc image.Document) error
	// KeptAttestation and KeepAttestation are the same for the manifests of attestations that are not stored.
	KeptAttestation(ctx context.Context, d image.Digest) (image.Attestation, error)
	KeepAttestation(ctx context.Context, a image.Attestation) error
	// Record makes a finished pull part of the shelf, in one transaction. Every blob's file must be there.
	// ErrMoved, and nothing recorded, where another pull has moved the tag since this one looked: else the
	// older of two digests could win.
	Record(ctx context.Context, p shelf.Pulled) (shelf.Change, error)
}
