package cleanup

import (
	"context"
	"log/slog"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// RemovalStore is what these pages ask of the shelf.
type RemovalStore interface {
	ImageByID(ctx context.Context, prefix string) (shelf.Image, error)
	Named(ctx context.Context, name string) (shelf.Named, error)
	PlanRemoval(ctx context.Context, asked shelf.Removal) (shelf.RemovalPlan, error)
	Remove(ctx context.Context, asked shelf.Removal, fingerprint image.Digest, by image.Actor) (shelf.Removed, error)
	Undo(ctx context.Context, id int64, by image.Actor) (shelf.Undone, error)
}

// Removals has the pages that delete, and the undoing.
type Removals struct {
	Site  *page.Site
	Store RemovalStore
	Log   *slog.Logger
}
