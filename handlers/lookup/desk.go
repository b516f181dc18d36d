// Package lookup finds what somebody typed or pasted, on the shelf and at a registry: the pull form and the search
// share it.
package lookup

import (
	"context"
	"log/slog"
	"time"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/shelf"
)

// ImageStore finds what is stored.
type ImageStore interface {
	ImageByID(ctx context.Context, prefix string) (shelf.Image, error)
	Layer(ctx context.Context, d image.Digest, limit int) (l shelf.Layer, users []shelf.LayerUser, err error)
}

// ListStore has the lists of what is stored.
type ListStore interface {
	List(ctx context.Context, q shelf.Query) (rows []shelf.Row, total int, err error)
}

// SpaceStore knows the room on the disk.
type SpaceStore interface {
	Left() (int64, error)
}

// ResolveLimit is how long a registry has to tell what a reference points to, while somebody waits.
const ResolveLimit = 20 * time.Second

// Desk finds what somebody typed or pasted: on the shelf, and at a registry.
type Desk struct {
	Site     *page.Site
	Images   ImageStore
	Lists    ListStore
	Space    SpaceStore
	Jobs     *job.Runner
	Registry *registry.Client // nil where none is asked
	Log      *slog.Logger
	Platform image.Platform // that is taken where nobody chooses
}
