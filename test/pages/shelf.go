// Package pages is the fixture of the tests of handlers: all pages over a real shelf, in the process of the test, which
// is filled by real pulls from the sample registry.
package pages

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/handlers"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	checks "github.com/stowage/stowage/pull/updates"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/search"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage"
)

// Clock is when everything in these tests happens.
var Clock = time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)

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

func (m mirror) Blob(ctx context.Context, r image.Repository, d image.Descriptor,
	offset int64) (io.ReadCloser, int64, error) {
	return m.Client.Blob(ctx, m.there(r), d, offset)
}

// Shelf is the pages of the list over a real store, filled by real pulls.
type Shelf struct {
	T     *testing.T
	Store *storage.Store
	Jobs  *job.Runner
	Queue *pull.Queue
	Pages http.Handler

	Handlers *handlers.Handlers
	options  handlers.Options
}

// New opens an empty shelf. References of any host come from the sample registry.
func New(t *testing.T, set ...func(*storage.Options)) *Shelf {
	t.Helper()
	reg, err := Samples()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(reg)
	t.Cleanup(server.Close)
	return NewOf(t, strings.TrimPrefix(server.URL, "http://"), set...)
}

// NewOf opens an empty shelf in front of the registry at host.
func NewOf(t *testing.T, host string, set ...func(*storage.Options)) *Shelf {
	t.Helper()
	amd64 := image.Platform{OS: "linux", Architecture: "amd64"}
	now := func() time.Time { return Clock }
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
	jobs := job.NewRunner(store.Jobs, nil, now)
	queue := pull.New(pull.Options{Source: mirror{client, host}, Blobs: store.Blobs, Space: store.Space,
		Images:   store.Images,
		Recorder: store.Recorder, Runner: jobs, DefaultPlatform: amd64,
		Now: now})
	if err := queue.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(queue.Close(context.Background()), client.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	checker := checks.New(checks.Options{Source: mirror{client, host}, Shelf: store.Tags, Now: now})
	t.Cleanup(checker.Close)
	s := &Shelf{T: t, Store: store, Jobs: jobs, Queue: queue}
	s.options = handlers.Options{Shelf: Of(store), Jobs: jobs, Queue: queue, Checker: checker, Registry: client,
		Search: search.New(client, client.Outbound()), Logger: slog.New(slog.DiscardHandler), DefaultPlatform: amd64,
		LocalUser: "mira", Now: now}
	s.Configure(func(*handlers.Options) {})
	return s
}

// Configure makes the pages anew, with other options.
func (s *Shelf) Configure(set func(*handlers.Options)) {
	set(&s.options)
	s.Handlers = handlers.New(s.options)
	s.Pages = Serve(s.T, s.Handlers, s.options.Now())
}

// Ask has the pages ask registries by another client.
func (s *Shelf) Ask(client *registry.Client) {
	s.Configure(func(o *handlers.Options) { o.Registry, o.Search = client, search.New(client, client.Outbound()) })
}

// Pull brings an image and waits until it is unpacked.
func (s *Shelf) Pull(reference string, platforms ...string) {
	s.T.Helper()
	ref, err := image.ParseReference(reference)
	if err != nil {
		s.T.Fatal(err)
	}
	req := pull.Request{Reference: ref, By: image.ActorNamed("mira")}
	for _, p := range platforms {
		platform, err := image.ParsePlatform(p)
		if err != nil {
			s.T.Fatal(err)
		}
		req.Platforms = append(req.Platforms, platform)
	}
	j, _, err := s.Queue.Pull(s.T.Context(), req)
	if err != nil {
		s.T.Fatal(err)
	}
	states, cancel := s.Jobs.Subscribe(j.ID)
	defer cancel()
	for j := range states {
		if j.State.Final() {
			break
		}
	}
	if kept, err := s.Store.Jobs.Job(s.T.Context(), j.ID); err != nil || kept.State != job.Done && !kept.Outcome.Broken {
		s.T.Fatalf("pull %s: %+v, %v", reference, kept, err)
	}
	if err := s.Store.Unpacker.AwaitUnpacked(s.T.Context()); err != nil {
		s.T.Fatal(err)
	}
}

// Target returns what a reference names on the shelf.
func (s *Shelf) Target(reference string) shelf.Target {
	s.T.Helper()
	ref, err := image.ParseReference(reference)
	if err != nil {
		s.T.Fatal(err)
	}
	target, err := s.Store.Images.Target(s.T.Context(), ref)
	if err != nil {
		s.T.Fatal(err)
	}
	return target
}

// Names returns the names of the list's rows.
func (s *Shelf) Names() []string {
	s.T.Helper()
	rows, _, err := s.Store.Lists.List(s.T.Context(), shelf.Query{Limit: 200})
	if err != nil {
		s.T.Fatal(err)
	}
	names := []string{}
	for _, r := range rows {
		names = append(names, r.Reference.Familiar())
	}
	return names
}

// Get asks for a page; headers are name, value, ….
func (s *Shelf) Get(address string, headers ...string) Answer {
	s.T.Helper()
	return s.Do(httptest.NewRequest(http.MethodGet, address, nil), headers...)
}

// Post sends a form.
func (s *Shelf) Post(address string, form url.Values, headers ...string) Answer {
	s.T.Helper()
	r := httptest.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.Do(r, headers...)
}

func (s *Shelf) Do(r *http.Request, headers ...string) Answer {
	s.T.Helper()
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	r.RemoteAddr = "127.0.0.1:40000"
	w := httptest.NewRecorder()
	s.Pages.ServeHTTP(w, r)
	return Answer{w.Code, w.Header(), w.Body.String()}
}

// NewWith opens an empty shelf in front of a registry of one repository, with images by tag.
func NewWith(t *testing.T, repository string, sources map[string]sample.Source) *Shelf {
	t.Helper()
	reg := fake.NewEmptyRegistry()
	for tag, source := range sources {
		if err := reg.Push(t.Context(), repository, source, tag); err != nil {
			t.Fatal(err)
		}
	}
	return NewOn(t, reg)
}

// NewOn opens an empty shelf in front of a registry, which ends with the test.
func NewOn(t *testing.T, reg *fake.Registry, set ...func(*storage.Options)) *Shelf {
	t.Helper()
	return NewInFront(t, reg, reg, set...)
}

// NewInFront opens an empty shelf in front of what serves a registry, which ends with the test.
func NewInFront(t *testing.T, reg *fake.Registry, served http.Handler, set ...func(*storage.Options)) *Shelf {
	t.Helper()
	server := httptest.NewServer(served)
	t.Cleanup(func() {
		server.Close()
		if err := reg.Close(); err != nil {
			t.Error(err)
		}
	})
	return NewOf(t, strings.TrimPrefix(server.URL, "http://"), set...)
}

// Filled is a shelf with a little of everything that the list shows: two platforms, two tags on one digest, another
// host, a digest that was asked for, a dangling one, and an image without a creation date.
func Filled(t *testing.T) *Shelf {
	t.Helper()
	s := New(t)
	s.Pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	s.Pull("ubuntu:latest", "linux/amd64")
	s.Pull("ghcr.io/acme/api:v2.14.0", "linux/amd64")
	s.Pull("test/no-created:latest")
	s.Pull("redis@"+DigestOf(t, "library/redis", "7"), "linux/amd64")
	return s
}

// Layer returns the digest of a layer of the platform that stands for a reference.
func (s *Shelf) Layer(reference string, position int) image.Digest {
	s.T.Helper()
	layers, err := s.Store.Images.ImageLayers(s.T.Context(), s.Store.Images.Preferred(s.Target(reference).Images).Manifest)
	if err != nil {
		s.T.Fatal(err)
	}
	return layers[position].Digest
}

// PullRolling pulls a version of a tag that moves.
func (s *Shelf) PullRolling(reg *fake.Registry, version int) {
	s.T.Helper()
	source, err := sample.Rolling(version)
	if err == nil {
		err = reg.Push(s.T.Context(), "library/ubuntu", source, "rolling")
	}
	if err != nil {
		s.T.Fatal(err)
	}
	s.Pull("ubuntu:rolling", "linux/amd64")
}

// Of returns the parts of a store that pages ask.
func Of(s *storage.Store) handlers.Shelf {
	return handlers.Shelf{
		Images: s.Images, Lists: s.Lists, Tags: s.Tags, Blobs: s.Blobs, Space: s.Space, Downloads: s.Downloads,
		Usage: s.Usage, Removals: s.Removals, Records: s.Jobs, Serving: s.Serving, Unpacker: s.Unpacker,
		Sweeper: s.Janitor, Folder: s,
	}
}
