package browser

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stowage/stowage/test/shelf"
)

// shelves starts a server that mirrors h on loopback and one on the network, and gives the addresses at which browsers
// reach them: the latter also by a number of this machine, where it has one on a network.
func shelves(t *testing.T, h *shelf.Hub) (servers []*shelf.Server, hosts [][]string) {
	t.Helper()
	list := shelf.ListRegistries(t, h.Listed())
	local := shelf.Start(t, list, "--mirror=docker.io", "--log-level=debug")
	network := shelf.Start(t, list, "--mirror=docker.io", "--log-level=debug", "--listen=0.0.0.0:0", "--auth=none",
		"--host="+shelfName)
	_, port, _ := net.SplitHostPort(network.Host())
	at := []string{net.JoinHostPort(shelfName, port)}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			at = append(at, net.JoinHostPort(n.IP.String(), port))
			break
		}
	}
	return []*shelf.Server{local, network}, [][]string{{local.Host()}, at}
}

// TestAReboundNameReadsAndDoesNothing has Chromium show a page whose name leads to the server itself.
func TestAReboundNameReadsAndDoesNothing(t *testing.T) {
	t.Parallel()
	h := shelf.DockerHub(t, "library/nginx:latest")
	servers, _ := shelves(t, h)
	for _, s := range servers {
		_, port, _ := net.SplitHostPort(s.Host())
		b := OpenElsewhere(t, net.JoinHostPort(elsewhereName, port))
		b.Open("/images")
		if text := b.Text("body"); !strings.Contains(text, "421") || !strings.Contains(text, "--host "+elsewhereName) {
			t.Errorf("%s shows %q", s.URL, text)
		}
		for _, script := range []string{
			`fetch("/images")`, `fetch("/images", {headers: {Accept: "text/plain"}})`,
			`fetch("/v2/library/nginx/manifests/latest")`, `fetch("/v2/_catalog")`,
			`fetch("/search?q=nginx")`, `fetch("/pull?ref=nginx")`, `fetch("/static/app.css")`,
			`fetch("/pulls", {method: "POST", body: new URLSearchParams({ref: "nginx:latest"})})`,
			`fetch("/archives", {method: "PUT", body: "x"})`,
		} {
			if status, err := Evaluate[int](b, script+`.then((r) => r.status)`); err != nil ||
				status != http.StatusMisdirectedRequest {
				t.Errorf("%s: %s answers %d, %v", s.URL, script, status, err)
			}
		}
		if n := shelf.Asked(h.Search, h.Registry); n != 0 {
			t.Errorf("%d requests to registries", n)
		}
		if p := s.Page("/pulls"); len(p.Links("/pulls/")) > 0 {
			t.Errorf("it made a pull: %s", p.Text())
		}
	}
}

// TestAPageElsewhereMakesNoMirrorFetch has Chromium show a page of another site with images and the like that are
// addresses of the registry API and of pages, with a Referer and without.
func TestAPageElsewhereMakesNoMirrorFetch(t *testing.T) {
	t.Parallel()
	h := shelf.DockerHub(t, "library/nginx:latest")
	servers, hosts := shelves(t, h)
	paths := []string{"/v2/library/nginx/manifests/latest?x", "/v2/library/nginx/manifests/latest?ns=docker.io",
		"/search?q=nginx", "/pull?ref=nginx:latest", "/pull?ref=nginx&all=1"}
	tags := []string{
		`<img src="%s">`, `<img referrerpolicy="no-referrer" src="%s">`, `<iframe src="%s"></iframe>`,
		`<iframe referrerpolicy="no-referrer" src="%s"></iframe>`,
		`<script src="%s"></script>`, `<link rel="stylesheet" href="%s">`,
		`<script>fetch("%s", {mode: "no-cors", credentials: "include", referrerPolicy: "no-referrer"})</script>`,
	}
	for i, s := range servers {
		for at, host := range hosts[i] {
			t.Run(host, func(t *testing.T) {
				first := (at + 1) * 1000
				evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", "text/html")
					fmt.Fprint(w, "<!DOCTYPE html><title>Elsewhere</title>")
					if to := r.URL.Query().Get("then"); to != "" {
						fmt.Fprintf(w, `<meta name="referrer" content="no-referrer"><script>location.href = %q</script>`, "http://"+
							host+to)
						return
					}
					for n, path := range paths {
						for m, tag := range tags {
							fmt.Fprintf(w, tag, fmt.Sprintf("http://%s%s&n=%d", host, path, first+n*100+m)) // which the log has
						}
					}
				}))
				t.Cleanup(evil.Close)
				// The person has been here before, in the same browser.
				b := OpenElsewhere(t, host)
				b.Open("/images")
				_, port, _ := net.SplitHostPort(strings.TrimPrefix(evil.URL, "http://"))
				b.own = net.JoinHostPort(elsewhereName, port)
				b.Open("/")
				for n := range paths {
					for m := range tags {
						line := regexp.MustCompile(fmt.Sprintf(`"path":"[^"]*[?&6]n=%d["\\&]`, first+n*100+m))
						if _, err := s.AwaitLine(line.MatchString); err != nil {
							t.Fatalf("the browser did not ask for %s by %s: %v", paths[n], tags[m], err)
						}
					}
				}
				for _, path := range paths[2:] { // the window goes there by itself
					b.Open("/?then=" + url.QueryEscape(path))
					want := strings.SplitN(path, "?", 2)[0]
					shelf.Eventually(t, "the window to come to "+path, func() bool {
						is, err := Evaluate[string](b, `location.host + location.pathname + document.readyState`)
						return err == nil && is == host+want+"complete"
					})
				}
				if n := shelf.Asked(h.Search, h.Registry); n != 0 {
					t.Errorf("%d requests to registries", n)
				}
				if p := s.Page("/pulls"); len(p.Links("/pulls/")) > 0 {
					t.Errorf("it made a pull: %s", p.Text())
				}
			})
		}
	}
}

// TestAPastedLinkIsGoodOnAPlainAddressToo opens an address that asks registries as the first one on a server of which
// browsers tell no site: a click away, and from then on at once.
func TestAPastedLinkIsGoodOnAPlainAddressToo(t *testing.T) {
	t.Parallel()
	h := shelf.DockerHub(t, "library/nginx:latest")
	_, hosts := shelves(t, h)
	for _, host := range hosts[1] {
		b := OpenElsewhere(t, host)
		b.Open("/search?q=nginx")
		if text := b.Text("#search-results"); !strings.Contains(text, "Not searched yet") {
			t.Errorf("%s: the first address shows %q", host, text)
		}
		b.Click(`#search-results a.btn-primary`)
		b.See(`#search-results [data-row]`)
		b.Open("/pull?ref=nginx:latest")
		b.See(`form[action="/pulls"] button`)

		// The form of a first visit works as well.
		b = OpenElsewhere(t, host)
		b.Open("/pull?ref=nginx:latest")
		if text := b.Text("main"); !strings.Contains(text, "nothing has been looked up yet") {
			t.Errorf("%s: the first address shows %q", host, text)
		}
		b.Click(`main form[action="/pull"] button`)
		b.See(`form[action="/pulls"] button`)
	}
	// On this machine browsers say that somebody typed it.
	b := OpenElsewhere(t, hosts[0][0])
	b.Open("/search?q=nginx")
	b.See(`#search-results [data-row]`)
}
