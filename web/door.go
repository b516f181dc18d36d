package web

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/felixge/httpsnoop"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stowage/stowage/guard"
	"github.com/stowage/stowage/image"
)

// door is what each request comes in by, a page's as well as the registry API's: it finds out what the request does,
// who makes it and whether they may, and sees to the log, the measures and panics.
type door struct {
	actions actions
	who     who
	log     *slog.Logger
	pages   *prometheus.HistogramVec
	api     *prometheus.HistogramVec
	sent    prometheus.Counter
}

func newDoor(routes []route, who who, log *slog.Logger, metrics *prometheus.Registry) *door {
	d := &door{
		actions: newActions(routes), who: who, log: log,
		pages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "stowage_http_request_duration_seconds",
			Help:    "Time to answer requests, by method, route and status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, 1, 5, 30},
		}, []string{"method", "route", "status"}),
		api: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "stowage_registry_request_duration_seconds",
			Help:    "Time to answer requests of the registry API to the last byte, by method, kind and status.",
			Buckets: []float64{.0001, .00025, .001, .0025, .01, .05, .25, 1, 5, 30, 120},
		}, []string{"method", "kind", "status"}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "stowage_registry_sent_bytes_total",
			Help: "Bytes of the answers of the registry API since the start, without their headers.",
		}),
	}
	metrics.MustRegister(d.pages, d.api, d.sent)
	return d
}

// open is the door as middleware, the outermost one. What it counts is what goes to the connection. A blob's file goes
// through it as the file that it is, so that the kernel can send it (sendfile).
func (d *door) open(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		action := d.actions.of(c)
		var sent httpsnoop.Metrics
		cut := false
		sent.CaptureMetrics(c.Response().Writer, func(w http.ResponseWriter) {
			c.Response().Writer = w
			if err := guard.Do(func() error {
				d.who.ask(c, action)
				return next(c)
			}); err != nil {
				cut = d.fail(c, sent.Code != 0 || sent.Written > 0, err)
			}
		})
		if sent.Code == 0 {
			sent.Code = http.StatusOK
		}
		d.measure(c, sent)
		d.note(c, sent, action)
		if cut {
			panic(http.ErrAbortHandler) // the client must not take what it got for the whole
		}
		return nil
	}
}

// fail answers an error, or reports that the answer breaks off: a panic has overtaken one that had begun.
func (d *door) fail(c echo.Context, begun bool, err error) (cut bool) {
	p := (*guard.Panic)(nil)
	switch {
	case errors.As(err, &p) && p.Value == http.ErrAbortHandler: //nolint:errorlint // net/http compares the value, too
		return true
	case p != nil:
		d.log.Error("panic", "error", p.Value, "request_id", c.Response().Header().Get(echo.HeaderXRequestID),
			"path", loggedPath(c.Request().URL), "stack", string(p.Stack))
		if begun {
			return true
		}
	}
	c.Error(err)
	return false
}

// measure times requests by route or kind, so that names and digests do not become label values.
func (d *door) measure(c echo.Context, sent httpsnoop.Metrics) {
	took, label := d.pages, c.Path()
	switch r := c.Request(); {
	case ofAPI(c):
		took, label = d.api, apiKind(r.URL.Path)
		d.sent.Add(float64(sent.Written))
	case label == "":
		label = "none"
	}
	took.WithLabelValues(methodLabel(c.Request().Method), label, strconv.Itoa(sent.Code)).Observe(sent.Duration.Seconds())
}

// methodLabel keeps methods that somebody makes up from becoming label values.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut:
		return method
	}
	return "other"
}

// note writes one line a request: at debug level for what is quiet, unless it went wrong.
func (d *door) note(c echo.Context, sent httpsnoop.Metrics, action image.Action) {
	level := slog.LevelInfo
	if quiet(c) && sent.Code < http.StatusBadRequest {
		level = slog.LevelDebug
	}
	r := c.Request()
	if !d.log.Enabled(r.Context(), level) {
		return
	}
	said := []slog.Attr{
		slog.String("method", r.Method), slog.String("path", loggedPath(r.URL)), slog.Int("status", sent.Code),
		slog.Int64("bytes", sent.Written), slog.Duration("took", sent.Duration),
		slog.String("remote", c.RealIP()),
	}
	if action != "" {
		said = append(said, slog.String("action", string(action)))
	}
	if id := c.Response().Header().Get(echo.HeaderXRequestID); id != "" {
		said = append(said, slog.String("request_id", id))
	}
	d.log.LogAttrs(r.Context(), level, "request", said...)
}
