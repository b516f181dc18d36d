package web

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/static"
	"github.com/stowage/stowage/views/ui"
)

// NewUnusable builds a server that says at every address why the shelf cannot be used: what is wrong is read by whoever
// looks for it, also where the server's log is far away. It is alive and not ready. Of o it needs the log and the
// names.
func NewUnusable(err error, o Options) *Server {
	log := o.Logger
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = echo.ExtractIPDirect()
	e.Logger.SetOutput(discard{})
	e.Use(newDoor(nil, who{}, log, prometheus.NewRegistry()).open, plainRequestID, middleware.RequestID(), locale, secure)
	get := func(path string, handler echo.HandlerFunc) {
		e.Match([]string{http.MethodGet, http.MethodHead}, path, handler)
	}
	get("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	get("/readyz", func(c echo.Context) error {
		return c.String(http.StatusServiceUnavailable, "not ready\n"+told(shown(err)))
	})
	get(static.Prefix+"*", echo.WrapHandler(static.Handler()))
	e.Any("/*", unusable(shown(err)))
	return &Server{log: log, http: &http.Server{
		Handler:           newHosts(o).only(e, log),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: time.Minute,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
}

// unusable answers every request with one error.
func unusable(e *image.Error) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
		switch {
		case isAPI(c.Request().URL.Path):
			plainError(c.Response(), http.StatusServiceUnavailable, "UNAVAILABLE", e.Message)
			return nil
		case !strings.Contains(c.Request().Header.Get(echo.HeaderAccept), echo.MIMETextHTML):
			return c.String(http.StatusServiceUnavailable, told(e))
		}
		ctx := c.Request().Context()
		view := ui.NewErrorView(ctx, http.StatusServiceUnavailable, e)
		c.Response().Header().Set(echo.HeaderContentType, echo.MIMETextHTMLCharsetUTF8)
		c.Response().WriteHeader(http.StatusServiceUnavailable)
		return ui.ErrorPage(ui.Chrome{Title: view.Title}, view).Render(ctx, c.Response())
	}
}
