package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/stowage/stowage/sample"
)

// asking are addresses of a server that make it ask registries: those of ref and of its repository.
func asking(repository, tag string) []string {
	r := url.QueryEscape(repository)
	return []string{
		"/search?q=nginx", "/search?q=redis&official=1&stars=1", "/search?repo=" + r, "/search?repo=" + r + "&tag=" + tag, "/search?q=nginx&repo=" + r + "&match=1",
		"/pull?ref=" + r + ":" + tag, "/pull?ref=" + r + "&all=1",
	}
}

// asked counts what registries and search services were asked.
func asked(all ...*upstream) (n int) {
	for _, u := range all {
		n += len(u.Requests())
	}
	return n
}

// TestAPageOfAnotherSiteMakesTheServerAskNobody has Chromium show a page of another site that does what such a page
// can without anybody's click.
func TestAPageOfAnotherSiteMakesTheServerAskNobody(t *testing.T) {
	t.Parallel()
	h, u := dockerHub(t, "library/nginx:latest"), realUpstream(t)
	u.library(t, "library/nginx", "1.27-alpine")
	s := startStowage(t, listRegistries(t, h.listed()), "--log-level=debug") // tells of every request
	addresses := append(asking("nginx", "latest"), asking(u.ref("library/nginx"), "1.27-alpine")...)
	addresses = append(addresses, "/search/box?q=nginx", "/search/box?q=nginx&registries=1")

	browser, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	for _, site := range []string{"localhost", "127.0.0.1"} { // another site, and a neighbour on another port
		t.Run(site, func(t *testing.T) {
			evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				if at := r.URL.Query().Get("then"); at != "" { // the window goes there by itself
					fmt.Fprintf(w, `<!DOCTYPE html><script>location.href = %q</script>`, s.url+at)
					return
				}
				fmt.Fprint(w, "<!DOCTYPE html><title>Elsewhere</title>")
				for i, at := range addresses {
					at = fmt.Sprintf("%s%s&n=%d", s.url, strings.ReplaceAll(at, "&", "&amp;"), i+1) // which the log has
					fmt.Fprintf(w, `<img src="%[1]s1"><iframe src="%[1]s2"></iframe><script src="%[1]s3"></script><link rel="stylesheet" href="%[1]s4">`, at)
				}
			}))
			t.Cleanup(evil.Close)
			at := strings.Replace(evil.URL, "127.0.0.1", site, 1)
			ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
			t.Cleanup(cancel)
			b := &tab{t: t, ctx: ctx, own: strings.TrimPrefix(at, "http://")}
			if err := chromedp.Do(b.ctx, chromedp.EmulateViewport(1280, 860)); err != nil { // opens it
				t.Fatal(err)
			}
			b.open("/")
			for i := range addresses {
				for by, what := range []string{"image", "frame", "script", "style"} {
					n := regexp.MustCompile(fmt.Sprintf(`"path":"[^"]*[?&;6]n=%d%d["\\&]`, i+1, by+1))
					if _, err := s.awaitLine(n.MatchString); err != nil {
						t.Fatalf("the browser did not ask for %s by its %s: %v", addresses[i], what, err)
					}
				}
			}
			for _, address := range addresses {
				b.open("/?then=" + url.QueryEscape(address))
				want := strings.SplitN(address, "?", 2)[0]
				if want == "/search/box" {
					want = "/search" // it leads on to the page
				}
				eventually(t, "the window to come to "+address, func() bool {
					at, err := evaluate[string](b, `location.origin + location.pathname + document.readyState`)
					return err == nil && at == s.url+want+"complete"
				})
			}
			if n := asked(h.search, h.registry, u); n != 0 {
				t.Errorf("%d requests, such as %+v", n, append(append(h.search.Requests(), h.registry.Requests()...), u.Requests()...)[0])
			}
		})
	}

	// Somebody's click on a link there is another matter.
	held := s.send(http.MethodGet, "/search?q=nginx", nil, map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"})
	held.says(http.StatusOK, "Not searched yet", "nothing has been asked of any registry yet")
	clicked := s.send(http.MethodGet, "/search?q=nginx", nil, map[string]string{
		"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-User": "?1",
	})
	if clicked.says(http.StatusOK, "results"); len(clicked.results()) == 0 || h.search.Count(http.MethodGet, "/search/") == 0 {
		t.Errorf("a click on a link elsewhere finds nothing: %s", clicked.text())
	}
}

// TestARequestOfAnotherSiteAsksNobodyWhateverItIsFor sends what browsers say of such requests, htmx's own included.
func TestARequestOfAnotherSiteAsksNobodyWhateverItIsFor(t *testing.T) {
	t.Parallel()
	h := dockerHub(t, "library/nginx:latest")
	quay := standIn(t, sample.Quay{Found: sample.QuayFound(), Tagged: h.tags}.Handler())
	s := startStowage(t, listRegistries(t, h.listed()), "--registry=quay.example="+quay.url())
	for _, site := range []string{"cross-site", "same-site"} {
		for _, address := range append(asking("nginx", "latest"), "/search/box?q=nginx&registries=1") {
			for _, part := range []string{"", "search-results", "search-picker", "search-tags", "search-offers", "survey", "box-options"} {
				header := map[string]string{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
				if part != "" {
					header["HX-Request"], header["HX-Request-Type"], header["HX-Target"] = "true", "partial", "div#"+part
				}
				if p := s.send(http.MethodGet, address, nil, header); p.status >= http.StatusInternalServerError {
					t.Errorf("%s for %s: %d", address, part, p.status)
				}
			}
		}
	}
	if n := asked(h.search, h.registry, quay); n != 0 {
		t.Errorf("%d requests to registries", n)
	}
	// The same of the server's own page asks.
	own := map[string]string{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "HX-Request": "true", "HX-Request-Type": "partial", "HX-Target": "div#search-results"}
	if s.send(http.MethodGet, "/search?q=nginx", nil, own); asked(h.search) == 0 || asked(quay) == 0 {
		t.Error("the server's own page finds nothing")
	}
}
