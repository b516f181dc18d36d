package cleanup

import (
	"log/slog"

	"github.com/stowage/stowage/handlers/page"
)

// Removals has the pages that delete, and the undoing.
type Removals struct {
	Site     *page.Site
	Images   ImageStore
	Removals RemovalStore
	Log      *slog.Logger
}
