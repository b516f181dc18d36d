package search

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/test/outside"
)

const hubSearchPath = "/v2/search/repositories/"

func TestHubResultsHaveWhatDockerSearchShows(t *testing.T) {
	_, host := outside.Server(t, answers(t, map[string]string{hubSearchPath: "hub_search.json"}))
	hits := mustSearch(t, hubAt(t, host), image.DockerHub, Question{Text: "postgres"})
	if hits.Kind != registry.SearchHub || hits.Total != 2371 || !hits.More || hits.Window != 0 || hits.Partial {
		t.Errorf("answer is %+v", hits)
	}
	want := Hit{
		Repository: "docker.io/library/postgres", Official: true, Stars: 14235, Pulls: 10483920117,
		Description: "The PostgreSQL object-relational database system provides reliability and data integrity.",
	}
	if hits.Hits[0] != want {
		t.Errorf("first result is %+v", hits.Hits[0])
	}
	if h := hits.Hits[2]; !h.Verified || h.Official || hits.Hits[0].Verified {
		t.Errorf("verified publishers are not told: %+v", h)
	}
}

func TestHubNamesComeWithAndWithoutLibraryAndTwice(t *testing.T) {
	_, host := outside.Server(t, answers(t, map[string]string{hubSearchPath: "hub_search.json"}))
	hits := mustSearch(t, hubAt(t, host), image.DockerHub, Question{Text: "postgres"})
	wantNames(t, hits, "docker.io/library/postgres", "docker.io/library/pgvector", "docker.io/bitnami/postgresql",
		"docker.io/circleci/postgres")
}

func TestHostileAnswersAreCleaned(t *testing.T) {
	_, host := outside.Server(t, answers(t, map[string]string{hubSearchPath: "hub_search_hostile.json"}))
	hits := mustSearch(t, hubAt(t, host), image.DockerHub, Question{Text: "good"})
	wantNames(t, hits, "docker.io/good/one", "docker.io/good/two", "docker.io/good/three")
	if hits.Total != -1 || hits.More {
		t.Errorf("total is %d, more %v", hits.Total, hits.More)
	}
	one, two, three := hits.Hits[0], hits.Hits[1], hits.Hits[2]
	if one.Description != "a b [31mred next line" {
		t.Errorf("description is %q", one.Description)
	}
	for _, h := range []Hit{one, two} {
		if h.Stars != -1 || h.Pulls != -1 || h.Official || h.Verified {
			t.Errorf("numbers that cannot be were taken: %+v", h)
		}
	}
	if n := utf8.RuneCountInString(three.Description); n < 150 || n > 250 {
		t.Errorf("a long description has %d characters", n)
	}
}

func TestLibraryIsLeftOutOfWhatHubIsAskedFor(t *testing.T) {
	rec, host := outside.Server(t, answers(t, map[string]string{hubSearchPath: "hub_search.json"}))
	c := hubAt(t, host)
	for _, text := range []string{"library/ubuntu", " docker.io/library/ubuntu ", "index.docker.io/ubuntu", "ubuntu"} {
		mustSearch(t, c, image.DockerHub, Question{Text: text})
		if got := rec.Last().URL.Query().Get("query"); got != "ubuntu" {
			t.Errorf("for %q Docker Hub was asked for %q", text, got)
		}
	}
	if n := rec.Count(hubSearchPath); n != 1 {
		t.Errorf("the same search was sent %d times", n)
	}
}

func TestHubPagesAreTheServicesOwn(t *testing.T) {
	rec, host := outside.Server(t, answers(t, map[string]string{hubSearchPath: "hub_search.json"}))
	mustSearch(t, hubAt(t, host), image.DockerHub, Question{Text: "postgres", Page: 3, Limit: 50})
	q := rec.Last().URL.Query()
	if q.Get("page") != "3" || q.Get("page_size") != "50" || len(rec.Requests()) != 1 {
		t.Errorf("asked for %v in %d requests", q, len(rec.Requests()))
	}
}

func TestBehindHubsLastPageThereIsNothing(t *testing.T) {
	_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"message":"page not found"}`))
	})
	hits := mustSearch(t, hubAt(t, host), image.DockerHub, Question{Text: "postgres", Page: 99})
	if len(hits.Hits) != 0 || hits.More {
		t.Errorf("found %+v", hits)
	}
}

func TestHubFallsBackToTheV1Search(t *testing.T) {
	for name, broken := range map[string]http.HandlerFunc{
		"server error": func(w http.ResponseWriter, _ *http.Request) { outside.ErrorBody(w, 503, "", "") },
		"gone":         func(w http.ResponseWriter, _ *http.Request) { outside.ErrorBody(w, 404, "", "") },
		"web page":     answers(t, map[string]string{hubSearchPath: "error.html"}),
		"wrong JSON":   answers(t, map[string]string{hubSearchPath: "catalog_1.json"}),
		"no JSON": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte("{"))
		},
		"too large": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"results":["` + strings.Repeat("x", maxServiceBody) + `"]}`))
		},
		"compressed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
		},
		"an image": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "image/png") },
	} {
		t.Run(name, func(t *testing.T) {
			v1 := answers(t, map[string]string{"/v1/search": "v1_search.json"})
			rec, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
				if req.URL.Path == hubSearchPath {
					broken(w, req)
					return
				}
				v1(w, req)
			})
			c := hubAt(t, host)
			hits := mustSearch(t, c, image.DockerHub, Question{Text: "postgres"})
			if hits.Kind != registry.SearchV1 {
				t.Errorf("kind is %q", hits.Kind)
			}
			wantNames(t, hits, "docker.io/library/postgres", "docker.io/team/postgres")
			mustSearch(t, c, image.DockerHub, Question{Text: "another"})
			if n := rec.Count(hubSearchPath); n != 1 {
				t.Errorf("what is broken was asked %d times within a minute", n)
			}
		})
	}
}

func TestASlowHubIsNotWaitedForBeforeTheFallback(t *testing.T) {
	h := hold(t)
	slow, v1 := h.before(http.NotFound), answers(t, map[string]string{"/v1/search": "v1_search.json"})
	_, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == hubSearchPath {
			slow(w, req)
			return
		}
		v1(w, req)
	})
	c := hubAt(t, host)
	c.hubPatience = 10 * time.Millisecond
	if hits := mustSearch(t, c, image.DockerHub, Question{Text: "postgres"}); hits.Kind != registry.SearchV1 {
		t.Errorf("answer is %+v", hits)
	}
}

func TestWhenTheFallbackFailsTooHubsOwnErrorIsTold(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		media  string
		texts  []string
	}{
		"server error": {502, "application/json", []string{"docker.io", "502 Bad Gateway", "later"}},
		"web page":     {200, "text/html", []string{"docker.io", "web page"}},
		"web page 403": {403, "text/html", nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.media)
				w.WriteHeader(tt.status)
				_, _ = w.Write(testdata(t, "error.html"))
			})
			_, err := hubAt(t, host).Search(t.Context(), image.DockerHub, Question{Text: "postgres"})
			kind := image.Unavailable
			if tt.status == 403 {
				kind = image.Unauthorized
			}
			outside.WantKind(t, err, kind, append(tt.texts, "docker.io")...)
		})
	}
}

func TestARateLimitedSearchSaysUntilWhenAndIsNotRepeated(t *testing.T) {
	until := time.Now().Add(90 * time.Second).Truncate(time.Second)
	for name, header := range map[string]http.Header{
		"Retry-After":       {"Retry-After": {"90"}},
		"X-Retry-After":     {"X-Retry-After": {strconv.FormatInt(until.Unix(), 10)}},
		"X-RateLimit-Reset": {"X-Ratelimit-Reset": {strconv.FormatInt(until.Unix(), 10)}, "X-Ratelimit-Remaining": {"0"}},
	} {
		t.Run(name, func(t *testing.T) {
			rec, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range header {
					w.Header()[k] = v
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusTooManyRequests)
				_, _ = w.Write(testdata(t, "hub_429.json"))
			})
			c := hubAt(t, host)
			for _, text := range []string{"p", "po", "pos"} {
				_, err := c.Search(t.Context(), image.DockerHub, Question{Text: text})
				outside.WantKind(t, err, image.RateLimited, "docker.io", "until", "UTC")
				var limit *registry.RateLimit
				if !errors.As(err, &limit) || limit.Until.Before(until.Add(-time.Second)) ||
					limit.Until.After(until.Add(30*time.Second)) {
					t.Fatalf("until %v, want %v", limit, until)
				}
			}
			if n := len(rec.Requests()); n != 1 {
				t.Errorf("%d requests were sent, also to the fallback", n)
			}
		})
	}
}

func TestRedirectsOfASearch(t *testing.T) {
	_, plain := outside.Server(t, answers(t, map[string]string{hubSearchPath: "hub_search.json"}))
	for name, tt := range map[string]struct {
		to   func(host string, n int) string
		kind image.Kind // empty: it works
		text string
	}{
		"elsewhere": {func(string, int) string { return "http://" + plain + hubSearchPath }, "", ""},
		"in a circle": {func(host string, n int) string { return fmt.Sprintf("http://%s/%d", host, n) }, image.Unavailable,
			"circle"},
		"to a file": {func(string, int) string { return "file:///etc/passwd" }, image.Unavailable, "not allowed"},
		"with a login": {func(string, int) string { return "http://user:pw@" + plain + "/" }, image.Unavailable,
			"not allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			rec, host := outside.Server(t, nil)
			rec.Handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if req.URL.Path == "/v1/search" {
					outside.ErrorBody(w, 404, "", "")
					return
				}
				n++
				http.Redirect(w, req, tt.to(host, n), http.StatusFound)
			})
			hits, err := hubAt(t, host).Search(t.Context(), image.DockerHub, Question{Text: "postgres"})
			if tt.kind != "" {
				outside.WantKind(t, err, tt.kind, tt.text)
			} else if err != nil || len(hits.Hits) == 0 {
				t.Errorf("found %v, %v", hits, err)
			}
			if n > maxRedirects+1 {
				t.Errorf("%d redirects were followed", n)
			}
		})
	}
}

func TestRedirectsOfASearchNeverLeaveTLS(t *testing.T) {
	plain, plainHost := outside.Server(t, answers(t, map[string]string{hubSearchPath: "hub_search.json"}))
	ca := outside.NewAuthority(t)
	_, host := ca.Server(t, func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, "http://"+plainHost+hubSearchPath, http.StatusFound)
	}, outside.InAnHour(), "127.0.0.1")
	c := client(t, registry.Options{CAFiles: []string{ca.File},
		Registries: []registry.Entry{{Host: image.DockerHub, SearchURL: "https://" + host}}})
	_, err := c.Search(t.Context(), image.DockerHub, Question{Text: "postgres"})
	outside.WantKind(t, err, image.Unavailable, "docker.io", "not allowed")
	if len(plain.Requests()) != 0 {
		t.Error("the plain host was asked")
	}
}

func TestHubTagDetails(t *testing.T) {
	rec, host := outside.Server(t, answers(t,
		map[string]string{"/v2/repositories/library/postgres/tags": "hub_tags.json"}))
	c := hubAt(t, host)
	for range 3 {
		all, err := c.TagDetails(t.Context(), "docker.io/library/postgres", "")
		if err != nil || len(all) != 3 {
			t.Fatalf("details are %v, %v", all, err)
		}
		d := all["15"]
		if d.Digest != image.Digest("sha256:"+strings.Repeat("1", 64)) || d.Size != 152043210 ||
			!d.Updated.Equal(time.Date(2026, 1, 14, 2, 11, 9, 123456000, time.UTC)) {
			t.Errorf("15 is %+v", d)
		}
		var platforms []string
		for _, i := range d.Images {
			platforms = append(platforms, i.Platform.String())
		}
		if got := strings.Join(platforms, " "); got != "linux/amd64 linux/arm64 linux/arm/v7" {
			t.Errorf("platforms are %s", got)
		}
		if d.Images[2].Digest != "" || d.Images[2].Size != 139000000 {
			t.Errorf("a missing digest made %+v", d.Images[2])
		}
		if old := all["9.0"]; old.Digest != "" || old.Size != 98765432 || len(old.Images) != 1 {
			t.Errorf("9.0 is %+v", old)
		}
		if odd := all["odd"]; odd.Digest != "" || odd.Size != -1 || !odd.Updated.IsZero() || len(odd.Images) != 0 {
			t.Errorf("odd is %+v", odd)
		}
		all["15"] = TagDetail{} // the caller's own
	}
	if n := len(rec.Requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
	q := rec.Last().URL.Query()
	if q.Get("page_size") != "100" || q.Get("ordering") != "last_updated" || q.Has("name") {
		t.Errorf("asked with %v", q)
	}
	if all, err := c.TagDetails(t.Context(), "docker.io/library/postgres", "5"); err != nil || len(all) != 1 || rec.Last().
		URL.Query().Get("name") != "5" {
		t.Errorf("with a text: %v, %v", all, err)
	}
}

func TestDetailsBeyondWhatWasAskedForAreNotRead(t *testing.T) {
	images := `[` + strings.Repeat(`{"os":"linux","architecture":"arm64"},`, 2*mostPlatforms) + `null]`
	var tags []string
	for i := range 2 * mostDetails {
		tags = append(tags, fmt.Sprintf(`{"name":"t%d","images":%s}`, i, images))
	}
	_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"results":[`+strings.Join(tags, ",")+`]}`)
	})
	details, err := hubAt(t, host).TagDetails(t.Context(), "docker.io/library/app", "")
	if err != nil || len(details) != mostDetails || len(details["t0"].Images) != mostPlatforms {
		t.Errorf("there are %d tags, the first with %d platforms (%v)", len(details), len(details["t0"].Images), err)
	}
}

func TestNoTagDetailsIsNoError(t *testing.T) {
	rec, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) { outside.ErrorBody(w, 404, "", "") })
	for name, c := range map[string]*Client{
		"unknown to Docker Hub": hubAt(t, host),
		"switched off":          searching(t, registry.Entry{Host: image.DockerHub, Search: registry.SearchOff}),
		"a kind that has none": searching(t,
			registry.Entry{Host: image.DockerHub, Search: registry.SearchV1, SearchURL: "http://" + host}),
	} {
		if all, err := c.TagDetails(t.Context(), "docker.io/library/none", ""); err != nil || len(all) != 0 {
			t.Errorf("%s: %v, %v", name, all, err)
		}
	}
	before := len(rec.Requests())
	if all, err := hubAt(t, host).TagDetails(t.Context(), "docker.io/library/none", "not a tag!"); err != nil ||
		len(all) != 0 || len(rec.Requests()) != before {
		t.Errorf("for what no tag contains: %v, %v", all, err)
	}
}
