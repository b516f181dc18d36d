package web

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/stowage/stowage/static"
)

// routes is the whole address map. People bookmark these: they never change.
func routes(e *echo.Echo, o Options) {
	h := o.Handlers

	// HEAD is answered like GET, without the body (RFC 9110, section 9.3.2); net/http leaves that out.
	// A GET that asks registries says so here; no other can.
	get := func(path string, handler echo.HandlerFunc) {
		e.GET(path, handler, silent)
		e.HEAD(path, handler, silent)
	}
	guard := newAsks(o)
	asking := func(path string, handler echo.HandlerFunc) {
		e.GET(path, handler, guard.asking)
		e.HEAD(path, handler, guard.asking)
	}

	get("/", func(c echo.Context) error { return c.Redirect(http.StatusFound, "/images") })
	get("/images", h.Images)
	get("/images/*", h.ImageAddress)
	e.POST("/images/*", h.ImageAction) // …/delete, …/pin, …/unpin, …/check
	get("/layers/:digest", h.Layer)
	get("/archive", h.Archive)
	get("/delete", h.Delete)
	e.POST("/delete", h.DeleteSelected)
	get("/delete/summary", h.DeleteSummary)
	e.POST("/removals/:id/undo", h.UndoRemoval)
	get("/removals/:id/undo", h.UndoAddress)

	get("/storage", h.Storage)
	e.POST("/storage/sweep", h.Sweep)
	get("/storage/sweep", h.SweepAddress)
	e.POST("/storage/unfinished", h.FreeUnfinished)
	get("/storage/unfinished", h.SweepAddress)
	get("/prune", h.Prune)
	get("/prune/summary", h.PruneSummary)
	e.POST("/prune", h.PruneImages)

	asking("/search", h.Search)
	asking("/search/box", h.SearchBox)
	asking("/pull", h.PullForm)
	get("/pulls", h.Pulls)
	e.POST("/pulls", h.StartPull)
	get("/pulls/:id", h.Pull)
	e.GET("/pulls/:id/events", h.PullEvents, streams(o.connections)) // a HEAD of a stream would last as long as the pull
	e.POST("/pulls/:id/cancel", h.CancelPull)
	get("/pulls/:id/cancel", func(c echo.Context) error { // the address of a refused cancel, loaded again
		return c.Redirect(http.StatusSeeOther, "/pulls/"+url.PathEscape(c.Param("id")))
	})

	get("/archives", h.Uploads)
	e.POST("/archives", h.PostArchive)
	e.PUT("/archives", h.PutArchive)
	e.PUT("/archives/*", h.PutArchive) // curl -T FILE …/archives/

	get("/help", h.Help)
	get("/updates", h.Updates)
	e.POST("/updates", h.CheckUpdates)
	e.POST("/updates/cancel", h.CancelUpdates)
	get("/updates/cancel", func(c echo.Context) error { return c.Redirect(http.StatusSeeOther, "/updates") })

	e.POST("/preferences", h.SavePreferences)
	e.POST("/demo/move-tag", h.MoveDemoTag)

	get(static.Prefix+"*", echo.WrapHandler(static.Handler()))
	get("/favicon.ico", func(c echo.Context) error { return c.Redirect(http.StatusFound, static.URL("favicon.svg")) })

	get("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	get("/readyz", ready(o))
	get("/metrics", echo.WrapHandler(promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{})))
}
