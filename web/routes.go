package web

import (
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/stowage/stowage/static"
)

// routes is the whole address map. People bookmark these: they never change.
func routes(e *echo.Echo, o Options) {
	h := o.Handlers

	e.GET("/", func(c echo.Context) error { return c.Redirect(http.StatusFound, "/images") })
	e.GET("/images", h.Images)
	e.GET("/images/*", h.ImageAddress)
	e.POST("/images/*", h.ImageAction) // …/delete
	e.GET("/layers/:digest", h.Layer)

	e.GET("/pull", h.PullForm)
	e.GET("/pulls", h.Pulls)
	e.POST("/pulls", h.StartPull)
	e.GET("/pulls/:id", h.Pull)
	e.GET("/pulls/:id/events", h.PullEvents)
	e.POST("/pulls/:id/cancel", h.CancelPull)

	e.POST("/preferences", h.SavePreferences)
	e.POST("/demo/move-tag", h.MoveDemoTag)

	e.GET(static.Prefix+"*", echo.WrapHandler(static.Handler()))
	e.GET("/favicon.ico", func(c echo.Context) error { return c.Redirect(http.StatusFound, static.URL("favicon.svg")) })

	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	e.GET("/readyz", func(c echo.Context) error {
		if err := o.Ready(c.Request().Context()); err != nil {
			o.Logger.Error("not ready", "error", err)
			return c.String(http.StatusServiceUnavailable, "not ready\n")
		}
		return c.String(http.StatusOK, "ready\n")
	})
	e.GET("/metrics", echo.WrapHandler(promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{})))
}
