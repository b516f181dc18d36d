package web

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// front parts the registry API under /v2/ from the pages. The pages' middleware words, compresses and wraps; between a
// blob's file and the socket there must be nothing that does. Both are behind the one look at the Host.
func front(pages http.Handler, o Options) http.Handler {
	all := pages
	if o.Distribution != nil {
		registry := newRegistryAPI(o)
		all = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if isAPI(r.URL.Path) {
				registry.ServeHTTP(w, r)
				return
			}
			pages.ServeHTTP(w, r)
		})
	}
	return newHosts(o).only(all, o.Logger)
}

// isAPI reports whether a path is the registry API's.
func isAPI(path string) bool { return path == "/v2" || strings.HasPrefix(path, "/v2/") }

// registryAPI does for the registry API what the middleware does for the pages, as far as clients without a browser
// need it: panics, the log, measures, and who may make it ask other registries.
type registryAPI struct {
	next   http.Handler
	stored http.Handler // for who may not
	asks   asks
	log    *slog.Logger
	took   *prometheus.HistogramVec
	sent   prometheus.Counter
}

func newRegistryAPI(o Options) *registryAPI {
	a := &registryAPI{
		next: o.Distribution, stored: o.Stored, asks: newAsks(o), log: o.Logger,
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "stowage_registry_request_duration_seconds",
			Help:    "Time to answer requests of the registry API to the last byte, by method, kind and status.",
			Buckets: []float64{.0001, .00025, .001, .0025, .01, .05, .25, 1, 5, 30, 120},
		}, []string{"method", "kind", "status"}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "stowage_registry_sent_bytes_total",
			Help: "Bytes of the answers of the registry API since the start, without their headers.",
		}),
	}
	o.Metrics.MustRegister(a.took, a.sent)
	return a
}

// ServeHTTP implements http.Handler.
func (a *registryAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	answer := &answer{ResponseWriter: w}
	defer func() {
		if p := recover(); p != nil {
			a.recovered(answer, p)
		}
		a.note(r, answer, time.Since(start))
		if answer.cut {
			panic(http.ErrAbortHandler) // the client must not take what it got for the whole
		}
	}()
	if r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(start.Add(bodyTime)) // see bodyDeadline
	}
	if a.stored != nil && !a.asks.api(r) {
		a.stored.ServeHTTP(answer, r)
		return
	}
	a.next.ServeHTTP(answer, r)
}

// recovered ends a request whose handler panicked.
func (a *registryAPI) recovered(w *answer, p any) {
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		w.cut = true
		return
	}
	a.log.Error("panic", "error", p, "stack", string(debug.Stack()))
	if w.status != 0 {
		w.cut = true
		return
	}
	clear(w.Header())
	plainError(w, http.StatusInternalServerError, "UNKNOWN", "internal error: the server's log says more")
}

// note writes the request to the log and to the measures.
func (a *registryAPI) note(r *http.Request, w *answer, took time.Duration) {
	status := w.status
	if status == 0 {
		status = http.StatusOK
	}
	a.took.WithLabelValues(methodLabel(r.Method), apiKind(r.URL.Path), strconv.Itoa(status)).Observe(took.Seconds())
	a.sent.Add(float64(w.bytes))
	if a.log.Enabled(r.Context(), slog.LevelInfo) {
		a.log.Info("request", "method", r.Method, "path", loggedPath(r.URL), "status", status, "bytes", w.bytes, "took", took,
			"remote", remoteIP(r))
	}
}

// apiKind tells what is asked for, so that names and digests do not become label values.
func apiKind(path string) string {
	path = path[:max(0, strings.LastIndexByte(path, '/'))]
	switch kind := path[strings.LastIndexByte(path, '/')+1:]; kind {
	case "manifests", "blobs", "tags", "referrers":
		return kind
	}
	return "other"
}

// remoteIP gives the address that the request came from, as the pages' log has it.
func remoteIP(r *http.Request) string {
	i := strings.LastIndexByte(r.RemoteAddr, ':')
	return strings.Trim(r.RemoteAddr[:max(0, i)], "[]")
}

// plainError answers in the form of the registry API, which its clients can show.
func plainError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// Nobody is left to be told.
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}

// answer counts what is answered. What is read from a file is handed on as the file it is, so that the kernel can send
// it (sendfile).
type answer struct {
	http.ResponseWriter
	status int
	bytes  int64
	cut    bool // it broke off
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// ReadFrom implements io.ReaderFrom.
func (a *answer) ReadFrom(r io.Reader) (int64, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	var n int64
	var err error
	if to, ok := a.ResponseWriter.(io.ReaderFrom); ok {
		n, err = to.ReadFrom(r)
	} else { // a writer without a connection, as in tests
		n, err = io.Copy(a.ResponseWriter, r)
	}
	a.bytes += n
	return n, err
}

// Unwrap leads http.ResponseController to the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
