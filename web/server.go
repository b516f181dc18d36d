// Package web assembles the pages' server: routes, middleware, the one error handler.
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stowage/stowage/handlers"
)

// Options configure a Server.
type Options struct {
	Handlers     *handlers.Handlers
	Distribution http.Handler // the registry API under /v2/; nil for none
	Stored       http.Handler // the same of what is stored alone, for requests that may not make it ask registries
	Logger       *slog.Logger
	Metrics      *prometheus.Registry
	Ready        func(context.Context) error // whether requests can be answered
	// the server listens on loopback only: there are no other addresses to answer under
	Loopback    bool
	ExternalURL string   // the server's outside address, as behind a proxy; may be empty
	Hosts       []string // further names under which requests are answered

	connections int // at once; as many as the process may open files for
}

// Server serves the pages.
type Server struct {
	http *http.Server
	log  *slog.Logger
}

// New builds the server around its handlers.
func New(o Options) *Server {
	if o.connections == 0 { // else a test has few
		o.connections = connectionsFor(openFiles())
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = echo.ExtractIPDirect() // a forwarded address can be made up by anybody
	e.Logger.SetOutput(discard{})          // slog has the log; echo's own would be a second one
	s := &Server{log: o.Logger}
	e.HTTPErrorHandler = errorHandler(o.Handlers, o.Logger)
	use(e, o)
	routes(e, o)
	s.http = &http.Server{
		Handler: newHosts(o).only(e, o.Logger),
		// No WriteTimeout and no ReadTimeout: pulls are watched for as long as they take, and a ReadTimeout
		// ends the request's context too. Bodies have their own deadline, see body.
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ConnState:         newConnections(o.connections).changed,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}
	return s
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// ServeHTTP answers one request, for tests and for servers built around this one.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.http.Handler.ServeHTTP(w, r) }

// Serve answers requests on l until Shutdown is called.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// Shutdown lets requests under way end until ctx does, then cuts them off.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		s.log.Warn("cutting off requests that did not end in time", "error", err)
		return s.http.Close()
	}
	return nil
}
