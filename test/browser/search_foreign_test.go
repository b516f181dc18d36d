package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stowage/stowage/test/shelf"
)

// TestAPageOfAnotherSiteMakesTheServerAskNobody has Chromium show a page of another site that does what such a page
// can without anybody's click.
func TestAPageOfAnotherSiteMakesTheServerAskNobody(t *testing.T) {
	t.Parallel()
	h, u := shelf.DockerHub(t, "library/nginx:latest"), shelf.RealUpstream(t)
	u.Library(t, "library/nginx", "1.27-alpine")
	s := shelf.Start(t, shelf.ListRegistries(t, h.Listed()), "--log-level=debug") // tells of every request
	addresses := append(shelf.Asking("nginx", "latest"), shelf.Asking(u.Ref("library/nginx"), "1.27-alpine")...)
	addresses = append(addresses, "/search/box?q=nginx", "/search/box?q=nginx&registries=1")

	for _, site := range []string{"localhost", "127.0.0.1"} { // another site, and a neighbour on another port
		t.Run(site, func(t *testing.T) {
			evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				if at := r.URL.Query().Get("then"); at != "" { // the window goes there by itself
					fmt.Fprintf(w, `<!DOCTYPE html><script>location.href = %q</script>`, s.URL+at)
					return
				}
				fmt.Fprint(w, "<!DOCTYPE html><title>Elsewhere</title>")
				for i, at := range addresses {
					at = fmt.Sprintf("%s%s&n=%d", s.URL, strings.ReplaceAll(at, "&", "&amp;"), i+1) // which the log has
					fmt.Fprintf(w, `<img src="%[1]s1"><iframe src="%[1]s2"></iframe><script src="%[1]s3"></script><link rel="stylesheet" href="%[1]s4">`, at)
				}
			}))
			t.Cleanup(evil.Close)
			at := strings.Replace(evil.URL, "127.0.0.1", site, 1)
			b := OpenElsewhere(t, strings.TrimPrefix(at, "http://"))
			b.Open("/")
			for i := range addresses {
				for by, what := range []string{"image", "frame", "script", "style"} {
					n := regexp.MustCompile(fmt.Sprintf(`"path":"[^"]*[?&;6]n=%d%d["\\&]`, i+1, by+1))
					if _, err := s.AwaitLine(n.MatchString); err != nil {
						t.Fatalf("the browser did not ask for %s by its %s: %v", addresses[i], what, err)
					}
				}
			}
			for _, address := range addresses {
				b.Open("/?then=" + url.QueryEscape(address))
				want := strings.SplitN(address, "?", 2)[0]
				if want == "/search/box" {
					want = "/search" // it leads on to the page
				}
				shelf.Eventually(t, "the window to come to "+address, func() bool {
					at, err := Evaluate[string](b, `location.origin + location.pathname + document.readyState`)
					return err == nil && at == s.URL+want+"complete"
				})
			}
			if n := shelf.Asked(h.Search, h.Registry, u); n != 0 {
				t.Errorf("%d requests, such as %+v", n,
					append(append(h.Search.Requests(), h.Registry.Requests()...), u.Requests()...)[0])
			}
		})
	}

	// Somebody's click on a link there is another matter.
	held := s.Send(http.MethodGet, "/search?q=nginx", nil,
		map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"})
	held.Says(http.StatusOK, "Not searched yet", "nothing has been asked of any registry yet")
	clicked := s.Send(http.MethodGet, "/search?q=nginx", nil, map[string]string{
		"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-User": "?1",
	})
	if clicked.Says(http.StatusOK, "results"); len(clicked.Results()) == 0 ||
		h.Search.Count(http.MethodGet, "/search/") == 0 {
		t.Errorf("a click on a link elsewhere finds nothing: %s", clicked.Text())
	}
}
