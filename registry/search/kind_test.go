package search

import (
	"context"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/test/outside"
)

// answers serves files of testdata by path; a path that ends in .html is a web page. What is not there gets 404.
func answers(t *testing.T, files map[string]string) http.HandlerFunc {
	t.Helper()
	bodies := map[string][]byte{}
	for path, file := range files {
		bodies[path] = testdata(t, file)
	}
	return func(w http.ResponseWriter, req *http.Request) {
		body, found := bodies[req.URL.EscapedPath()]
		switch {
		case !found:
			outside.ErrorBody(w, http.StatusNotFound, "NOT_FOUND", "")
			return
		case strings.HasSuffix(files[req.URL.EscapedPath()], ".html"):
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
		default:
			w.Header().Set("Content-Type", "application/json")
		}
		_, _ = w.Write(body)
	}
}

func testdata(t testing.TB, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestMain(m *testing.M) { outside.Main(m) }

// client makes a client that searches by a client of registries, without anybody's credentials unless opts has some.
func client(t testing.TB, opts registry.Options) *Client {
	t.Helper()
	if opts.DockerConfig == "" {
		opts.DockerConfig = t.TempDir()
	}
	opts.AllowPrivate = true // the servers of tests are on this machine
	c, err := registry.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return New(c, c.Outbound())
}

// searching makes a client of one listed registry.
func searching(t testing.TB, l registry.Entry) *Client {
	t.Helper()
	return client(t, registry.Options{Registries: []registry.Entry{l}})
}

// hubAt makes a client whose Docker Hub has its search at a host.
func hubAt(t testing.TB, host string) *Client {
	t.Helper()
	return searching(t, registry.Entry{Host: image.DockerHub, SearchURL: "http://" + host})
}

func mustSearch(t testing.TB, c *Client, host string, q Question) Hits {
	t.Helper()
	hits, err := c.Search(t.Context(), host, q)
	if err != nil {
		t.Fatal(err)
	}
	return hits
}

func foundNames(hits Hits) []string {
	all := make([]string, 0, len(hits.Hits))
	for _, h := range hits.Hits {
		all = append(all, string(h.Repository))
	}
	return all
}

// wantNames fails the test unless the results are these, in this order.
func wantNames(t *testing.T, hits Hits, want ...string) {
	t.Helper()
	if got := foundNames(hits); !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

func TestSearchKindsAreFoundOutByAsking(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		want  registry.SearchKind
	}{
		"harbor": {map[string]string{"/api/v2.0/search": "harbor_search.json"}, registry.SearchHarbor},
		"quay": {map[string]string{"/api/v1/find/repositories": "quay_find.json", "/v1/search": "v1_search_bare.json"},
			registry.SearchQuay},
		"v1":      {map[string]string{"/v1/search": "v1_search_bare.json"}, registry.SearchV1},
		"catalog": {map[string]string{"/v2/_catalog": "catalog_1.json"}, registry.SearchCatalog},
		"web pages": {map[string]string{
			"/api/v2.0/search": "error.html", "/api/v1/find/repositories": "error.html", "/v1/search": "error.html",
			"/v2/_catalog": "catalog_1.json",
		}, registry.SearchCatalog},
		"the JSON of others": {map[string]string{
			"/api/v2.0/search": "catalog_1.json", "/api/v1/find/repositories": "hub_429.json",
			"/v1/search": "v1_search_bare.json",
		}, registry.SearchV1},
	} {
		t.Run(name, func(t *testing.T) {
			rec, host := outside.Server(t, answers(t, tt.files))
			c := client(t, registry.Options{})
			if hits := mustSearch(t, c, host, Question{Text: "nginx"}); hits.Kind != tt.want {
				t.Fatalf("kind is %q, want %q", hits.Kind, tt.want)
			}
			before := len(rec.Requests())
			mustSearch(t, c, host, Question{Text: "other"})
			if more := len(rec.Requests()) - before; more > 1 {
				t.Errorf("a second search took %d requests: the kind is not remembered", more)
			}
		})
	}
}

func TestARegistryWithoutSearchAndCatalogSaysWhatToDo(t *testing.T) {
	for name, catalogAnswer := range map[string]http.HandlerFunc{
		"not found":   func(w http.ResponseWriter, _ *http.Request) { outside.ErrorBody(w, 404, "NOT_FOUND", "") },
		"unsupported": func(w http.ResponseWriter, _ *http.Request) { outside.ErrorBody(w, 405, "UNSUPPORTED", "off") },
		"web page":    answers(t, map[string]string{"/v2/_catalog": "error.html"}),
		"wrong JSON":  answers(t, map[string]string{"/v2/_catalog": "hub_429.json"}),
	} {
		t.Run(name, func(t *testing.T) {
			rec, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
				if req.URL.Path == "/v2/_catalog" {
					catalogAnswer(w, req)
					return
				}
				outside.ErrorBody(w, http.StatusNotFound, "NOT_FOUND", "")
			})
			c := client(t, registry.Options{})
			_, err := c.Search(t.Context(), host, Question{Text: "nginx"})
			outside.WantKind(t, err, image.NotFound, "no search", "catalog is switched off", host+"/NAME")
			before := len(rec.Requests())
			_, err = c.Search(t.Context(), host, Question{Text: "other"})
			outside.WantKind(t, err, image.NotFound, host)
			if len(rec.Requests()) != before {
				t.Error("it was asked again although there is nothing to find")
			}
		})
	}
}

func TestACatalogThatWantsASignIn(t *testing.T) {
	rec, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) { outside.ErrorBody(w, http.StatusForbidden, "DENIED", "") })
	c := client(t, registry.Options{})
	_, err := c.Search(t.Context(), host, Question{Text: "nginx"})
	outside.WantKind(t, err, image.Unauthorized, host, "docker login "+host, host+"/NAME")
	before := len(rec.Requests())
	_, err = c.Search(t.Context(), host, Question{Text: "other"})
	outside.WantKind(t, err, image.Unauthorized, host)
	if more := len(rec.Requests()) - before; more > 2 { // the catalog, after a challenge too
		t.Errorf("a second search took %d requests: that it has no other search is not remembered", more)
	}
	_, err = client(t, registry.Options{Registries: []registry.Entry{{Host: host, Credentials: "team.test"}}}).
		Search(t.Context(), host, Question{Text: "nginx"})
	outside.WantKind(t, err, image.Unauthorized, "docker login team.test")
}

func TestDetailsOfTagsReadNoCatalog(t *testing.T) {
	rec, host := outside.Server(t, catalogOf([]string{"app"}, 1000))
	c := client(t, registry.Options{})
	if details, err := c.TagDetails(t.Context(), image.Repository(host+"/app"), ""); err != nil || len(details) != 0 {
		t.Errorf("details are %v, %v", details, err)
	}
	if c.catalogs.peek(host) != nil || rec.Count(catalogPath) != 0 {
		t.Error("whoever opens a repository has its registry's catalog read")
	}
}

func TestARegistryOutOfReachIsAskedAgain(t *testing.T) {
	_, host := outside.Server(t, answers(t, map[string]string{"/v1/search": "v1_search_bare.json"}))
	addresses := map[string]string{}
	var mu sync.Mutex
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		known := maps.Clone(addresses)
		mu.Unlock()
		return outside.DialTo(known)(nil)(ctx, network, address)
	}
	c := client(t, registry.Options{Dial: outside.Dial(nil, dial),
		Registries: []registry.Entry{{Host: "registry.test", TLS: outbound.TLSOff}}})
	_, err := c.Search(t.Context(), "registry.test", Question{Text: "nginx"})
	outside.WantKind(t, err, image.Unavailable, "registry.test")
	mu.Lock()
	addresses["registry.test:80"] = host
	mu.Unlock()
	if hits := mustSearch(t, c, "registry.test", Question{Text: "nginx"}); hits.Kind != registry.SearchV1 ||
		len(hits.Hits) != 3 {
		t.Errorf("after it came back: %+v", hits)
	}
}

func TestAKindThatStopsWorkingIsFoundOutAgain(t *testing.T) {
	var mu sync.Mutex
	files := map[string]string{"/v1/search": "v1_search_bare.json"}
	_, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		now := maps.Clone(files)
		mu.Unlock()
		answers(t, now)(w, req)
	})
	c := client(t, registry.Options{})
	if hits := mustSearch(t, c, host, Question{Text: "postgres"}); hits.Kind != registry.SearchV1 {
		t.Fatalf("kind is %q", hits.Kind)
	}
	mu.Lock()
	files = map[string]string{"/v1/search": "error.html", "/api/v2.0/search": "harbor_search.json"}
	mu.Unlock()
	if hits := mustSearch(t, c, host, Question{Text: "nginx"}); hits.Kind != registry.SearchHarbor {
		t.Errorf("kind is %q", hits.Kind)
	}
}

func TestTheConfiguredKindIsTheOneThatIsAsked(t *testing.T) {
	rec, host := outside.Server(t, answers(t,
		map[string]string{"/api/v2.0/search": "harbor_search.json", "/v2/_catalog": "catalog_1.json"}))
	c := searching(t, registry.Entry{Host: host, Search: registry.SearchCatalog})
	if hits := mustSearch(t, c, host, Question{Text: "nginx"}); hits.Kind != registry.SearchCatalog {
		t.Errorf("kind is %q", hits.Kind)
	}
	if n := rec.Count("/api/v2.0/search"); n != 0 {
		t.Error("another service was asked")
	}
	_, err := searching(t, registry.Entry{Host: host, Search: registry.SearchOff}).
		Search(t.Context(), host, Question{Text: "nginx"})
	outside.WantKind(t, err, image.NotFound, "switched off", host+"/NAME")
	_, err = searching(t, registry.Entry{Host: host, Search: registry.SearchQuay}).
		Search(t.Context(), host, Question{Text: "nginx"})
	outside.WantKind(t, err, image.Unavailable, host, "kind of search", "configuration")
}
