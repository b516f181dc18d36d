package fake

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Large makes a registry look as if it had thousands of tags and repositories, without a push for each: lists come
// from memory, and what is asked for under a made-up name is served from the real one behind it. It is safe for
// concurrent use.
type Large struct {
	registry http.Handler
	tags     Tagged

	mu    sync.Mutex
	like  map[string]string           // repository to the real one that serves it
	more  map[string]map[string]TagAt // repository to made-up tags
	names []string                    // of the catalog, in order
}

// Dated is the name of a tag and when it was pushed.
type Dated struct {
	Tag     string
	Updated time.Time
}

// NewLarge is registry, which has the tags, with an empty catalog.
func NewLarge(registry http.Handler, tags Tagged) *Large {
	return &Large{registry: registry, tags: tags, like: map[string]string{}, more: map[string]map[string]TagAt{}}
}

// AddRepositories puts names into the catalog that serve what the repository like has. To list real repositories,
// see [Large.Show].
func (l *Large) AddRepositories(like string, names ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range names {
		l.like[n] = like
	}
	l.names = append(l.names, names...)
	slices.Sort(l.names)
	l.names = slices.Compact(l.names)
}

// Show puts real repositories into the catalog. Those that are not in it are served all the same.
func (l *Large) Show(names ...string) {
	for _, n := range names {
		l.AddRepositories(n, n)
	}
}

// AddTags gives a real repository more tags, all of which point at the image that one of its own points at. A tag
// that it has already stays as it is.
func (l *Large) AddTags(image TagAt, tags ...Dated) {
	l.mu.Lock()
	defer l.mu.Unlock()
	more := l.more[image.Repository]
	if more == nil {
		more = map[string]TagAt{}
		l.more[image.Repository] = more
	}
	for _, t := range tags {
		at := image
		at.Tag, at.Updated = t.Tag, t.Updated
		more[t.Tag] = at
	}
}

// Repositories implements [Tagged].
func (l *Large) Repositories() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.names)
}

// TagsOf implements [Tagged].
func (l *Large) TagsOf(repository string) []TagAt {
	like := l.real(repository)
	tags := slices.Clone(l.tags.TagsOf(like))
	real := map[string]bool{}
	for _, t := range tags {
		real[t.Tag] = true
	}
	l.mu.Lock()
	for name, t := range l.more[like] {
		if !real[name] {
			tags = append(tags, t)
		}
	}
	l.mu.Unlock()
	for i := range tags {
		tags[i].Repository = repository
	}
	slices.SortFunc(tags, TagAt.compare)
	return tags
}

// real is the repository that serves a name.
func (l *Large) real(repository string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if like := l.like[repository]; like != "" {
		return like
	}
	return repository
}

// ServeHTTP implements http.Handler.
func (l *Large) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	repository := repositoryOf(r)
	switch {
	case Catalogs(r) && r.Method == http.MethodGet:
		list(w, r, map[string]any{}, "repositories", l.Repositories())
		return
	case repository == "":
		l.registry.ServeHTTP(w, r)
		return
	case TagLists(r) && r.Method == http.MethodGet:
		tags := l.TagsOf(repository)
		if len(tags) == 0 {
			apiError(w, http.StatusNotFound, "NAME_UNKNOWN", "repository name not known to registry")
			return
		}
		names := make([]string, 0, len(tags))
		for _, t := range tags {
			names = append(names, t.Tag)
		}
		list(w, r, map[string]any{"name": repository}, "tags", names)
		return
	}
	to := l.real(repository)
	path := "/v2/" + to + strings.TrimPrefix(r.URL.Path, "/v2/"+repository)
	if before, tag, ok := strings.Cut(path, "/manifests/"); ok {
		path = before + "/manifests/" + l.reference(to, tag)
	}
	if path == r.URL.Path {
		l.registry.ServeHTTP(w, r)
		return
	}
	behind := r.Clone(r.Context())
	behind.URL.Path, behind.URL.RawPath = path, ""
	behind.RequestURI = behind.URL.RequestURI()
	l.registry.ServeHTTP(w, behind)
}

// reference is what the registry behind knows a manifest by: the digest of a made-up tag, and others as they are.
func (l *Large) reference(repository, tag string) string {
	l.mu.Lock()
	at, made := l.more[repository][tag]
	l.mu.Unlock()
	if !made || slices.ContainsFunc(l.tags.TagsOf(repository), func(t TagAt) bool { return t.Tag == tag }) {
		return tag
	}
	return at.Descriptor.Digest.String()
}
