package main

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/sample"
)

// The size of a large registry.
const (
	largeTags  = 5_000
	largeNames = 20_000
)

// busy counts the time in which a registry had a request to answer: of requests side by side, it counts once.
type busy struct {
	next http.Handler

	mu    sync.Mutex
	now   int
	since time.Time
	total time.Duration
}

// ServeHTTP implements http.Handler.
func (b *busy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	if b.now++; b.now == 1 {
		b.since = time.Now()
	}
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		if b.now--; b.now == 0 {
			b.total += time.Since(b.since)
		}
		b.mu.Unlock()
	}()
	b.next.ServeHTTP(w, r)
}

// spent is the time so far.
func (b *busy) spent() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.now > 0 {
		return b.total + time.Since(b.since)
	}
	return b.total
}

// largeRegistry is a registry of 20,000 repositories and one with 5,000 tags, without a search, and Docker Hub's
// search. Both count the time that they take.
type largeRegistry struct {
	*busy
	args []string // of a server that knows them
}

const largeRepository = "registry.example/team/app"

func serveLarge(t *testing.T) *largeRegistry {
	t.Helper()
	r := sample.NewEmptyRegistry()
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, tag := range []string{"15", "16"} {
		source, _ := sample.Lookup(sampleLibrary(), "library/postgres", tag)
		if err := r.Push(t.Context(), "team/app", source, tag); err != nil {
			t.Fatal(err)
		}
	}
	faulty := sample.NewFaulty(r)
	front := sample.NewLarge(faulty, r)
	front.Show("team/app")
	front.AddRepositories("team/app", sample.ManyNames(largeNames)...)
	front.AddTags(r.TagsOf("team/app")[0], sample.ManyTags(largeTags)...)
	l := &largeRegistry{busy: &busy{}}
	service := sample.Hub{Found: sample.HubFound(), Tagged: front}.Handler()
	l.next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/hub/") {
			http.StripPrefix("/hub", service).ServeHTTP(w, r)
			return
		}
		front.ServeHTTP(w, r)
	})
	u := serveFaulty(t, faulty, l)
	l.args = []string{listRegistries(t,
		registry.Entry{Host: "docker.io", Address: u.host, TLS: outbound.TLSOff, Search: registry.SearchHub, SearchURL: u.url() + "/hub"},
		registry.Entry{Host: "registry.example", Address: u.host, TLS: outbound.TLSOff, Search: registry.SearchCatalog},
	)}
	return l
}

// largeWord is a text to search for, each time another: some find hundreds of names, most a few.
func largeWord(i int) string {
	name := sample.ManyNames(largeNames)[(i*7919)%largeNames]
	return name[:len(name)-i%3]
}

// hubWord is the same for Docker Hub's stand-in.
func hubWord(i int) string {
	found := sample.HubFound()
	return strings.NewReplacer("library/", "", "/", " ").Replace(found[(i*13)%len(found)].Repository)
}
