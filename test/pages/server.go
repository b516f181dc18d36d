package pages

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stowage/stowage/handlers"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/web"
)

// Serve has the pages as the program serves them, at a moment, or at that of each request where now is zero. A test in
// which one of them fails for a reason that is not for people fails.
func Serve(t testing.TB, h *handlers.Handlers, now time.Time) http.Handler {
	return serve(t, web.Options{Handlers: h, Metrics: prometheus.NewRegistry()}, now)
}

func serve(t testing.TB, o web.Options, now time.Time) http.Handler {
	o.Logger = slog.New(failing{t})
	o.Ready = func(context.Context) error { return nil }
	o.Hosts = []string{"example.com", "shelf", "shelf.example.com", "stowage.test"}
	s := web.New(o)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ServeHTTP(w, r.WithContext(text.WithLocale(r.Context(), text.Locale{Now: now})))
	})
}

// failing is a log whose errors are a test's.
type failing struct{ t testing.TB }

// Enabled implements slog.Handler.
func (failing) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

// Handle implements slog.Handler.
func (f failing) Handle(_ context.Context, r slog.Record) error {
	said := []any{r.Message}
	r.Attrs(func(a slog.Attr) bool {
		said = append(said, a.String())
		return true
	})
	f.t.Error(said...)
	return nil
}

// WithAttrs implements slog.Handler.
func (f failing) WithAttrs([]slog.Attr) slog.Handler { return f }

// WithGroup implements slog.Handler.
func (f failing) WithGroup(string) slog.Handler { return f }
