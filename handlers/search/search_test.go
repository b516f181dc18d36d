package search_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	searchpages "github.com/stowage/stowage/handlers/search"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/pages"
	views "github.com/stowage/stowage/views/search"
)

// searched is the Search page over a shelf. Its registries are stand-ins.
type searched struct {
	*pages.Shelf
	asked atomic.Int32 // requests to the registries and their search services
}

// standIn is a registry of the list: its search service, and the registry itself where repositories are picked.
type standIn struct {
	registry.Entry
	service, registry http.Handler
}

// hubAnd is Docker Hub with some official repositories and 46 more of postgres, and other registries after it.
func hubAnd(others ...standIn) []standIn {
	found := []fake.Found{
		{Repository: "library/postgres", Description: "A relational database.", Official: true, Stars: 14760, Pulls: 10_402_115_007},
		{Repository: "library/redis", Description: "A data store in memory.", Official: true, Stars: 13011, Pulls: 8_000_000_000},
		{Repository: "library/ubuntu", Description: "A Debian-based operating system.", Official: true, Stars: 17500, Pulls: 4_000_000_000},
	}
	for i := range 46 {
		found = append(found, fake.Found{
			Repository: fmt.Sprintf("team%02d/postgres", i), Description: "PostgreSQL of team " + strings.Repeat("and team ", i) + "one.", Stars: int64(46 - i), Pulls: int64(i*i) * 10_007,
		})
	}
	return append([]standIn{hubOf(found)}, others...)
}

// hubOf is Docker Hub with these repositories.
func hubOf(found []fake.Found) standIn {
	return standIn{
		Entry:   registry.Entry{Host: "docker.io", Label: "Docker Hub", Search: registry.SearchHub},
		service: fake.Hub{Found: found, Tagged: fake.Pushed(nil)}.Handler(),
	}
}

// quay is Quay with nine repositories.
func quay() standIn {
	var found []fake.Found
	for i := range 9 {
		found = append(found, fake.Found{
			Repository: fmt.Sprintf("squad%d/postgres", i), Description: "PostgreSQL of a squad.", Stars: int64(9 - i), Updated: pages.Clock.AddDate(0, -i, 0),
		})
	}
	return standIn{Entry: registry.Entry{Host: "quay.io", Label: "Quay", Search: registry.SearchQuay}, service: fake.Quay{Found: found, Tagged: fake.Pushed(nil)}.Handler()}
}

// answering is a registry that answers each search in one way.
func answering(host string, kind registry.SearchKind, h http.HandlerFunc) standIn {
	return standIn{Entry: registry.Entry{Host: host, Search: kind}, service: h, registry: h}
}

// newSearched opens the page over an empty shelf.
func newSearched(t *testing.T, list []standIn) *searched {
	t.Helper()
	s := &searched{Shelf: pages.New(t)}
	serve := func(h http.Handler) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.asked.Add(1)
			h.ServeHTTP(w, r)
		}))
		t.Cleanup(server.Close)
		return strings.TrimPrefix(server.URL, "http://")
	}
	var listed []registry.Entry
	for _, l := range list {
		if l.service != nil && l.Search != registry.SearchCatalog {
			l.SearchURL = "http://" + serve(l.service)
		}
		if l.registry != nil {
			l.Address, l.TLS = serve(l.registry), outbound.TLSOff
		}
		listed = append(listed, l.Entry)
	}
	client, err := registry.New(registry.Options{DockerConfig: t.TempDir(), AllowPrivate: true, Registries: listed})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	s.Ask(client)
	return s
}

// part asks for a part of the page as htmx does, from an element of the page at from.
func (s *searched) part(address, target, source, from string) pages.Answer {
	s.T.Helper()
	return s.Get(address, "HX-Request", "true", "HX-Request-Type", "partial", "HX-Target", "section#"+target, "HX-Source", source, "HX-Current-URL", "http://127.0.0.1:8080"+from)
}

// results asks for the results as the form does.
func (s *searched) results(address string) pages.Answer {
	s.T.Helper()
	return s.part(address, views.SearchResultsID, "form#"+views.SearchFormID, "/search")
}

// picks returns the repositories that an answer's results lead to, in their order.
func picks(a pages.Answer) (all []string) {
	for _, line := range strings.Split(a.Main(), "\n") {
		if strings.Contains(line, "data-row-link") && strings.Contains(line, `id="hit-`) {
			_, name, _ := strings.Cut(line, "repo=")
			name, _, _ = strings.Cut(name, `"`)
			all = append(all, name)
		}
	}
	return all
}

func TestTheSearchPageSaysWhatCanBeTypedAndWhoIsAsked(t *testing.T) {
	s := newSearched(t, hubAnd(quay(), standIn{Entry: registry.Entry{Host: "mirror.example.com", MirrorOf: "docker.io"}}, standIn{Entry: registry.Entry{Host: "off.example.com", Search: registry.SearchOff}}))
	page := s.Get("/search")
	page.Is(t, http.StatusOK, `id="search-query" type="search" name="q" value=""`, "autofocus", `<option value="">All registries</option>`, `<option value="quay.io">Quay</option>`, `href="/search?q=postgres:15"`)
	page.Lacks(t, "mirror.example.com", "off.example.com", "docker search")
	page.Golden(t, "search-start")
	if n := s.asked.Load(); n != 0 {
		t.Errorf("%d requests without a word to search for", n)
	}
}

func TestResultsOfOneRegistryAreOneListInPages(t *testing.T) {
	s := newSearched(t, hubAnd(quay()))
	s.Pull("postgres:15")
	s.Pull("postgres:16")
	page := s.Get("/search?q=postgres&registry=docker.io&limit=10")
	page.Is(t, http.StatusOK, "10 of 47 results", "Official", `href="/images/docker.io/library/postgres" title="2 tags of it are stored"`,
		`href="/search?q=postgres&amp;registry=docker.io&amp;limit=10&amp;page=2"`, "docker search --limit 10 postgres", `name="q" value="postgres"`)
	page.Lacks(t, "autofocus", "quay.io/")
	page.Golden(t, "search-one")
	first, second := picks(page), s.Get("/search?q=postgres&registry=docker.io&limit=10&page=2")
	second.Is(t, http.StatusOK, "11–20 of 47 results")
	if more := picks(second); len(first) != 10 || len(more) != 10 || first[0] != "postgres" || slices.Contains(more, first[0]) {
		t.Errorf("first page %q, second %q", first, more)
	}
	s.Get("/search?q=postgres&registry=docker.io&limit=10&page=99").Is(t, http.StatusOK, "There is no page 99", `href="/search?q=postgres&amp;registry=docker.io&amp;limit=10"`)
}

func TestPagesWithoutATotalLeadOnAndBack(t *testing.T) {
	s := newSearched(t, hubAnd(quay()))
	first := s.Get("/search?q=postgres&registry=quay.io&limit=5")
	first.Is(t, http.StatusOK, "First 5 results", `rel="next"`)
	first.Lacks(t, `rel="prev"`)
	s.Get("/search?q=postgres&registry=quay.io&limit=5&page=2").Is(t, http.StatusOK, "6–9", `rel="prev"`)
}

func TestSeveralRegistriesHaveAGroupEachInTheListsOrder(t *testing.T) {
	s := newSearched(t, hubAnd(quay()))
	page := s.Get("/search?q=postgres")
	page.Is(t, http.StatusOK, "First 16 results from 2 registries", "8 of 47 results", `href="/search?q=postgres&amp;registry=docker.io"`, "All results of Docker Hub")
	page.Golden(t, "search-all")
	picks := picks(page)
	if len(picks) != 16 || strings.HasPrefix(picks[7], "quay.io/") || !strings.HasPrefix(picks[8], "quay.io/") {
		t.Errorf("the groups are %q", picks)
	}
	s.Get("/search?q=postgres&limit=2").Is(t, http.StatusOK, "First 4 results from 2 registries")
}

func TestDockersFiltersApply(t *testing.T) {
	s := newSearched(t, hubAnd())
	page := s.Get("/search?q=postgres&official=1&stars=10&sort=stars")
	page.Is(t, http.StatusOK, "docker search --filter is-official=true --filter stars=10 postgres", `name="official" value="1" checked`, `name="sort" value="stars" form="search-form"`)
	if got := picks(page); !slices.Equal(got, []string{"postgres"}) {
		t.Errorf("official ones with 10 stars: %q", got)
	}
	for sort, first := range map[string]string{"stars": "postgres", "name": "postgres", "pulls": "postgres"} {
		picks := picks(s.Get("/search?q=postgres&sort=" + sort))
		teams := picks[1:]
		sorted := slices.IsSorted(teams)
		slices.Reverse(teams)
		if falls := slices.IsSorted(teams); picks[0] != first || sorted == falls || falls != (sort == "pulls") {
			t.Errorf("by %s: %q", sort, picks)
		}
	}
}

func TestEveryStateHasItsOwnWordsAndANextStep(t *testing.T) {
	s := newSearched(t, hubAnd(
		answering("off.example.com", registry.SearchCatalog, http.NotFound),
		answering("limited.example.com", registry.SearchV1, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "600")
			w.WriteHeader(http.StatusTooManyRequests)
		}),
		answering("private.example.com", registry.SearchCatalog, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
		}),
		answering("broken.example.com", registry.SearchV1, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<h1>Down for maintenance</h1>")
		}),
		standIn{Entry: registry.Entry{Host: "gone.example.com", Search: registry.SearchV1, SearchURL: "http://127.0.0.1:9"}},
	))
	for host, words := range map[string][]string{
		"off.example.com":     {"off.example.com cannot be searched", `name="repo" value="off.example.com/postgres"`, "Show its tags"},
		"limited.example.com": {"limited.example.com allows no more searches for now", "until 20", "Try again"},
		"private.example.com": {"private.example.com wants a sign-in", "docker login", "Try again"},
		"broken.example.com":  {"broken.example.com could not be searched", "web page", "Try again"},
		"gone.example.com":    {"gone.example.com could not be searched", "refuses connections", "Try again"},
	} {
		page := s.Get("/search?q=postgres&registry=" + host)
		page.Is(t, http.StatusOK, words...)
		page.Is(t, http.StatusOK, "Search all registries", `href="/search?q=postgres"`)
		page.Lacks(t, "maintenance</h1>")
	}
	all := s.Get("/search?q=postgres")
	all.Is(t, http.StatusOK, "First 8 results from 1 registry", "cannot be searched", "rate limited", "sign-in needed", "no results")
	if got := len(picks(all)); got != 8 {
		t.Errorf("beside five that fail, Docker Hub has %d results", got)
	}
	s.Get("/search?q=postgres&registry=off.example.com").Golden(t, "search-off")
}

func TestNothingFoundSaysWhatElseCanBeTried(t *testing.T) {
	s := newSearched(t, hubAnd(quay()))
	page := s.Get("/search?q=no-such-thing&registry=quay.io&stars=3")
	page.Is(t, http.StatusOK, "Nothing found for “no-such-thing”", "Quay has no repository that matches", `href="/search?q=no-such-thing&amp;registry=quay.io"`,
		`href="/search?q=no-such-thing&amp;stars=3"`, "Look up quay.io/no-such-thing all the same", "repo=quay.io/no-such-thing")
	page.Golden(t, "search-nothing")
	s.Get("/search?q=no-such-thing").Is(t, http.StatusOK, "2 registries were asked, and none has")
}

func TestAnIDOfNothingThatIsStoredIsExplainedAndSearchedForAsAWord(t *testing.T) {
	s := newSearched(t, hubAnd(quay()))
	page := s.Get("/search?q=0123456789ab")
	page.Is(t, http.StatusOK, "Nothing on the shelf has an ID or a digest that begins with 0123456789ab", "Pull it by its name", "Nothing found for “0123456789ab”")
	page.Lacks(t, "Look up 0123456789ab")
	if s.asked.Load() == 0 {
		t.Error("nobody was asked")
	}
}

func TestNoRegistryIsSentACommandOrAnAddressThatNamesNoImage(t *testing.T) {
	s := newSearched(t, hubAnd(quay()))
	for text, problem := range map[string]string{
		"docker login -u me -p secret quay.io": "This command names no image. Paste one that does, such as docker pull postgres:15",
		"docker run --rm -it":                  "This command names no image.",
		"https://me:secret@quay.io/v2/":        "is an address, not an image reference",
		"https://hub.docker.com/search?q=x":    "is the address of a web page",
	} {
		page := s.Get("/search?q=" + url.QueryEscape(text))
		page.Is(t, http.StatusOK, problem)
		page.Lacks(t, "Nothing found", "docker search", "No registry")
		s.Get("/search?q="+url.QueryEscape(text), "Accept-Language", "ko").Lacks(t, "names no image")
	}
	if n := s.asked.Load(); n != 0 {
		t.Errorf("registries were asked %d times", n)
	}
}

func TestASlowRegistryDelaysNobodyBeyondTheDeadline(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := newSearched(t, hubAnd(answering("slow.example.com", registry.SearchV1, func(w http.ResponseWriter, r *http.Request) {
		<-release
		fake.V1{Found: []fake.Found{{Repository: "late/postgres"}}}.Handler().ServeHTTP(w, r)
	})))
	begin := time.Now()
	page := s.Get("/search?q=postgres")
	if took := time.Since(begin); took > 2*searchpages.SearchDeadline {
		t.Errorf("the page took %s", took)
	}
	page.Is(t, http.StatusOK, "First 8 results from 1 registry", "slow.example.com", "still searching", `hx-get="/search?q=postgres&amp;again=1" hx-trigger="every 2s"`)
	last := s.results("/search?q=postgres&again=" + strconv.Itoa(views.MostAgain))
	last.Is(t, http.StatusOK, "no results", "slow.example.com did not answer within", "Try again")
	last.Lacks(t, "still searching", "data-poll", "spinner")
	close(release)
	s.results("/search?q=postgres&again=1").Is(t, http.StatusOK, "from 2 registries", "late/")
	again := s.results("/search?q=postgres&again=1")
	again.Lacks(t, "still searching", "data-poll")
}

func TestResultsAndThePickedRepositoryAreAskedForAtTheSameTime(t *testing.T) {
	// Each side answers only once the other was asked.
	asked := map[string]chan struct{}{"search": make(chan struct{}, 9), "tags": make(chan struct{}, 9)}
	meet := func(own, other string, h http.Handler) http.Handler {
		var once atomic.Bool
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if once.CompareAndSwap(false, true) {
				close(asked[own])
				select {
				case <-asked[other]:
				case <-r.Context().Done():
					return
				}
			}
			h.ServeHTTP(w, r)
		})
	}
	reg, err := pages.Samples()
	if err != nil {
		t.Fatal(err)
	}
	list := hubAnd()
	list[0].service, list[0].registry = meet("search", "tags", list[0].service), meet("tags", "search", reg)
	s := newSearched(t, list)
	begin := time.Now()
	page := s.Get("/search?q=ubuntu&repo=ubuntu")
	if took := time.Since(begin); took >= searchpages.SearchDeadline {
		t.Errorf("one side waited for the other: %s", took)
	}
	page.Is(t, http.StatusOK, `aria-current="true"`, "22.04")
}
