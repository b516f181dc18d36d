package shelf

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
)

// The size of a large registry.
const (
	LargeTags  = 5_000
	LargeNames = 20_000
)

// Busy counts the time in which a registry had a request to answer: of requests side by side, it counts once.
type Busy struct {
	next http.Handler

	mu    sync.Mutex
	now   int
	since time.Time
	total time.Duration
}

// ServeHTTP implements http.Handler.
func (b *Busy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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

// Spent is the time so far.
func (b *Busy) Spent() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.now > 0 {
		return b.total + time.Since(b.since)
	}
	return b.total
}

// LargeRegistry is a registry of 20,000 repositories and one with 5,000 tags, without a search, and Docker Hub's
// search. Both count the time that they take.
type LargeRegistry struct {
	*Busy
	Args []string // of a server that knows them
}

const LargeRepository = "registry.example/team/app"

func ServeLarge(t *testing.T) *LargeRegistry {
	t.Helper()
	r := fake.NewEmptyRegistry()
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
	faulty := fake.NewFaulty(r)
	front := fake.NewLarge(faulty, r)
	front.Show("team/app")
	front.AddRepositories("team/app", fake.ManyNames(LargeNames)...)
	front.AddTags(r.TagsOf("team/app")[0], fake.ManyTags(LargeTags)...)
	l := &LargeRegistry{Busy: &Busy{}}
	service := fake.Hub{Found: fake.HubFound(), Tagged: front}.Handler()
	l.next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/hub/") {
			http.StripPrefix("/hub", service).ServeHTTP(w, r)
			return
		}
		front.ServeHTTP(w, r)
	})
	u := ServeFaulty(t, faulty, l)
	l.Args = []string{ListRegistries(t,
		registry.Entry{Host: "docker.io", Address: u.Host, TLS: outbound.TLSOff, Search: registry.SearchHub,
			SearchURL: u.URL() + "/hub"},
		registry.Entry{Host: "registry.example", Address: u.Host, TLS: outbound.TLSOff, Search: registry.SearchCatalog},
	)}
	return l
}

// LargeWord is a text to search for, each time another: some find hundreds of names, most a few.
func LargeWord(i int) string {
	name := fake.ManyNames(LargeNames)[(i*7919)%LargeNames]
	return name[:len(name)-i%3]
}

// HubWord is the same for Docker Hub's stand-in.
func HubWord(i int) string {
	found := fake.HubFound()
	return strings.NewReplacer("library/", "", "/", " ").Replace(found[(i*13)%len(found)].Repository)
}
