package pull

import (
	"context"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull/fetch"
	"github.com/stowage/stowage/pull/resolve"
	"github.com/stowage/stowage/shelf"
)

// Source is what a pull needs of the registries. Errors are image.Errors; those of kind Unavailable and RateLimited may
// pass, the others will not. One that knows when asking may work again tells image.RetryTime, and one that knows that
// it will not tells image.Lasts. Calls, and reads from a blob, end soon after ctx does, and by themselves (Unavailable)
// when a registry is silent for too long: a Queue does not watch for that.
type Source interface {
	resolve.Source // which opens blobs, too, as fetch.Source says
}

// Blobs are the files of blobs.
type Blobs interface {
	fetch.Shelf
	resolve.Blobs

	// Hold keeps blobs, stored or about to be, from being swept until release is called.
	Hold(digests []image.Digest) (release func())
}

// Space is the room on the disk.
type Space interface {
	// Reserve sets bytes of the disk aside for what is going to be fetched; DiskFull where there is no room for them.
	Reserve(bytes int64) (shelf.Reservation, error)
	// ReserveBlobs sets room aside for what is missing of blobs, until release is called; what others have reserved
	// already takes none. from, which may be nil, is used up first. DiskFull where there is no room for all of them.
	ReserveBlobs(blobs []image.Descriptor, from shelf.Reservation) (release func(), err error)
	// GiveUp removes what was fetched of blobs that belong to nothing and that nobody holds.
	GiveUp(ctx context.Context, digests []image.Digest) error
}

// Images is what a pull needs to know of what is stored. Errors are image.Errors; NotFound where something is not
// stored.
type Images interface {
	resolve.Images
}

// Recorder makes what was pulled a part of the shelf.
type Recorder interface {
	// Record makes a finished pull part of the shelf, in one transaction. Every blob's file must be there.
	// ErrMoved, and nothing recorded, where another pull has moved the tag since this one looked: else the
	// older of two digests could win.
	Record(ctx context.Context, p shelf.Pulled) (shelf.Change, error)
}
