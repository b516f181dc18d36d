package cleanup

import (
	"log/slog"

	"github.com/stowage/stowage/handlers/page"
)

// Prunes has the page that prunes.
type Prunes struct {
	Site     *page.Site
	Removals RemovalStore
	Log      *slog.Logger
	Planning chan struct{} // holds one: the plan of a prune of everything takes memory and time
}
