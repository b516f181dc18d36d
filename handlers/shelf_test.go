package handlers

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/search"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage"
	"github.com/stowage/stowage/test/golden"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// samples is the sample registry, built once for all tests.
var samples = sync.OnceValues(func() (*fake.Registry, error) { return fake.NewRegistry(context.Background()) })

// clock is when everything in these tests happens.
var clock = time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)

// mirror is docker.io as the sample registry at host has it.
type mirror struct {
	*registry.Client
	host string
}

func (m mirror) there(r image.Repository) image.Repository {
	return image.Repository(m.host + "/" + r.Path())
}

func (m mirror) Head(ctx context.Context, r image.Reference) (image.Descriptor, error) {
	r.Repository = m.there(r.Repository)
	return m.Client.Head(ctx, r)
}

func (m mirror) Check(ctx context.Context, r image.Reference) (image.Digest, bool, error) {
	r.Repository = m.there(r.Repository)
	return m.Client.Check(ctx, r)
}

func (m mirror) Document(ctx context.Context, r image.Reference) (image.Document, error) {
	r.Repository = m.there(r.Repository)
	return m.Client.Document(ctx, r)
}

func (m mirror) Attestation(ctx context.Context, r image.Reference) (image.Attestation, error) {
	r.Repository = m.there(r.Repository)
	return m.Client.Attestation(ctx, r)
}

func (m mirror) Blob(ctx context.Context, r image.Repository, d image.Descriptor, offset int64) (io.ReadCloser, int64, error) {
	return m.Client.Blob(ctx, m.there(r), d, offset)
}

// testShelf is the pages of the list over a real store, filled by real pulls.
type testShelf struct {
	t     *testing.T
	store *storage.Store
	jobs  *job.Runner
	queue *pull.Queue
	pages http.Handler

	handlers *Handlers
	options  Options
	now      time.Time // of the pages
}

// newShelf opens an empty shelf. References of any host come from the sample registry.
func newShelf(t *testing.T, set ...func(*storage.Options)) *testShelf {
	t.Helper()
	reg, err := samples()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(reg)
	t.Cleanup(server.Close)
	return newShelfOf(t, strings.TrimPrefix(server.URL, "http://"), set...)
}

// newShelfOf opens an empty shelf in front of the registry at host.
func newShelfOf(t *testing.T, host string, set ...func(*storage.Options)) *testShelf {
	t.Helper()
	amd64 := image.Platform{OS: "linux", Architecture: "amd64"}
	now := func() time.Time { return clock }
	options := storage.Options{Dir: t.TempDir(), DefaultPlatform: amd64, Now: now}
	for _, f := range set {
		f(&options)
	}
	store, err := storage.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	client, err := registry.New(registry.Options{DockerConfig: t.TempDir(), AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	jobs := job.NewRunner(store.Ledger(), nil, now)
	queue := pull.New(pull.Options{Source: mirror{client, host}, Shelf: store, Runner: jobs, DefaultPlatform: amd64, Now: now})
	if err := queue.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(queue.Close(context.Background()), client.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	checker := pull.NewChecker(pull.CheckOptions{Source: mirror{client, host}, Shelf: store, Now: now})
	t.Cleanup(checker.Close)
	s := &testShelf{t: t, store: store, jobs: jobs, queue: queue, now: clock}
	s.options = Options{Store: store, Jobs: jobs, Queue: queue, Checker: checker, Registry: client, Search: search.New(client, client.Outbound()), Logger: slog.New(slog.DiscardHandler), DefaultPlatform: amd64, LocalUser: "mira", Now: now}
	s.configure(func(*Options) {})
	return s
}

// configure makes the pages anew, with other options.
func (s *testShelf) configure(set func(*Options)) {
	set(&s.options)
	s.handlers = New(s.options)
	s.pages = s.server(s.handlers)
}

// errorsAsWeb answers errors as web has them, and fails the test for one that is not ours.
func errorsAsWeb(t testing.TB, h *Handlers) echo.HTTPErrorHandler {
	return func(err error, c echo.Context) {
		var known *image.Error
		if !errors.As(err, &known) {
			t.Errorf("%s %s: %v", c.Request().Method, c.Request().URL, err)
			known = &image.Error{Kind: image.Internal}
		}
		if page.PlainText(c.Request()) {
			if err := page.PlainError(c, page.Status(known.Kind), known); err != nil {
				t.Error(err)
			}
			return
		}
		view := ui.NewErrorView(c.Request().Context(), page.Status(known.Kind), known)
		if err := page.Render(c, view.Status, ui.ErrorPage(h.Site.Chrome(c, view.Title, ui.NavNone), view)); err != nil {
			t.Error(err)
		}
	}
}

// heldAsWeb holds what web holds of the requests of these tests: those of other sites that nobody has clicked.
func heldAsWeb(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if h := c.Request().Header; h.Get("Sec-Fetch-Site") == "cross-site" && h.Get("Sec-Fetch-User") == "" {
			page.HoldAsking(c)
		}
		return next(c)
	}
}

// server has the addresses of the list's pages, and errors as web has them.
func (s *testShelf) server(h *Handlers) http.Handler {
	e := echo.New()
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			l := page.Locale(c)
			l.Now = s.now
			c.SetRequest(c.Request().WithContext(text.WithLocale(c.Request().Context(), l)))
			return next(c)
		}
	})
	e.HTTPErrorHandler = errorsAsWeb(s.t, h)
	e.GET("/images", h.Images.List)
	e.GET("/images/*", h.Addresses.ImageAddress)
	e.HEAD("/images/*", h.Addresses.ImageAddress)
	e.GET("/archive", h.Archives.Archive)
	e.HEAD("/archive", h.Archives.Archive)
	e.POST("/images/*", h.Addresses.ImageAction)
	e.GET("/layers/:digest", h.Image.Layer)
	e.GET("/storage", h.Storage.Page)
	e.POST("/storage/sweep", h.Storage.Sweep)
	e.POST("/storage/unfinished", h.Storage.FreeUnfinished)
	e.GET("/storage/sweep", h.Storage.SweepAddress)
	e.GET("/prune", h.Prunes.Page)
	e.GET("/prune/summary", h.Prunes.Summary)
	e.POST("/prune", h.Prunes.Prune)
	e.GET("/delete", h.Removals.Delete)
	e.POST("/delete", h.Removals.DeleteSelected)
	e.GET("/delete/summary", h.Removals.DeleteSummary)
	e.POST("/removals/:id/undo", h.Removals.UndoRemoval)
	e.GET("/updates", h.Updates.Page)
	e.POST("/updates", h.Updates.Check)
	e.POST("/updates/cancel", h.Updates.Cancel)
	return e
}

// pull brings an image and waits until it is unpacked.
func (s *testShelf) pull(reference string, platforms ...string) {
	s.t.Helper()
	ref, err := image.ParseReference(reference)
	if err != nil {
		s.t.Fatal(err)
	}
	req := pull.Request{Reference: ref, By: "mira"}
	for _, p := range platforms {
		platform, err := image.ParsePlatform(p)
		if err != nil {
			s.t.Fatal(err)
		}
		req.Platforms = append(req.Platforms, platform)
	}
	j, _, err := s.queue.Pull(s.t.Context(), req)
	if err != nil {
		s.t.Fatal(err)
	}
	states, cancel := s.jobs.Subscribe(j.ID)
	defer cancel()
	for j := range states {
		if j.State.Final() {
			break
		}
	}
	if kept, err := s.store.Job(s.t.Context(), j.ID); err != nil || kept.State != job.Done && !kept.Outcome.Broken {
		s.t.Fatalf("pull %s: %+v, %v", reference, kept, err)
	}
	if err := s.store.AwaitUnpacked(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// target gives what a reference names on the shelf.
func (s *testShelf) target(reference string) shelf.Target {
	s.t.Helper()
	ref, err := image.ParseReference(reference)
	if err != nil {
		s.t.Fatal(err)
	}
	target, err := s.store.Target(s.t.Context(), ref)
	if err != nil {
		s.t.Fatal(err)
	}
	return target
}

// names gives the names of the list's rows.
func (s *testShelf) names() []string {
	s.t.Helper()
	rows, _, err := s.store.List(s.t.Context(), shelf.Query{Limit: 200})
	if err != nil {
		s.t.Fatal(err)
	}
	names := []string{}
	for _, r := range rows {
		names = append(names, r.Reference.Familiar())
	}
	return names
}

// answer is what a request came to.
type answer struct {
	status int
	header http.Header
	body   string
}

// get asks for a page; headers are name, value, ….
func (s *testShelf) get(address string, headers ...string) answer {
	s.t.Helper()
	return s.do(httptest.NewRequest(http.MethodGet, address, nil), headers...)
}

// post sends a form.
func (s *testShelf) post(address string, form url.Values, headers ...string) answer {
	s.t.Helper()
	r := httptest.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", echo.MIMEApplicationForm)
	return s.do(r, headers...)
}

func (s *testShelf) do(r *http.Request, headers ...string) answer {
	s.t.Helper()
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	r.RemoteAddr = "127.0.0.1:40000"
	w := httptest.NewRecorder()
	s.pages.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// is holds an answer against a status and texts that it must have.
func (a answer) is(t *testing.T, status int, texts ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d, want %d", a.status, status)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("the page lacks %q", text)
		}
	}
	if t.Failed() {
		t.Log(a.main())
	}
}

// lacks holds an answer against texts that it must not have.
func (a answer) lacks(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			t.Errorf("the page has %q", text)
		}
	}
}

// main is the page's own part, a tag a line, so that it can be read.
func (a answer) main() string { return golden.Main(a.body) }

// golden holds the page, or the parts of it that a test is about, against its file in testdata.
func (a answer) golden(t *testing.T, name string, parts ...string) {
	t.Helper()
	golden.Hold(t, a.body, name, parts...)
}
