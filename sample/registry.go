package sample

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/olareg/olareg"
	"github.com/olareg/olareg/config"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

// Registry is a registry in memory. It serves the distribution API as an http.Handler, with the catalog that olareg
// itself does not have. It is safe for concurrent use until Close.
type Registry struct {
	olareg *olareg.Server

	mu           sync.Mutex
	tags         []TagAt
	repositories map[string]bool
}

// TagAt is a tag and what it points at.
type TagAt struct {
	Repository, Tag string
	Descriptor      v1.Descriptor
}

// NewRegistry is a registry that holds the [Library]. It takes around a second to build; the context ends that.
func NewRegistry(ctx context.Context) (*Registry, error) {
	r := NewEmptyRegistry()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, e := range Library() {
		g.Go(func() error { return r.Push(ctx, e.Repository, e.Source, e.Tags...) })
	}
	if err := g.Wait(); err != nil {
		_ = r.Close() // the first error says more
		return nil, fmt.Errorf("fill the sample registry: %w", err)
	}
	return r, nil
}

// NewEmptyRegistry is a registry that holds nothing yet.
func NewEmptyRegistry() *Registry {
	yes := true
	conf := config.Config{Storage: config.ConfigStorage{StoreType: config.StoreMem, GC: config.ConfigGC{Frequency: -1}}}
	conf.API.DeleteEnabled, conf.API.Blob.DeleteEnabled = &yes, &yes
	return &Registry{olareg: olareg.New(conf), repositories: map[string]bool{}}
}

// Push puts what source builds into a repository and makes the tags point at it.
func (r *Registry) Push(ctx context.Context, repository string, source Source, tags ...string) error {
	b, err := Push(ctx, Handler(r), repository, source, tags...)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range tags {
		r.tags = slices.DeleteFunc(r.tags, func(at TagAt) bool { return at.Repository == repository && at.Tag == t })
		r.tags = append(r.tags, TagAt{Repository: repository, Tag: t, Descriptor: b.Descriptor})
	}
	return nil
}

// MoveTag makes [MovingRepository]:[MovingTag] point at one of its versions, from 1 to [RollingVersions]. The registry
// starts with version 1. What the tag pointed at before can still be pulled by digest.
func (r *Registry) MoveTag(ctx context.Context, version int) error {
	ix, err := Rolling(version)
	if err != nil {
		return err
	}
	return r.Push(ctx, MovingRepository, ix, MovingTag)
}

// Tags are the tags that were pushed with Push and MoveTag, in order of repository and tag.
func (r *Registry) Tags() []TagAt {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Clone(r.tags)
	slices.SortFunc(all, func(a, b TagAt) int {
		if c := strings.Compare(a.Repository, b.Repository); c != 0 {
			return c
		}
		return strings.Compare(a.Tag, b.Tag)
	})
	return all
}

// Close frees the store. Nothing may be served any more: stop the http.Server first.
func (r *Registry) Close() error {
	if err := r.olareg.Close(); err != nil {
		return fmt.Errorf("close the sample registry: %w", err)
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.URL.Path == "/v2/_catalog" && req.Method == http.MethodGet {
		r.catalog(w, req)
		return
	}
	rest, _ := strings.CutPrefix(req.URL.Path, "/v2/")
	repository, _, manifest := strings.Cut(rest, "/manifests/")
	if !manifest || req.Method != http.MethodPut {
		r.olareg.ServeHTTP(w, req)
		return
	}
	put := &meter{ResponseWriter: w, count: func(int) {}}
	r.olareg.ServeHTTP(put, req)
	if put.status == http.StatusCreated {
		r.mu.Lock()
		r.repositories[repository] = true
		r.mu.Unlock()
	}
}

// catalog lists the repositories in pages (distribution's GET /v2/_catalog?n=&last=).
func (r *Registry) catalog(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	names := make([]string, 0, len(r.repositories))
	for n := range r.repositories {
		if n > req.URL.Query().Get("last") {
			names = append(names, n)
		}
	}
	r.mu.Unlock()
	slices.Sort(names)
	if n, err := strconv.Atoi(req.URL.Query().Get("n")); err == nil && n > 0 && n < len(names) {
		names = names[:n]
		next := url.Values{"n": {strconv.Itoa(n)}, "last": {names[n-1]}}
		w.Header().Set("Link", "</v2/_catalog?"+next.Encode()+`>; rel="next"`)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string][]string{"repositories": names}) // a client that went away needs no answer
}
