package fake

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/olareg/olareg"
	"github.com/olareg/olareg/config"
	"golang.org/x/sync/errgroup"

	"github.com/stowage/stowage/sample"
)

// Registry is a registry in memory. It serves the distribution API as an http.Handler, with the catalog that olareg
// itself does not have. It is safe for concurrent use until Close.
type Registry struct {
	olareg *olareg.Server

	mu           sync.Mutex
	tags         []TagAt
	repositories map[string]bool
}

// NewRegistry is a registry that holds the [Library]. It takes around a second to build; the context ends that.
func NewRegistry(ctx context.Context) (*Registry, error) {
	r := NewEmptyRegistry()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, e := range sample.Library() {
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
func (r *Registry) Push(ctx context.Context, repository string, source sample.Source, tags ...string) error {
	b, err := Push(ctx, Handler(r), repository, source, tags...)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range tags {
		r.tags = slices.DeleteFunc(r.tags, func(at TagAt) bool { return at.Repository == repository && at.Tag == t })
		r.tags = append(r.tags, At(repository, t, b))
	}
	return nil
}

// MoveTag makes [MovingRepository]:[MovingTag] point at one of its versions, from 1 to [RollingVersions]. The registry
// starts with version 1. What the tag pointed at before can still be pulled by digest.
func (r *Registry) MoveTag(ctx context.Context, version int) error {
	ix, err := sample.Rolling(version)
	if err != nil {
		return err
	}
	return r.Push(ctx, sample.MovingRepository, ix, sample.MovingTag)
}

// Tags are the tags that were pushed with Push and MoveTag, in order of repository and tag.
func (r *Registry) Tags() []TagAt {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Clone(r.tags)
	slices.SortFunc(all, TagAt.compare)
	return all
}

// Repositories implements [Tagged].
func (r *Registry) Repositories() []string { return Pushed(r.Tags()).Repositories() }

// TagsOf implements [Tagged].
func (r *Registry) TagsOf(repository string) []TagAt { return Pushed(r.Tags()).TagsOf(repository) }

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
	names := slices.Collect(maps.Keys(r.repositories))
	r.mu.Unlock()
	slices.Sort(names)
	list(w, req, map[string]any{}, "repositories", names)
}
