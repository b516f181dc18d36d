package cleanup

import (
	"context"
	"log/slog"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// PruneStore is what these pages ask of the shelf.
type PruneStore interface {
	PlanPrune(ctx context.Context, asked shelf.Prune) (shelf.RemovalPlan, error)
	Prune(ctx context.Context, asked shelf.Prune, fingerprint image.Digest, by image.Actor) (shelf.Removed, error)
}

// Prunes has the page that prunes.
type Prunes struct {
	Site     *page.Site
	Store    PruneStore
	Log      *slog.Logger
	Planning chan struct{} // holds one: the plan of a prune of everything takes memory and time
}
