// Package updates answers the page of tags that moved at their registries.
package updates

import (
	"context"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	checks "github.com/stowage/stowage/pull/updates"
	"github.com/stowage/stowage/shelf"
)

// ImageStore finds what is stored.
type ImageStore interface {
	RepositoryExists(ctx context.Context, name image.Repository) (exists bool, err error)
	Target(ctx context.Context, ref image.Reference) (shelf.Target, error)
}

// TagStore has pins, checks and histories.
type TagStore interface {
	CheckedTags(ctx context.Context, state shelf.UpdateState, limit int) (tags []shelf.TagCheck, total int, err error)
	CountChecked(ctx context.Context) (map[shelf.UpdateState]int, error)
}

// Handlers has the page of tags that moved at their registries, and the checks.
type Handlers struct {
	Site    *page.Site
	Images  ImageStore
	Tags    TagStore
	Checker *checks.Checker
}
