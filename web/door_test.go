package web

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/handlers"
	"github.com/stowage/stowage/handlers/page"
)

// behindDoor is the pages and the registry API behind the door, the API as a test has it.
func behindDoor(api http.HandlerFunc) (h http.Handler, metrics *prometheus.Registry, log *bytes.Buffer) {
	metrics, log = prometheus.NewRegistry(), &bytes.Buffer{}
	h = opened(Options{Distribution: api, Metrics: metrics, Logger: slog.New(slog.NewTextHandler(log, nil))})
	return h, metrics, log
}

// opened has one page at all addresses but the registry API's.
func opened(o Options) http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = errorHandler(nil, o.Logger)
	h := &handlers.Handlers{Site: page.New(page.Options{})}
	e.Use(newDoor(table(Options{Handlers: h, Metrics: o.Metrics}), newWho(h), o.Logger, o.Metrics).open, parts(o))
	e.GET("/*", func(c echo.Context) error { return c.String(http.StatusOK, "a page") })
	return e
}

// socket is a ResponseWriter that sees what is read into it, as the server's own does before it asks the kernel.
type socket struct {
	*httptest.ResponseRecorder
	from []io.Reader
}

func (s *socket) ReadFrom(r io.Reader) (int64, error) {
	s.from = append(s.from, r)
	return io.Copy(s.ResponseRecorder, r)
}

func TestABlobReachesTheSocketAsItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blob")
	if err := os.WriteFile(path, bytes.Repeat([]byte("blob"), 10_000), 0o600); err != nil {
		t.Fatal(err)
	}
	h, _, log := behindDoor(func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(path)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", time.Time{}, f)
	})
	s := &socket{ResponseRecorder: httptest.NewRecorder()}
	h.ServeHTTP(s, httptest.NewRequest(http.MethodGet, "/v2/app/blobs/sha256:1", nil))
	if len(s.from) != 1 || s.Body.Len() != 40_000 {
		t.Fatalf("%d reads, %d bytes", len(s.from), s.Body.Len())
	}
	limited, ok := s.from[0].(*io.LimitedReader)
	if !ok {
		t.Fatalf("the socket read from %T", s.from[0])
	}
	if _, ok := limited.R.(*os.File); !ok {
		t.Errorf("the socket read from %T", limited.R)
	}
	if !strings.Contains(log.String(), "status=200 bytes=40000") {
		t.Errorf("log: %s", log)
	}
}

func TestOnlyTheRegistryAPIGoesAroundThePages(t *testing.T) {
	h, _, _ := behindDoor(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the API") })
	for path, want := range map[string]string{"/v2": "the API", "/v2/": "the API", "/v2/app/tags/list": "the API",
		"/": "a page", "/v2x": "a page", "/images/v2/": "a page"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Body.String() != want {
			t.Errorf("%s is answered by %q", path, w.Body)
		}
	}
}

func TestWhatIsStoredAloneAnswersRequestsThatMayNotAsk(t *testing.T) {
	says := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
	}
	h := opened(Options{Distribution: says("the API"), Stored: says("what is stored"),
		Metrics: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler)})
	for agent, want := range map[string]string{"docker/29.0": "the API", firefox: "what is stored"} {
		r := httptest.NewRequest(http.MethodGet, "/v2/app/manifests/1", nil)
		r.Header.Set("User-Agent", agent)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Body.String() != want {
			t.Errorf("%s is answered by %s", agent, w.Body)
		}
	}
}

func TestAPanicInTheRegistryAPIEndsOneRequest(t *testing.T) {
	h, _, log := behindDoor(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "late") {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "begun")
		}
		w.Header().Set("ETag", `"half"`)
		panic("on purpose")
	})
	server := httptest.NewServer(h)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // which would ask a second time
	res, err := client.Get(server.URL + "/v2/early")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || res.StatusCode != http.StatusInternalServerError || res.Header.Get("ETag") != "" ||
		!strings.Contains(string(body), `"code":"UNKNOWN"`) || strings.Contains(string(body), "purpose") {
		t.Errorf("%d %s, %v", res.StatusCode, body, err)
	}
	if res, err = client.Get(server.URL + "/v2/late"); err == nil { // or it broke off before the header
		if _, err := io.ReadAll(res.Body); err == nil {
			t.Error("a client takes half an answer for the whole")
		}
		res.Body.Close()
	}
	server.Close() // ends the requests, and with them what is logged
	if n := strings.Count(log.String(), "stack="); n != 2 || strings.Count(log.String(), "msg=request ") != 2 {
		t.Errorf("%d panics in the log: %s", n, log)
	}
}

func TestNamesInTheRegistryAPIMakeNoMetrics(t *testing.T) {
	h, metrics, _ := behindDoor(func(http.ResponseWriter, *http.Request) {})
	for _, path := range []string{"/v2", "/v2/", "/v2/_catalog", "/v2/a/manifests/1", "/v2/b/c/manifests/2",
		"/v2/a/blobs/x", "/v2/a/tags/list", "/v2/a/referrers/x", "/v2/a/made/up"} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "kind" {
					kinds[l.GetValue()] = true
				}
			}
		}
	}
	if len(kinds) != 5 || !kinds["manifests"] || !kinds["blobs"] || !kinds["tags"] || !kinds["referrers"] ||
		!kinds["other"] {
		t.Errorf("kinds %v", kinds)
	}
}

func TestTheLogSaysWhatEachRequestDoes(t *testing.T) {
	const image, reference = "/images/docker.io/library/ubuntu:22.04", "/v2/library/ubuntu/manifests/22.04"
	h, _, log := behindDoor(func(http.ResponseWriter, *http.Request) {})
	for _, tt := range []struct{ method, path, action string }{
		{"GET", "/v2/", "look"}, {"GET", "/v2/_catalog", "look"}, {"GET", "/v2/library/ubuntu/tags/list", "look"},
		{"GET", "/v2/library/ubuntu/referrers/sha256:1", "look"}, {"GET", reference, "download"},
		{"HEAD", reference, "download"},
		{"GET", "/v2/library/ubuntu/blobs/sha256:1", "download"}, {"PUT", reference, ""}, {"MADEUP", reference, ""},
	} {
		log.Reset()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(tt.method, tt.path, nil))
		said := regexp.MustCompile(`action=(\w*)`).FindStringSubmatch(log.String())
		if tt.action == "" && said != nil || tt.action != "" && (said == nil || said[1] != tt.action) {
			t.Errorf("%s %s: want %q: %s", tt.method, tt.path, tt.action, log)
		}
	}
	o := Options{Handlers: &handlers.Handlers{}, Metrics: prometheus.NewRegistry()}
	e, a := echo.New(), newActions(table(o))
	routes(e, o)
	for _, tt := range []struct{ method, path, action string }{
		{"GET", image, "look"}, {"HEAD", image + "/layers", "look"}, {"GET", image + "/archive", "download"},
		{"POST", image + "/delete", "delete"}, {"POST", image + "/pin", "pin"}, {"POST", image + "/check", "check"},
		{"GET", image + "/delete", "look"}, {"GET", "/search", "ask"}, {"PUT", "/archives/a.tar", "upload"},
		{"POST", "/pulls/7/cancel", "pull"}, {"GET", "/nowhere", ""}, {"DELETE", "/pulls", ""},
	} {
		c := e.NewContext(httptest.NewRequest(tt.method, tt.path, nil), httptest.NewRecorder())
		e.Router().Find(tt.method, tt.path, c)
		if got := string(a.of(c)); got != tt.action {
			t.Errorf("%s %s does %q, want %q", tt.method, tt.path, got, tt.action)
		}
	}
}

// Also where the answer says something else, and where another error handler answers.
func TestEveryPanicIsInTheLogWithWhereItCameFrom(t *testing.T) {
	for name, handle := range map[string]func(*slog.Logger) echo.HTTPErrorHandler{
		"pages":    func(log *slog.Logger) echo.HTTPErrorHandler { return errorHandler(nil, log) },
		"unusable": func(*slog.Logger) echo.HTTPErrorHandler { return func(error, echo.Context) {} },
	} {
		log := &bytes.Buffer{}
		logger := slog.New(slog.NewTextHandler(log, nil))
		e := echo.New()
		e.HTTPErrorHandler = handle(logger)
		e.Use(newDoor(nil, who{}, logger, prometheus.NewRegistry()).open)
		e.GET("/", func(c echo.Context) error { panic("on purpose") })
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.Header.Set("Accept", "application/json")
		e.ServeHTTP(httptest.NewRecorder(), req)
		if said := log.String(); strings.Count(said, "stack=") != 1 || !strings.Contains(said, "on purpose") {
			t.Errorf("%s: the log has %s", name, said)
		}
	}
}

func TestAPanicWhileWhoAsksIsFoundOutIsAnsweredAndLogged(t *testing.T) {
	log := &bytes.Buffer{}
	logger := slog.New(slog.NewTextHandler(log, nil))
	e := echo.New()
	e.HTTPErrorHandler = errorHandler(nil, logger)
	broken := who{site: &page.Site{}, entrance: &auth.Entrance{}} // without a store of sessions
	e.Use(newDoor(nil, broken, logger, prometheus.NewRegistry()).open)
	e.GET("/", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	req.Header.Set("Accept", "application/json")
	req.AddCookie(&http.Cookie{Name: "stowage_session", Value: "secret"})
	w := httptest.NewRecorder()
	e.ServeHTTP(w, req)
	if w.Code != http.StatusInternalServerError || !strings.Contains(log.String(), "stack=") ||
		!strings.Contains(log.String(), "msg=request ") {
		t.Errorf("%d, the log has %s", w.Code, log)
	}
}
