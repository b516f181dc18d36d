package search_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/pages"
	views "github.com/stowage/stowage/views/search"
)

func TestHtmxGetsTheResultsAloneAndTheAddressToKeep(t *testing.T) {
	s := newSearched(t, hubAnd(quay()))
	part := s.results("/search?q=postgres&registry=docker.io&stars=&limit=")
	part.Is(t, http.StatusOK, `<section id="search-results"`, "25 of 47 results", `role="status"`)
	part.Lacks(t, "<html", "<h1", `id="search-picker"`)
	if got := part.Header.Get("HX-Replace-Url"); got != "/search?q=postgres&registry=docker.io" {
		t.Errorf("typing leaves the address %q", got)
	}
	page := s.part("/search?q=postgres&registry=docker.io&page=2", views.SearchResultsID, "a", "/search?q=postgres&registry=docker.io")
	if push, swap := page.Header.Get("HX-Push-Url"), page.Header.Get("HX-Reswap"); !strings.HasSuffix(push, "&page=2") || swap != "outerMorph show:top" {
		t.Errorf("another page is pushed as %q and swapped by %q", push, swap)
	}
	poll := s.part("/search?q=postgres&again=3", views.SearchResultsID, "i", "/search?q=postgres")
	if poll.Header.Get("HX-Push-Url")+poll.Header.Get("HX-Replace-Url") != "" {
		t.Errorf("asking again changes the address: %v", poll.Header)
	}
}

func TestWhatIsPickedStaysWhileSomebodyTypes(t *testing.T) {
	s := newSearched(t, hubAnd())
	part := s.part("/search?q=redis", views.SearchResultsID, "form#search-form", "/search?q=postgres&repo=redis&match=7&tag=7.2")
	part.Is(t, http.StatusOK, `aria-current="true"`)
	if got := part.Header.Get("HX-Replace-Url"); got != "/search?q=redis&repo=redis&match=7&tag=7.2" {
		t.Errorf("the address became %q", got)
	}
}

func TestAPickIsMarkedAmongTheResults(t *testing.T) {
	reg, err := pages.Samples()
	if err != nil {
		t.Fatal(err)
	}
	list := hubAnd()
	list[0].registry = reg
	s := newSearched(t, list)
	row := s.Get("/search?q=ubuntu")
	row.Is(t, http.StatusOK, `hx-target:inherited="#search-picker"`, `data-no-pick`, `href="/search?q=ubuntu&amp;repo=ubuntu"`)
	// The link was written before the words were typed on: those in the box hold.
	part := s.part("/search?q=ubu&repo=ubuntu", views.SearchPickerID, "a#hit-1", "/search?q=ubuntu&sort=name&repo=postgres")
	part.Is(t, http.StatusOK, `<section id="search-picker"`, "22.04", "<hx-partial", `aria-current="true"`, `href="/search?q=ubuntu&amp;sort=name&amp;repo=ubuntu"`, `href="/search?q=ubuntu&amp;sort=name&amp;repo=postgres"`)
	part.Lacks(t, "<html", `id="search-results"`)
	if n := strings.Count(part.Body, "<hx-partial"); n != 2 {
		t.Errorf("%d marks are moved", n)
	}
	if got := part.Header.Get("HX-Push-Url"); got != "/search?q=ubuntu&sort=name&repo=ubuntu" {
		t.Errorf("the address became %q", got)
	}
	back := s.part("/search?q=ubuntu", views.SearchPickerID, "a#search-back", "/search?q=ubuntu&repo=ubuntu")
	back.Is(t, http.StatusOK, "data-no-pick", "From here to a stored image", "<hx-partial")
	back.Lacks(t, "aria-current")
}

func TestAReferenceLeadsToWhereItBelongs(t *testing.T) {
	s := newSearched(t, hubAnd())
	s.Pull("postgres:15")
	before := s.asked.Load()
	for text, to := range map[string]string{
		"ubuntu:22.04": "/pull?ref=ubuntu:22.04", "ghcr.io/acme/api:9": "/pull?ref=ghcr.io/acme/api:9", "docker+pull+redis:7": "/pull?ref=redis:7",
		"postgres:15": "/images/docker.io/library/postgres:15",
	} {
		page := s.Get("/search?q=" + text)
		if got := page.Header.Get("Location"); page.Status != http.StatusFound || got != to {
			t.Errorf("%s: %d to %q, want %q", text, page.Status, got, to)
		}
		typed := s.results("/search?q=" + text)
		typed.Is(t, http.StatusOK, `href="`+to+`"`, "data-row-link")
		if typed.Header.Get("HX-Redirect") != "" {
			t.Errorf("%s: typing leads away", text)
		}
		entered := s.results("/search?go=1&q=" + text)
		if got := entered.Header.Get("HX-Redirect"); got != to {
			t.Errorf("%s: Enter leads to %q, want %q", text, got, to)
		}
	}
	s.results("/search?q=postgres:15").Is(t, http.StatusOK, "is stored here", "Open it")
	s.results("/search?q=postgres:99").Is(t, http.StatusOK, "is an image reference", "Show its platforms")
	if n := s.asked.Load(); n != before {
		t.Errorf("registries were asked %d times for references", n-before)
	}
}

func TestAWrongReferenceIsExplainedAndSearchedForAllTheSame(t *testing.T) {
	s := newSearched(t, hubAnd())
	before := s.asked.Load()
	s.Get("/search?q=postgres:-15").Is(t, http.StatusOK, "is not an image reference", "A tag is made of letters")
	if s.asked.Load() == before {
		t.Error("nobody was asked")
	}
}

func TestALinkOfAnotherSiteAsksNothing(t *testing.T) {
	s := newSearched(t, hubAnd())
	page := s.Get("/search?q=postgres&repo=postgres", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe")
	page.Is(t, http.StatusOK, `name="q" value="postgres"`, "Not searched yet", `href="/search?q=postgres&amp;repo=postgres"`)
	page.Golden(t, "search-held")
	s.Get("/search?q=ubuntu:22.04", "Sec-Fetch-Site", "cross-site").Is(t, http.StatusOK, "Not searched yet")
	if n := s.asked.Load(); n != 0 {
		t.Errorf("%d requests", n)
	}
	s.Get("/search?q=postgres", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-User", "?1").Is(t, http.StatusOK, "25 of 47 results")
}

func TestABadSearchAddressIsRefusedAndNamesThePart(t *testing.T) {
	s := newSearched(t, hubAnd())
	for query, part := range map[string]string{
		"q=" + strings.Repeat("a", 601): "(q)", "registry=nosuch.example.com": "(registry)", "registry=" + strings.Repeat("a", 300): "(registry)",
		"official=yes": "(official)", "sort=size": "(sort)", "sort=-stars": "(sort)", "stars=-1": "(stars)", "stars=many": "(stars)", "stars=1e3": "(stars)",
		"limit=0": "(limit)", "limit=101": "(limit)", "page=0": "(page)", "page=99999999999999999999": "(page)", "repo=Postgres": "Postgres", "repo=postgres:15": "(repo)",
		"repo=postgres&tags=0": "(tags)", "repo=postgres&tag=a/b": "(tag)", "repo=postgres&match=" + strings.Repeat("a", 601): "(match)", "repo=https://x/y": "https://x/y",
	} {
		s.Get("/search?"+query).Is(t, http.StatusBadRequest, part)
	}
	if n := s.asked.Load(); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestASearchHasOneAddress(t *testing.T) {
	s := newSearched(t, hubAnd(quay()))
	for said, short := range map[string]string{
		"/search?q=&registry=&stars=&limit=&go=1": "/search", "/search?q=+redis+&official=0&stars=0&page=1": "/search?q=redis",
		"/search?repo=docker.io/library/redis&q=a": "/search?q=a&repo=redis", "/search?q=a&match=x&tag=y": "/search?q=a",
		"/search?q=a&page=3": "/search?q=a", "/search?q=a&q=b": "/search?q=a", "/search?registry=quay.io&sort=&q=a&page=2&page=3": "/search?q=a&registry=quay.io&page=2",
	} {
		page := s.Get(said)
		if got := page.Header.Get("Location"); page.Status != http.StatusFound || got != short {
			t.Errorf("%s: %d to %q, want %q", said, page.Status, got, short)
		}
	}
}

func TestHostileSearchResultsStayText(t *testing.T) {
	found := []fake.Found{{
		Repository: "acme/hostile", Description: "<script>alert(1)</script> \u202egnp.exe\x1b[31m \"><img src=x>" + strings.Repeat("W", 5000), Stars: 1 << 60, Pulls: 1 << 62,
	}}
	list := hubAnd()
	list[0] = hubOf(found)
	s := newSearched(t, list)
	page := s.Get("/search?q=hostile")
	page.Is(t, http.StatusOK, "&lt;script&gt;alert(1)")
	page.Lacks(t, "<script>alert", "<img", "\u202e", "\x1b", strings.Repeat("W", 700))
	page = s.Get("/search?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E+%E2%80%AEx")
	page.Is(t, http.StatusOK, "&lt;script&gt;alert(1)", `\u202e`)
	page.Lacks(t, "<script>alert")
}

func TestTheSearchPageIsInKorean(t *testing.T) {
	s := newSearched(t, hubAnd(quay()))
	for path, texts := range map[string][]string{
		"/search": {"이미지 찾기", "모든 레지스트리"}, "/search?q=postgres&registry=docker.io": {"결과 47개 중 25개", "공식", "다운로드 100억+"},
		"/search?q=nosuchthing": {"“nosuchthing” 검색 결과가 없습니다"},
	} {
		s.Get(path, "Accept-Language", "ko").Is(t, http.StatusOK, append(texts, `<html lang="ko"`)...)
	}
	s.Get("/search?q=postgres", "Accept-Language", "ko").Golden(t, "search-korean")
	s.Get("/search?stars=many", "Accept-Language", "ko").Is(t, http.StatusBadRequest, "사이의 숫자가 아닙니다(stars)")
}

func TestAHundredResultsAreAPageUnder100kB(t *testing.T) {
	var found []fake.Found
	for i := range 300 {
		found = append(found, fake.Found{Repository: "organisation" + strings.Repeat("x", i%20) + "/postgres-" + strings.Repeat("y", i/20) + "z", Description: strings.Repeat("d", 100), Stars: int64(i) * 997, Pulls: int64(i) * 1_000_003})
	}
	list := hubAnd()
	list[0] = hubOf(found)
	s := newSearched(t, list)
	page := s.Get("/search?q=postgres&limit=100")
	page.Is(t, http.StatusOK, "100 of 300 results")
	if n := len(page.Body); n >= 100_000 {
		t.Errorf("%d bytes", n)
	}
}

func TestACatalogThatIsNotReadToTheEndSaysSo(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	defer close(hold)
	s := newSearched(t, hubAnd(answering("big.example.com", registry.SearchCatalog, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v2/":
		case r.URL.Query().Get("last") != "":
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		default:
			w.Header().Set("Link", `</v2/_catalog?last=team%2Fredis&n=1000>; rel="next"`)
			_, _ = w.Write([]byte(`{"repositories":["team/postgres","team/redis"]}`))
		}
	})))
	page := s.results("/search?q=postgres&registry=big.example.com")
	page.Is(t, http.StatusOK, "big.example.com/", "still being read: 2 names so far", "data-poll")
	last := s.results("/search?q=postgres&registry=big.example.com&again=20")
	last.Is(t, http.StatusOK, "still being read: 2 names so far", "Load again")
	last.Lacks(t, "data-poll")
}
