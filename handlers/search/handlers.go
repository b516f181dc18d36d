// Package search answers the page that searches registries, and the box in the header.
package search

import (
	"context"
	"log/slog"

	"github.com/stowage/stowage/handlers/lookup"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull/resolve"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/search"
	"github.com/stowage/stowage/shelf"
)

// ImageStore finds what is stored.
type ImageStore interface {
	RepositoryExists(ctx context.Context, name image.Repository) (exists bool, err error)
	Resolved(ctx context.Context, ref image.Reference) (shelf.Stored, error)
	StoredRepositories(ctx context.Context, names []image.Repository) (map[image.Repository]int, error)
	StoredTags(ctx context.Context, repo image.Repository, names []string) (map[string]image.Digest, error)
}

// ListStore has the lists of what is stored.
type ListStore interface {
	List(ctx context.Context, q shelf.Query) (rows []shelf.Row, total int, err error)
	RepositoryTotals(ctx context.Context, name image.Repository) (t shelf.RepositoryTotals, err error)
}

// Handlers has the Search page, its picker and the box in the header.
type Handlers struct {
	Site     *page.Site
	Images   ImageStore
	Lists    ListStore
	Resolver *resolve.Resolver
	Registry *registry.Client
	Finder   *search.Client
	Lookup   *lookup.Desk
	Log      *slog.Logger
	Platform image.Platform // that sizes are of where nobody chooses
}
