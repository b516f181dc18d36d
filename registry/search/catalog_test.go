package search

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/olareg/olareg"
	"github.com/olareg/olareg/config"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/test/outside"
)

const catalogPath = "/v2/_catalog"

// catalogOf serves names in the pages that are asked for, as the distribution registry does.
func catalogOf(all []string, most int) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		q := req.URL.Query()
		n, err := strconv.Atoi(q.Get("n"))
		if err != nil {
			n = most
		}
		if n > most {
			outside.ErrorBody(w, http.StatusBadRequest, "PAGINATION_NUMBER_INVALID", "")
			return
		}
		from := 0
		if last := q.Get("last"); last != "" {
			at, found := slices.BinarySearch(all, last)
			if from = at; found {
				from++
			}
		}
		to := min(from+n, len(all))
		if to < len(all) {
			w.Header().Set("Link", fmt.Sprintf(`</v2/_catalog?last=%s&n=%d>; rel="next"`, all[to-1], n))
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = io.WriteString(w, `{"repositories":["`+strings.Join(all[from:to], `","`)+`"]}`)
	}
}

func manyNames(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("team-%03d/service-%05d", i%200, i)
	}
	slices.Sort(all)
	return all
}

func catalogAt(t testing.TB, host string) *Client {
	t.Helper()
	c := searching(t, registry.Entry{Host: host, Search: registry.SearchCatalog})
	c.catalogs.patience = time.Hour // however slow this machine is
	return c
}

func TestACatalogIsReadByItsLinksAndFiltered(t *testing.T) {
	for name, link := range map[string]string{
		"relative":        `</v2/_catalog?last=nginx>; rel="next"`,
		"absolute":        `<http://HOST/v2/_catalog?last=nginx>; rel="next"`,
		"an opaque token": `</v2/_catalog?last=nginx&token=abc%3D>; rel="next"`,
	} {
		t.Run(name, func(t *testing.T) {
			rec, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if req.URL.Query().Get("last") == "nginx" {
					_, _ = w.Write(testdata(t, "catalog_2.json"))
					return
				}
				w.Header().Set("Link", strings.ReplaceAll(link, "HOST", req.Host))
				_, _ = w.Write(testdata(t, "catalog_1.json"))
			})
			c := catalogAt(t, host)
			hits := mustSearch(t, c, host, Question{Text: "NGINX"})
			wantNames(t, hits, host+"/nginx", host+"/team/nginx", // exact
				host+"/acme/nginx-proxy", host+"/nginx-unit", // prefix
				host+"/zeta/my-nginx")
			if hits.Total != 5 || hits.More || hits.Partial || hits.Kind != registry.SearchCatalog || hits.Hits[0].Stars != -1 ||
				hits.Hits[0].Pulls != -1 {
				t.Errorf("answer is %+v", hits)
			}
			hits = mustSearch(t, c, host, Question{Text: "team nginx"})
			wantNames(t, hits, host+"/team/nginx")
			hits = mustSearch(t, c, host, Question{Text: host + "/acme/", Limit: 1, Page: 2})
			wantNames(t, hits, host+"/acme/web")
			if n := rec.Count(catalogPath); n != 2 {
				t.Errorf("%d requests", n)
			}
			if strings.Contains(link, "token") && rec.Last().URL.Query().Get("token") != "abc=" {
				t.Errorf("the link was not followed as it is: %s", rec.Last().URL)
			}
		})
	}
}

func TestACatalogOfTwentyThousandIsReadOnceAndHeldFlat(t *testing.T) {
	all := manyNames(20_000)
	rec, host := outside.Server(t, catalogOf(all, 1000))
	c := catalogAt(t, host)
	for _, text := range []string{"s", "se", "ser", "serv", "service-19999", "nothing"} {
		hits := mustSearch(t, c, host, Question{Text: text})
		want := map[string]int{"service-19999": 1, "nothing": 0}
		if n, special := want[text]; special && hits.Total != n || !special && hits.Total != len(all) {
			t.Errorf("%q: total is %d", text, hits.Total)
		}
		if len(hits.Hits) > defaultLimit {
			t.Errorf("%q: %d results on a page", text, len(hits.Hits))
		}
	}
	if n := rec.Count(catalogPath); n != 20 {
		t.Errorf("%d requests, want 20", n)
	}
	r := c.catalogs.peek(host)
	held := 0
	for _, list := range r.list.pages {
		held += len(list)
	}
	if bytes := len(strings.Join(all, "\n")) + 1; held != bytes || r.list.bytes != bytes || len(r.list.pages) != 20 {
		t.Errorf("%d bytes are held in %d pieces, the names have %d", held, len(r.list.pages), bytes)
	}
}

func TestACatalogIsReadAgainAfterAMinute(t *testing.T) {
	rec, host := outside.Server(t, catalogOf([]string{"a", "b"}, 1000))
	c := catalogAt(t, host)
	now := time.Now()
	c.catalogs.now = func() time.Time { return now }
	mustSearch(t, c, host, Question{})
	now = now.Add(catalogLife - time.Second)
	mustSearch(t, c, host, Question{})
	if n := rec.Count(catalogPath); n != 1 {
		t.Errorf("%d requests within a minute", n)
	}
	now = now.Add(2 * time.Second)
	mustSearch(t, c, host, Question{})
	if n := rec.Count(catalogPath); n != 2 {
		t.Errorf("%d requests after it", n)
	}
}

// halfHeld serves the first page at once and the second when it is let go.
func halfHeld(t *testing.T) (h *held, handler http.HandlerFunc) {
	h = hold(t)
	second := h.before(answers(t, map[string]string{catalogPath: "catalog_2.json"}))
	return h, func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Query().Has("last") {
			second(w, req)
			return
		}
		w.Header().Set("Link", `</v2/_catalog?last=nginx>; rel="next"`)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(testdata(t, "catalog_1.json"))
	}
}

func TestASlowCatalogGivesWhatThereIsAndIsReadOn(t *testing.T) {
	h, handler := halfHeld(t)
	rec, host := outside.Server(t, handler)
	c := catalogAt(t, host)
	c.catalogs.patience = 0
	r := c.catalogs.reading(host)
	<-r.first
	hits := mustSearch(t, c, host, Question{Text: "nginx"})
	wantNames(t, hits, host+"/nginx", host+"/acme/nginx-proxy")
	if first := len(r.state().pages); !hits.Partial || !hits.Reading || hits.Total != -1 || hits.Read != r.state().count ||
		first != 1 {
		t.Errorf("partial is %v, reading %v, total %d of %d names in %d pages", hits.Partial, hits.Reading, hits.Total,
			hits.Read, first)
	}
	if hits := mustSearch(t, c, host, Question{Text: "nginx", Sort: ByName}); !hits.Partial || !hits.Reading ||
		hits.Read != r.state().count || len(hits.Hits) != 2 {
		t.Errorf("in another order: %+v", hits)
	}
	c.catalogs.patience = time.Hour
	for _, q := range []Question{{Text: "nginx"}, {Text: "nginx", Sort: ByName}} {
		got := c.SearchAll(t.Context(), []string{host}, q, time.Millisecond)
		if got[0].Late || got[0].Err != nil || !got[0].Hits.Partial || !got[0].Hits.Reading || len(got[0].Hits.Hits) != 2 {
			t.Errorf("at the deadline: %+v", got[0])
		}
	}
	h.release()
	<-r.done
	if hits := mustSearch(t, c, host, Question{Text: "nginx"}); hits.Partial || hits.Reading || hits.Total != 5 ||
		hits.Read != r.state().count {
		t.Errorf("later there is %+v", hits)
	}
	if n := rec.Count(catalogPath); n != 2 {
		t.Errorf("%d requests", n)
	}
}

func TestAWholeCatalogServesWhileItIsReadAgain(t *testing.T) {
	h, handler := halfHeld(t)
	_, host := outside.Server(t, handler)
	c := catalogAt(t, host)
	now := time.Now()
	c.catalogs.now = func() time.Time { return now }
	old := c.catalogs.reading(host)
	h.release()
	<-old.done
	now = now.Add(2 * catalogLife)
	h.letGo = make(chan struct{})
	c.catalogs.patience = 0
	if hits := mustSearch(t, c, host, Question{Text: "nginx"}); hits.Partial || hits.Reading || hits.Total != 5 ||
		hits.Read != old.state().count {
		t.Errorf("while it is read again: %+v", hits)
	}
	h.release()
}

func TestCatalogsThatGoWrong(t *testing.T) {
	elsewhere, elsewhereHost := outside.Server(t, func(http.ResponseWriter, *http.Request) {})
	link := func(target string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "<"+target+`>; rel="next"`)
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"repositories":["a"]}`)
		}
	}
	for name, tt := range map[string]struct {
		h    http.HandlerFunc
		kind image.Kind
		text string
	}{
		"in a circle":  {link("/v2/_catalog?last=a"), image.Unavailable, "circle"},
		"elsewhere":    {link("http://" + elsewhereHost + "/v2/_catalog"), image.Unavailable, "circle"},
		"no link":      {link("%zz"), image.Unavailable, "no address"},
		"endless link": {link("/v2/_catalog?last=" + strings.Repeat("a", 8<<10)), image.Unavailable, "no address"},
		"server error": {func(w http.ResponseWriter, _ *http.Request) { outside.ErrorBody(w, 503, "", "") },
			image.Unavailable, "503"},
		"too large": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"repositories":["`+strings.Repeat("x", 4<<20)+`"]}`)
		}, image.TooLarge, "list of repositories"},
		"switched off": {func(w http.ResponseWriter, _ *http.Request) { outside.ErrorBody(w, 404, "", "") }, image.NotFound,
			"/NAME"},
		"rate limited": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "60")
			outside.ErrorBody(w, 429, "TOOMANYREQUESTS", "")
		}, image.RateLimited, "until"},
	} {
		t.Run(name, func(t *testing.T) {
			rec, host := outside.Server(t, tt.h)
			c := catalogAt(t, host)
			for range 3 {
				_, err := c.Search(t.Context(), host, Question{Text: "a"})
				outside.WantKind(t, err, tt.kind, host, tt.text)
			}
			if n := rec.Count(catalogPath); n > 2 {
				t.Errorf("asked %d times in a row", n)
			}
		})
	}
	if len(elsewhere.Requests()) != 0 {
		t.Error("the other host was asked")
	}
}

func TestCatalogsAreBounded(t *testing.T) {
	t.Run("pages", func(t *testing.T) {
		rec, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Link", fmt.Sprintf(`</v2/_catalog?last=%sx>; rel="next"`, req.URL.Query().Get("last")))
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"repositories":["a%d"]}`, len(req.URL.RawQuery))
		})
		c := catalogAt(t, host)
		<-c.catalogs.reading(host).done
		hits := mustSearch(t, c, host, Question{Text: "a"})
		if n := rec.Count(catalogPath); n != catalogPages || !hits.Partial || hits.Reading || hits.Total != -1 ||
			hits.Read < catalogPages/2 {
			t.Errorf("%d pages were read; %+v", n, hits)
		}
	})
	t.Run("bytes", func(t *testing.T) {
		long := make([]string, 4000)
		for i := range long {
			long[i] = fmt.Sprintf("PAGE/%0200d", i)
		}
		body := `{"repositories":["first","` + strings.Join(long, `","`) + `"]}`
		_, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
			last := req.URL.Query().Get("last")
			w.Header().Set("Link", fmt.Sprintf(`</v2/_catalog?last=%sx>; rel="next"`, last))
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, strings.ReplaceAll(body, "PAGE", fmt.Sprintf("a%02d", len(last))))
		})
		c := catalogAt(t, host)
		r := c.catalogs.reading(host)
		<-r.done
		if r.list.bytes > catalogBytes || r.list.bytes < catalogBytes/2 || r.list.err != nil || r.list.whole {
			t.Errorf("%d bytes are held; %v", r.list.bytes, r.list.err)
		}
	})
	t.Run("bytes of no use", func(t *testing.T) {
		body := `{"repositories":["first","` + strings.Repeat("A", 4<<20-100) + `"]}`
		rec, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Link", fmt.Sprintf(`</v2/_catalog?last=%sx>; rel="next"`, req.URL.Query().Get("last")))
			_, _ = io.WriteString(w, body)
		})
		c := catalogAt(t, host)
		r := c.catalogs.reading(host)
		<-r.done
		if n := rec.Count(catalogPath); n > catalogAnswers/(4<<20)+1 || r.list.err != nil || r.list.whole || r.state().
			count != 1 {
			t.Errorf("%d answers were read; %d names, %v", n, r.state().count, r.list.err)
		}
	})
	t.Run("together", func(t *testing.T) {
		cs := &catalogs{now: time.Now, byHost: map[string]*reading{}}
		now := time.Now()
		for i := range 3 * catalogsKept {
			cs.byHost[strconv.Itoa(i)] = &reading{list: nameList{bytes: 1 << 20}, ended: now, used: now.Add(time.Duration(i))}
		}
		cs.trim()
		if n := len(cs.byHost); n != catalogsBytes>>20 {
			t.Errorf("%d catalogs of a MiB are kept", n)
		}
		if cs.byHost[strconv.Itoa(3*catalogsKept-1)] == nil {
			t.Error("the one used last was dropped")
		}
	})
}

func TestACatalogThatGivesFewerAtATime(t *testing.T) {
	rec, host := outside.Server(t, catalogOf(manyNames(250), 100))
	hits := mustSearch(t, catalogAt(t, host), host, Question{Text: "service"})
	if hits.Total != 250 || rec.Count(catalogPath) != 4 {
		t.Errorf("total %d in %d requests", hits.Total, rec.Count(catalogPath))
	}
}

func TestACatalogThatEndsAsAPageWouldIsAskedForTheRest(t *testing.T) {
	all := manyNames(250)
	rec, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		rest := all
		if last := req.URL.Query().Get("last"); last != "" {
			rest = all[slices.Index(all, last)+1:]
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"repositories": rest[:min(100, len(rest))]})
	})
	hits := mustSearch(t, catalogAt(t, host), host, Question{Text: "service"})
	if hits.Total != 250 || hits.Partial || rec.Count(catalogPath) != 4 {
		t.Errorf("total %d, partial %v, in %d requests", hits.Total, hits.Partial, rec.Count(catalogPath))
	}
}

func TestACatalogIsReadWithTheLogin(t *testing.T) {
	inner := catalogOf(manyNames(2500), 1000)
	_, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		if _, password, _ := req.BasicAuth(); password != "s3cret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			outside.ErrorBody(w, http.StatusUnauthorized, "UNAUTHORIZED", "")
			return
		}
		inner(w, req)
	})
	if hits := mustSearch(t, withLogin(t, registry.Entry{Host: host, Search: registry.SearchCatalog}), host,
		Question{Text: "service"}); hits.Total != 2500 {
		t.Errorf("total is %d", hits.Total)
	}
	_, err := catalogAt(t, host).Search(t.Context(), host, Question{Text: "service"})
	outside.WantKind(t, err, image.Unauthorized, host, "docker login "+host, host+"/NAME")
}

func TestARealRegistryWithoutACatalog(t *testing.T) {
	reg := olareg.New(config.Config{Storage: config.ConfigStorage{StoreType: config.StoreMem},
		Log: slog.New(slog.DiscardHandler)})
	srv := httptest.NewServer(reg)
	t.Cleanup(func() {
		srv.Close()
		_ = reg.Close()
	})
	host := strings.TrimPrefix(srv.URL, "http://")
	_, err := client(t, registry.Options{}).Search(t.Context(), host, Question{Text: "app"})
	outside.WantKind(t, err, image.NotFound, "catalog is switched off", host+"/NAME")
}

func TestNamesOfCatalogsAreThoseOfReferences(t *testing.T) {
	const host = "registry.test:5000"
	names := []string{
		"a", "a/b", "a.b", "a_b", "a__b", "a-b", "a---b", "a/b/c.d_e__f--g", "0", strings.Repeat("a", 255-len(host)-1),
		strings.Repeat("a", 255-len(host)),
		"", "/", "a/", "/a", "a//b", "A", "a b", "a_", "_a", "a___b", "a..b", "a.-b", "a._b", "-a", "a-", "a/-b", "a-/b",
		"a:b", "a@b", "ä", "a\nb", "a\x00", "..", "../a", "a/../b",
	}
	for _, name := range names {
		_, want := hitOf(host, lenientText(name))
		if got := validPath(host, name); got != want {
			t.Errorf("%q is a name: %v, want %v", name, got, want)
		}
	}
}

func FuzzNamesOfCatalogsAreThoseOfReferences(f *testing.F) {
	for _, name := range []string{"a/b", "a__b", "a-/b", "a:b"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		const host = "registry.test"
		if h, ok := hitOf(host, lenientText(name)); validPath(host, name) && (!ok || string(h.Repository) != host+"/"+name) {
			t.Errorf("%q is taken for a name", name)
		}
	})
}

func BenchmarkFilterTwentyThousandNames(b *testing.B) {
	all := manyNames(20_000)
	var lists []string
	for page := range slices.Chunk(all, 1000) {
		lists = append(lists, strings.Join(page, "\n")+"\n")
	}
	for _, text := range []string{"service-19", "s", "nothing"} {
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				matches(lists, text, defaultLimit)
			}
		})
	}
}
