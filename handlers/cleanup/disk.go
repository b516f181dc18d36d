// Package cleanup answers the pages of what goes: deleting, pruning, undoing, pins and the storage.
package cleanup

import (
	"context"
	"log/slog"
	"time"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// ImageStore finds what is stored.
type ImageStore interface {
	ImageByID(ctx context.Context, prefix string) (shelf.Image, error)
	Named(ctx context.Context, name string) (shelf.Named, error)
	NamesOf(ctx context.Context, id image.Digest, limit int) (shelf.Names, error)
}

// TagStore has pins, checks and histories.
type TagStore interface {
	Pin(ctx context.Context, ref image.Reference, note string, by image.Actor) (shelf.Pin, error)
	PinOf(ctx context.Context, ref image.Reference) (*shelf.Pin, error)
	Pins(ctx context.Context, limit int) (pins []shelf.Pin, total int, err error)
	Unpin(ctx context.Context, ref image.Reference, by image.Actor) error
}

// BlobStore has the files of blobs.
type BlobStore interface {
	Damaged(ctx context.Context, limit, uses int) (all []shelf.DamagedBlob, total int, err error)
}

// SpaceStore knows the room on the disk.
type SpaceStore interface {
	FreeUnfinished(ctx context.Context, by image.Actor) (shelf.Freed, error)
	Unfinished(ctx context.Context, few int) (parts []shelf.PartialBlob, all shelf.Freed, err error)
}

// RemovalStore deletes, prunes and undoes.
type RemovalStore interface {
	PlanPrune(ctx context.Context, asked shelf.Prune) (shelf.RemovalPlan, error)
	PlanRemoval(ctx context.Context, asked shelf.Removal) (shelf.RemovalPlan, error)
	Prune(ctx context.Context, asked shelf.Prune, fingerprint image.Digest, by image.Actor) (shelf.Removed, error)
	PulledBy(ctx context.Context, ref image.Reference) (image.Actor, error)
	Removals(ctx context.Context) ([]shelf.Deletion, error)
	Remove(ctx context.Context, asked shelf.Removal, fingerprint image.Digest, by image.Actor) (shelf.Removed, error)
	Undo(ctx context.Context, id int64, by image.Actor) (shelf.Undone, error)
}

// UsageStore knows what uses the disk.
type UsageStore interface {
	DiskUse(ctx context.Context, counted shelf.Usage) (shelf.DiskUse, error)
	Usage(ctx context.Context, patience time.Duration) (u shelf.Usage, current bool, err error)
}

// Sweeper removes files that wait for it.
type Sweeper interface {
	Sweep(ctx context.Context, by image.Actor) (files int, bytes int64, err error)
}

// Folder is the data folder.
type Folder interface {
	OpenToOthers() []string
}

// Storage has the Storage page with what it frees, and the pins.
type Storage struct {
	Site     *page.Site
	Images   ImageStore
	Tags     TagStore
	Blobs    BlobStore
	Space    SpaceStore
	Removals RemovalStore
	Usage    UsageStore
	Sweeper  Sweeper
	Folder   Folder
	Log      *slog.Logger
}
