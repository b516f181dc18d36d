// Package updates answers the page of tags that moved at their registries.
package updates

import (
	"context"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	checks "github.com/stowage/stowage/pull/updates"
	"github.com/stowage/stowage/shelf"
)

// Store is what these pages ask of the shelf.
type Store interface {
	CheckedTags(ctx context.Context, state shelf.UpdateState, limit int) (tags []shelf.TagCheck, total int, err error)
	CountChecked(ctx context.Context) (map[shelf.UpdateState]int, error)
	RepositoryExists(ctx context.Context, name image.Repository) (exists bool, err error)
	Target(ctx context.Context, ref image.Reference) (shelf.Target, error)
}

// Handlers has the page of tags that moved at their registries, and the checks.
type Handlers struct {
	Site    *page.Site
	Store   Store
	Checker *checks.Checker
}
