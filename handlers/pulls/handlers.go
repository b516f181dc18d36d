// Package pulls answers the pages of pulling.
package pulls

import (
	"context"
	"log/slog"

	"github.com/stowage/stowage/handlers/lookup"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/pull/resolve"
	"github.com/stowage/stowage/shelf"
)

// ImageStore finds what is stored.
type ImageStore interface {
	Target(ctx context.Context, ref image.Reference) (shelf.Target, error)
}

// JobStore has the records of jobs.
type JobStore interface {
	Job(ctx context.Context, id int64) (job.Job, error)
	Jobs(ctx context.Context, offset, limit int) (jobs []job.Job, total int, err error)
}

// Handlers has the pages of pulling.
type Handlers struct {
	Site     *page.Site
	Images   ImageStore
	Records  JobStore
	Jobs     *job.Runner
	Queue    *pull.Queue
	Resolver *resolve.Resolver
	Lookup   *lookup.Desk
	Log      *slog.Logger
	Platform image.Platform  // that is pulled where nobody chooses
	Closing  <-chan struct{} // closed when the server goes down: streams end
}
