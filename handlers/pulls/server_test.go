package pulls_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/pull/fetch"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/search"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/storage"
	"github.com/stowage/stowage/test/pages"
)

// pullServer is the pages of pulling on a real server, over a real store and the sample registry, which can be
// made to misbehave.
type pullServer struct {
	t        *testing.T
	registry *fake.Faulty
	host     string // of the registry
	store    *storage.Store
	jobs     *job.Runner
	queue    *pull.Queue
	server   *httptest.Server
	client   *http.Client // without scripting: it keeps cookies and does not follow
	closing  chan struct{}
	left     chan string // the paths of requests that were answered
}

func newPulls(t *testing.T, demo *page.Demo) *pullServer {
	t.Helper()
	reg, err := pages.Samples()
	if err != nil {
		t.Fatal(err)
	}
	return newPullsOf(t, demo, reg)
}

// newPullsOf is newPulls over another registry.
func newPullsOf(t *testing.T, demo *page.Demo, reg http.Handler) *pullServer {
	t.Helper()
	var err error
	p := &pullServer{t: t, registry: fake.NewFaulty(reg), closing: make(chan struct{}), left: make(chan string, 1000)}
	upstream := httptest.NewServer(p.registry)
	t.Cleanup(upstream.Close)
	p.host = strings.TrimPrefix(upstream.URL, "http://")
	amd64 := image.Platform{OS: "linux", Architecture: "amd64"}
	if p.store, err = storage.Open(t.Context(), storage.Options{Dir: t.TempDir(), DefaultPlatform: amd64}); err != nil {
		t.Fatal(err)
	}
	client, err := registry.New(registry.Options{DockerConfig: t.TempDir(), AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	p.jobs = job.NewRunner(p.store.Jobs, nil, nil)
	p.queue = pull.New(pull.Options{Source: client, Blobs: p.store.Blobs, Space: p.store.Space, Images: p.store.Images, Recorder: p.store.Recorder, Runner: p.jobs, DefaultPlatform: amd64, Backoff: fetch.Backoff{First: time.Millisecond}})
	if err := p.queue.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := handlers.New(handlers.Options{
		Shelf: pages.Of(p.store), Jobs: p.jobs, Queue: p.queue, Registry: client, Search: search.New(client, client.Outbound()), Logger: slog.New(slog.DiscardHandler), DefaultPlatform: amd64,
		LocalUser: "mira", Demo: demo, Closing: p.closing,
	})
	all := pages.Serve(t, h, time.Time{})
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { p.left <- r.URL.Path }()
		all.ServeHTTP(w, r)
	}))
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	p.client = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(func() {
		p.registry.Reset()
		p.client.CloseIdleConnections()
		p.server.Close()
		if err := errors.Join(p.queue.Close(context.Background()), client.Close(), p.store.Close()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// ref names something in the registry.
func (p *pullServer) ref(name string) string { return p.host + "/" + name }

// get asks for a page; headers are name, value, ….
func (p *pullServer) get(address string, headers ...string) pages.Answer {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.server.URL+address, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.do(r, headers)
}

// form asks for the pull form of a reference.
func (p *pullServer) form(reference string, platforms ...string) pages.Answer {
	p.t.Helper()
	return p.get("/pull?" + url.Values{"ref": {reference}, "platform": platforms}.Encode())
}

// follow is get, and goes where that leads.
func (p *pullServer) follow(address string) pages.Answer {
	p.t.Helper()
	a := p.get(address)
	if to := a.Header.Get("Location"); a.Status == http.StatusFound {
		return p.get(to)
	}
	return a
}

// post sends a form.
func (p *pullServer) post(address string, form url.Values) pages.Answer {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.server.URL+address, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	return p.do(r, []string{"Content-Type", echo.MIMEApplicationForm})
}

func (p *pullServer) do(r *http.Request, headers []string) pages.Answer {
	p.t.Helper()
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return pages.Answer{Status: response.StatusCode, Header: response.Header, Body: string(body)}
}

// start posts a pull and gives its address.
func (p *pullServer) start(reference string, platforms ...string) string {
	p.t.Helper()
	a := p.post("/pulls", url.Values{"ref": {reference}, "platform": platforms})
	a.Is(p.t, http.StatusSeeOther)
	return a.Header.Get("Location")
}

// end waits until a pull is over.
func (p *pullServer) end(address string) job.Job {
	p.t.Helper()
	id := idOf(p.t, address)
	states, cancel := p.jobs.Subscribe(id)
	defer cancel()
	for range states {
	}
	j, err := p.store.Jobs.Job(p.t.Context(), id)
	if err != nil {
		p.t.Fatal(err)
	}
	return j
}

func idOf(t *testing.T, address string) (id int64) {
	t.Helper()
	if _, err := fmt.Sscanf(address, "/pulls/%d", &id); err != nil {
		t.Fatalf("%q is not a pull's address: %v", address, err)
	}
	return id
}

// getManifests matches what brings a body; the errors of a HEAD have none.
func getManifests(r *http.Request) bool { return r.Method == http.MethodGet && fake.Manifests(r) }

// event is one server-sent event.
type event struct{ name, data string }

// stream reads the events of a pull.
type stream struct {
	t        *testing.T
	response *http.Response
	lines    *bufio.Scanner
	comments int
}

// listen connects to a stream; it is closed with the test at the latest.
func (p *pullServer) listen(ctx context.Context, address string) *stream {
	p.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.server.URL+address+"/events", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { response.Body.Close() })
	s := &stream{t: p.t, response: response, lines: bufio.NewScanner(response.Body)}
	s.lines.Buffer(nil, 1<<20)
	return s
}

// next returns the next event; ok is false at the end of the stream.
func (s *stream) next() (e event, ok bool) {
	var data []string
	for s.lines.Scan() {
		switch field, value, _ := strings.Cut(s.lines.Text(), ": "); field {
		case "event":
			e.name = value
		case "data":
			data = append(data, value)
		case "retry":
		case "":
			if value != "" {
				s.comments++
				continue
			}
			if data == nil {
				continue
			}
			e.data = strings.Join(data, "\n")
			return e, true
		default:
			s.t.Errorf("a line that is no field: %q", s.lines.Text())
		}
	}
	return e, false
}

var stateOf = regexp.MustCompile(`id="pull" data-state="(\w+)"`)

// state reads the pull's state out of a page or an event.
func state(t *testing.T, body string) string {
	t.Helper()
	m := stateOf.FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("no state in %q", body)
	}
	return m[1]
}
