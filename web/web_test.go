package web

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stowage/stowage/handlers"
	"github.com/stowage/stowage/image"
)

func TestInternalErrorsSayNothingOfTheServer(t *testing.T) {
	secret := image.Errorf(image.Internal, "open blob: %w", &fs.PathError{Op: "open", Path: "/srv/stowage/blobs", Err: fs.ErrPermission}).Suggest("look at /srv")
	for _, err := range []error{secret, fmt.Errorf("show the manifest: %w", secret), fs.ErrPermission} {
		if e := shown(err); e.Kind != image.Internal || e.Message != "" || e.Suggestion != "" {
			t.Errorf("%v is shown as %+v", err, e)
		}
	}
	if e := shown(image.Errorf(image.NotFound, "no such image")); e.Message != "no such image" {
		t.Errorf("what people should see is shown as %+v", e)
	}
}

func TestMadeUpMethodsMakeNoMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	e := echo.New()
	e.Use(newDoor(nil, who{}, slog.New(slog.DiscardHandler), registry).open)
	for i := range 20 {
		e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(fmt.Sprintf("MADEUP%d", i), "/", nil))
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if n := len(f.GetMetric()); n != 1 {
			t.Errorf("%s has %d series for methods that nobody has", f.GetName(), n)
		}
	}
}

func TestARequestIDIsAProxysOrOurs(t *testing.T) {
	e := echo.New()
	e.Use(plainRequestID, middleware.RequestID())
	for id, kept := range map[string]bool{"": false, "4bf92f35-77b3.4da6_a3ce": true, "two words": false, "<script>": false, strings.Repeat("a", 65): false} {
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.Header.Set(echo.HeaderXRequestID, id)
		rec := httptest.NewRecorder()
		e.ServeHTTP(rec, req)
		if got := rec.Header().Get(echo.HeaderXRequestID); got == "" || (got == id) != kept {
			t.Errorf("%q became %q", id, got)
		}
	}
}

func TestWhatSomebodyTypesDoesNotFillTheLog(t *testing.T) {
	for _, tt := range []struct {
		path    string
		partial bool
		status  int
		logged  bool
	}{
		{"/search/box?q=postg", true, http.StatusOK, false},
		{"/search/box?q=postg", true, http.StatusInternalServerError, true},
		{"/search/box?q=postg", false, http.StatusFound, true}, // nobody's typing
		{"/search?q=postg", true, http.StatusOK, false},
		{"/search?q=postg", true, http.StatusBadRequest, true},
		{"/search?q=postgres", false, http.StatusOK, true},
		{"/static/app.css", false, http.StatusOK, false},
		{"/healthz", false, http.StatusOK, false},
		{"/images", true, http.StatusOK, true},
	} {
		var log bytes.Buffer
		e := echo.New()
		e.Use(newDoor(nil, who{}, slog.New(slog.NewTextHandler(&log, nil)), prometheus.NewRegistry()).open)
		e.GET("/*", func(c echo.Context) error { return c.NoContent(tt.status) })
		req := httptest.NewRequest(http.MethodGet, tt.path, nil)
		if tt.partial {
			req.Header.Set("HX-Request", "true")
			req.Header.Set("HX-Request-Type", "partial")
		}
		e.ServeHTTP(httptest.NewRecorder(), req)
		if logged := strings.Contains(log.String(), "status="+strconv.Itoa(tt.status)); logged != tt.logged {
			t.Errorf("%s with status %d is logged: %v", tt.path, tt.status, logged)
		}
	}
}

func TestHEADIsAnsweredLikeGET(t *testing.T) {
	e := echo.New()
	routes(e, Options{Handlers: &handlers.Handlers{}, Metrics: prometheus.NewRegistry(), Ready: func(context.Context) error { return nil }})
	has := map[string]bool{}
	for _, r := range e.Routes() {
		has[r.Method+" "+r.Path] = true
	}
	for _, r := range e.Routes() {
		if stream := strings.HasSuffix(r.Path, "/events"); r.Method == http.MethodGet && has["HEAD "+r.Path] == stream {
			t.Errorf("HEAD %s is known: %v", r.Path, !has["HEAD "+r.Path])
		}
	}
	for _, path := range []string{"/", "/healthz", "/readyz", "/metrics", "/favicon.ico"} {
		get, head := httptest.NewRecorder(), httptest.NewRecorder()
		e.ServeHTTP(get, httptest.NewRequest(http.MethodGet, path, nil))
		e.ServeHTTP(head, httptest.NewRequest(http.MethodHead, path, nil))
		if head.Code != get.Code || head.Header().Get("Content-Type") != get.Header().Get("Content-Type") {
			t.Errorf("HEAD %s answers %d, GET %d", path, head.Code, get.Code)
		}
	}
}

func TestArchivesAreNotCompressedOnTheirWay(t *testing.T) {
	e := echo.New()
	e.Use(middleware.GzipWithConfig(middleware.GzipConfig{Skipper: uncompressed}))
	e.GET("/*", func(c echo.Context) error { return c.String(http.StatusOK, strings.Repeat("archive", 1000)) })
	for path, compressed := range map[string]bool{
		"/archive?image=ubuntu": false, "/images/docker.io/library/ubuntu:22.04/archive": false, "/images/docker.io/library/ubuntu:22.04/download": true,
	} {
		req := httptest.NewRequest(http.MethodGet, path, nil)
		req.Header.Set("Accept-Encoding", "gzip")
		rec := httptest.NewRecorder()
		e.ServeHTTP(rec, req)
		if got := rec.Header().Get("Content-Encoding") == "gzip"; got != compressed {
			t.Errorf("%s is compressed: %v", path, got)
		}
	}
}
