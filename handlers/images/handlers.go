// Package images answers the lists of what is stored.
package images

import (
	"context"
	"time"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// ListStore has the lists of what is stored.
type ListStore interface {
	CreatedOf(ctx context.Context, name string) (time.Time, error)
	EachImageID(ctx context.Context, q shelf.Query, f func(image.Digest) error) error
	List(ctx context.Context, q shelf.Query) (rows []shelf.Row, total int, err error)
	ListOffers(ctx context.Context) (o shelf.Offers, err error)
	ListRepositories(ctx context.Context, q shelf.Query) (rows []shelf.RepositoryRow, total int, err error)
	RepositoryTotals(ctx context.Context, name image.Repository) (t shelf.RepositoryTotals, err error)
	Totals(ctx context.Context) (t shelf.Totals, err error)
}

// UsageStore knows what uses the disk.
type UsageStore interface {
	Reclaimable() shelf.Reclaimable
}

// Handlers has the lists of images and of the tags of a repository.
type Handlers struct {
	Site  *page.Site
	Lists ListStore
	Usage UsageStore
}
