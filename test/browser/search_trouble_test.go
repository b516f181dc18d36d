package browser

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/shelf"
)

// besideQuay is a server that searches Docker Hub and a Quay.
func besideQuay(t *testing.T) (*shelf.Server, *shelf.Hub, *shelf.Upstream) {
	t.Helper()
	h := shelf.DockerHub(t, "library/nginx:latest")
	quay := shelf.StandIn(t, fake.Quay{Found: fake.QuayFound(), Tagged: h.Tags}.Handler())
	return shelf.Start(t, shelf.ListRegistries(t, h.Listed(), registry.Entry{
		Host: "quay.example", Label: "Our Quay", Address: quay.Host, TLS: outbound.TLSOff, Search: registry.SearchQuay,
	})), h, quay
}

// The results of one registry among those of several, and one of them.
const (
	hubGroup  = `#search-results section[aria-label="Docker Hub"]`
	quayGroup = `#search-results section[aria-label="Our Quay"]`
	anyHit    = ` a[data-row-link]`
)

func TestASearchServiceInTroubleHasItsOwnWordsBesideTheResultsOfOthers(t *testing.T) {
	t.Parallel()
	until := time.Now().Add(2 * time.Hour).UTC().Truncate(time.Second)
	for _, c := range []struct {
		name  string
		fault fake.Fault
		want  []string
	}{
		{"a web page", fake.HTML(), []string{"no results", "docker.io answers a search with a web page", "a sign-in page may stand in front of it"}},
		{"a web page as an error", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusBadGateway)
			_, _ = w.Write([]byte("<html><body><h1>502 Bad Gateway</h1><script>alert(1)</script></body></html>"))
		}, []string{"no results", "The search of docker.io does not work now: it answers 502 Bad Gateway"}},
		{"429 with a date", fake.TooManyRequests(until.Format(http.TimeFormat)), []string{
			"rate limited", "docker.io allows no more searches until " + until.Format("2006-01-02 15:04:05 MST"), "pulling does not need the search",
		}},
		{"429 with seconds", fake.TooManyRequests("600"), []string{"rate limited", "docker.io allows no more searches until 20"}},
		{"a dropped connection", fake.CloseAfter(20), []string{"no results", "docker.io closed the connection half-way"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, h, _ := besideQuay(t)
			b := Open(t, s)
			h.Search.On(fake.Any, c.fault)
			b.Open("/search")
			b.Click("#search-query")
			b.Press("nginx")
			b.See(quayGroup + anyHit)
			text := b.Text(hubGroup)
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("it does not say %q but %q", want, text)
				}
			}
			if strings.Contains(text, "alert") || strings.Contains(text, "<") {
				t.Errorf("markup of the service reaches the page: %s", text)
			}
			if text := b.Text("#search-results [role=status]"); !strings.Contains(text, "from 1 registry") {
				t.Errorf("the results are summed up as %q", text)
			}
			h.Search.Reset()
			if strings.HasPrefix(c.name, "429") { // it is not asked again before its time
				before := len(h.Search.Requests())
				b.Click(hubGroup + ` a[href="/search?q=nginx"]`)
				b.Open("/search?q=redis")
				b.See(quayGroup + anyHit)
				if n := len(h.Search.Requests()) - before; n != 0 {
					t.Errorf("%d requests to a service that wants to be left alone", n)
				}
				return
			}
			b.Click(hubGroup + ` a[href="/search?q=nginx"]`) // Try again
			b.See(hubGroup + anyHit)
		})
	}
}

func TestWhereDockerHubsOwnSearchFailsTheV1SearchTakesItsPlace(t *testing.T) {
	t.Parallel()
	s, h, _ := besideQuay(t)
	b := Open(t, s)
	h.Search.On(func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/v2/search/") }, fake.HTML())
	b.Open("/search?q=nginx")
	if text := b.Text(hubGroup); !strings.Contains(text, "Official") || !strings.Contains(text, "20,911") || strings.Contains(text, "pulls") {
		t.Errorf("the v1 search's results, which have no pulls, are shown as %q", text)
	}
}

func TestASlowRegistryHoldsNoResultsUpAndIsAskedOnce(t *testing.T) {
	t.Parallel()
	s, h, quay := besideQuay(t)
	b := Open(t, s)
	hold := quay.Hold(fake.Searches, -1)
	b.Open("/search")
	b.Click("#search-query")
	b.Press("nginx")
	<-hold.Reached()
	// Quay hangs, now and until the release below: what is seen before it was not held up by it.
	b.See(hubGroup + anyHit)
	if text := b.Text(quayGroup); !strings.Contains(text, "still searching") || !strings.Contains(text, "appear here as soon as they come") {
		t.Errorf("the slow registry's place says %q", text)
	}
	b.Click(hubGroup + ` a[href$="repo=nginx"]`) // and what was found can be used
	b.See(tagLink, "latest")
	h.Search.Forget()
	hold.Release()
	b.See(quayGroup + anyHit)
	if n := quay.Count(http.MethodGet, "/find/repositories"); n != 1 {
		t.Errorf("the slow registry was asked %d times", n)
	}
	if n := h.Search.Count(http.MethodGet, "/search/"); n != 0 {
		t.Errorf("the others were asked %d times more", n)
	}
	b.See(tagLink, "latest") // the picked repository stays
	// With scripting off the same page is there, with a link to load it again.
	quay.Hold(fake.Searches, -1)
	off := Open(t, s)
	off.WithoutScripting()
	off.Open("/search?q=redis")
	off.See(hubGroup + anyHit)
	off.See(quayGroup + ` a[href="/search?q=redis"]`)
	quay.Reset()
	off.Click(quayGroup + ` a[href="/search?q=redis"]`)
	off.See(quayGroup + anyHit)
}

func TestTenLettersTypedQuicklyMakeAFewSearches(t *testing.T) {
	t.Parallel()
	s, h, quay := besideQuay(t)
	b := Open(t, s)
	for _, box := range []struct{ path, input, word, result string }{
		{"/search", "#search-query", "postgresql", hubGroup + anyHit},
		{"/images", "#box", "prometheus", "#box-hit-0"},
	} {
		b.Open(box.path)
		b.Click("%s", box.input)
		h.Search.Forget()
		quay.Forget()
		b.Press(box.word) // each letter as soon as the browser has taken the one before
		b.See("%s", box.result)
		for name, u := range map[string]*shelf.Upstream{"Docker Hub": h.Search, "Quay": quay} {
			asked := 0
			for _, r := range u.Requests() {
				if strings.Contains(r.Path, "/search/") || strings.Contains(r.Path, "/find/") {
					asked++
				}
			}
			if asked < 1 || asked > 3 {
				t.Errorf("ten letters in %s made %d searches of %s", box.input, asked, name)
			}
		}
	}
}
