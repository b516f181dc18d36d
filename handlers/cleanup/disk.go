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

// StorageStore is what these pages ask of the shelf.
type StorageStore interface {
	Damaged(ctx context.Context, limit, uses int) (all []shelf.DamagedBlob, total int, err error)
	DiskUse(ctx context.Context, counted shelf.Usage) (shelf.DiskUse, error)
	FreeUnfinished(ctx context.Context, by image.Actor) (shelf.Freed, error)
	ImageByID(ctx context.Context, prefix string) (shelf.Image, error)
	NamesOf(ctx context.Context, id image.Digest, limit int) (shelf.Names, error)
	OpenToOthers() []string
	Pin(ctx context.Context, ref image.Reference, note string, by image.Actor) (shelf.Pin, error)
	Pins(ctx context.Context, limit int) (pins []shelf.Pin, total int, err error)
	Removals(ctx context.Context) ([]shelf.Deletion, error)
	Sweep(ctx context.Context, by image.Actor) (files int, bytes int64, err error)
	Unfinished(ctx context.Context, few int) (parts []shelf.PartialBlob, all shelf.Freed, err error)
	Unpin(ctx context.Context, ref image.Reference, by image.Actor) error
	Usage(ctx context.Context, patience time.Duration) (u shelf.Usage, current bool, err error)
}

// Storage has the Storage page with what it frees, and the pins.
type Storage struct {
	Site  *page.Site
	Store StorageStore
	Log   *slog.Logger
}
