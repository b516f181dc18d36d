package registry

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/response"
	"github.com/stowage/stowage/test/outside"
)

func TestTagsOfARealRegistry(t *testing.T) {
	_, host := realRegistry(t, nil)
	img := newImage(t, []byte("layer"))
	for _, tag := range []string{"1", "2", "latest"} {
		push(t, host, "team/app", tag, img)
	}
	got, err := client(t, Options{}).Tags(t.Context(), image.Repository(host+"/team/app"))
	if err != nil || !slices.Equal(got, []string{"1", "2", "latest"}) {
		t.Errorf("tags are %v, %v", got, err)
	}
}

func TestTagsFollowThePages(t *testing.T) {
	rec, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		switch req.URL.Query().Get("last") {
		case "":
			w.Header().Set("Link", `</v2/app/tags/list?last=b>; rel="next"`)
			_, _ = io.WriteString(w, `{"name":"app","tags":["a","b"]}`)
		case "b":
			w.Header().Set("Link", `</v2/app/tags/list?last=c>; rel="next"`)
			_, _ = io.WriteString(w, `{"name":"app","tags":["c"]}`)
		default:
			_, _ = io.WriteString(w, `{"name":"app","tags":null}`)
		}
	})
	got, err := client(t, Options{}).Tags(t.Context(), image.Repository(host+"/app"))
	if err != nil || !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("tags are %v, %v", got, err)
	}
	if n := len(rec.Requests()); n != 3 {
		t.Errorf("%d requests", n)
	}
}

func TestNamesThatCannotBeTagsAreLeftOut(t *testing.T) {
	_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"tags":["ok","","../x","<b>","-x",%q]}`, strings.Repeat("x", 129))
	})
	got, err := client(t, Options{}).Tags(t.Context(), image.Repository(host+"/app"))
	if err != nil || !slices.Equal(got, []string{"ok"}) {
		t.Errorf("tags are %v, %v", got, err)
	}
}

func TestListingsOfTagsThatGoWrong(t *testing.T) {
	elsewhere, elsewhereHost := outside.Server(t, func(http.ResponseWriter, *http.Request) {})
	for name, tt := range map[string]struct {
		h    http.HandlerFunc
		kind image.Kind
		text string
	}{
		"in a circle": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", `</v2/app/tags/list?last=a>; rel="next"`)
			_, _ = io.WriteString(w, `{"tags":["a"]}`)
		}, image.Unavailable, "circle"},
		"without end": {func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Link", fmt.Sprintf(`</v2/app/tags/list?last=%sx>; rel="next"`, req.URL.Query().Get("last")))
			_, _ = io.WriteString(w, `{"tags":["a"]}`)
		}, image.TooLarge, "more tags"},
		"endless link": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", `</v2/app/tags/list?last=`+strings.Repeat("a", response.MaxLink)+`>; rel="next"`)
			_, _ = io.WriteString(w, `{"tags":["a"]}`)
		}, image.Unavailable, "no address"},
		"elsewhere": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", `<http://`+elsewhereHost+`/v2/app/tags/list>; rel="next"`)
			_, _ = io.WriteString(w, `{"tags":["a"]}`)
		}, image.Unavailable, "circle"},
		"too large": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"tags":["`+strings.Repeat("x", maxTagPage)+`"]}`)
		}, image.TooLarge, "more than"},
		"no JSON": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "tags?") },
			image.Unavailable, ""},
		"a web page": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html></html>") },
			image.Unavailable, "web page"},
		"no such name": {func(w http.ResponseWriter, _ *http.Request) { outside.ErrorBody(w, 404, "NAME_UNKNOWN", "") },
			image.NotFound, "repository"},
	} {
		t.Run(name, func(t *testing.T) {
			_, host := outside.Server(t, tt.h)
			_, err := client(t, Options{}).Tags(t.Context(), image.Repository(host+"/app"))
			outside.WantKind(t, err, tt.kind, host, tt.text)
		})
	}
	if got := elsewhere.Requests(); len(got) != 0 {
		t.Errorf("the other host was asked: %v", got)
	}
}

// unlinked serves tags in pages without links to each other.
func unlinked(all []string, page int, last bool) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		rest := all
		if from := req.URL.Query().Get("last"); from != "" && last {
			rest = all[slices.Index(all, from)+1:]
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"tags": rest[:min(page, len(rest))]})
	}
}

func TestAListThatEndsAsAPageWouldIsAskedForTheRest(t *testing.T) {
	all := make([]string, 25)
	for i := range all {
		all[i] = fmt.Sprintf("t%02d", i)
	}
	for name, tt := range map[string]struct {
		h        http.HandlerFunc
		tags     int
		requests int
	}{
		"links that were lost":     {unlinked(all, 10, true), 25, 3},
		"the last page is full":    {unlinked(all[:20], 10, true), 20, 3},
		"a round number is all":    {unlinked(all[:20], 100, true), 20, 2},
		"it knows nothing of last": {unlinked(all[:10], 100, false), 10, 2},
		"no page ends so":          {unlinked(all[:9], 100, true), 9, 1},
		"it refuses to go on from a tag": {func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Query().Has("last") {
				outside.ErrorBody(w, http.StatusBadRequest, "UNSUPPORTED", "no")
				return
			}
			unlinked(all[:10], 100, false)(w, req)
		}, 10, 2},
	} {
		t.Run(name, func(t *testing.T) {
			rec, host := outside.Server(t, tt.h)
			tags, err := client(t, Options{}).Tags(t.Context(), image.Repository(host+"/app"))
			if err != nil || len(tags) != tt.tags || len(rec.Requests()) != tt.requests {
				t.Errorf("%d tags in %d requests, %v", len(tags), len(rec.Requests()), err)
			}
		})
	}
}

func TestTheNextPageIsAPathOfTheRegistry(t *testing.T) {
	elsewhere, inner := outside.Server(t, func(http.ResponseWriter, *http.Request) {})
	for _, link := range []string{
		`<http://` + inner + `%s>; rel="next"`, `<https://` + inner + `%s>; Rel="Next"`,
		`<//inner.test:5000%s>; title="a, b"; rel=next`,
		`<http://inner.test/artifactory/api/docker/local%s>; rel="next"`, `</x>; rel=first, <%s>;REL='next'`, `%s; rel=next`,
	} {
		_, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path != "/v2/app/tags/list" || req.URL.Query().Get("last") != "" {
				_, _ = io.WriteString(w, `{"tags":["b"]}`)
				return
			}
			w.Header().Set("Link", fmt.Sprintf(link, "/v2/app/tags/list?n=1&last=a"))
			_, _ = io.WriteString(w, `{"tags":["a"]}`)
		})
		if tags, err := client(t, Options{}).Tags(t.Context(), image.Repository(host+"/app")); err != nil ||
			!slices.Equal(tags, []string{"a", "b"}) {
			t.Errorf("%s: %v, %v", link, tags, err)
		}
	}
	if got := elsewhere.Requests(); len(got) != 0 {
		t.Errorf("the other host was asked: %v", got)
	}
}

func TestTagsAreRemembered(t *testing.T) {
	rec, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"tags":["2","1"]}`) })
	c := client(t, Options{})
	for range 3 {
		got, err := c.Tags(t.Context(), image.Repository(host+"/app"))
		if err != nil || !slices.Equal(got, []string{"2", "1"}) {
			t.Fatalf("tags are %v, %v", got, err)
		}
		slices.Sort(got) // the caller's own
	}
	if n := len(rec.Requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
	c.tags.Forget(image.Repository(host + "/app"))
	if _, err := c.Tags(t.Context(), image.Repository(host+"/app")); err != nil || len(rec.Requests()) != 2 {
		t.Errorf("once it is forgotten: %v, %d requests", err, len(rec.Requests()))
	}
}

func TestListsOfTagsWithNullsAndDigests(t *testing.T) {
	for body, want := range map[string][]string{
		`{"tags":["1",null,"","sha256:` + strings.Repeat("a", 64) + `","2"]}`: {"1", "2"},
		`{"tags":[]}`:   {},
		`{"tags":null}`: {},
		`{}`:            {},
	} {
		_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		got, err := client(t, Options{}).Tags(t.Context(), image.Repository(host+"/app"))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", body, got, err)
		}
	}
}

func BenchmarkFiveThousandTags(b *testing.B) {
	var tags []string
	for i := range 5000 {
		tags = append(tags, fmt.Sprintf("15.%d-alpine3.%d", i, i%20))
	}
	body := `{"name":"app","tags":["` + strings.Join(tags, `","`) + `"]}`
	_, host := outside.Server(b, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
	repo := image.Repository(host + "/app")
	c := client(b, Options{})
	b.Run("listed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.tags.Forget(repo)
			if _, err := c.Tags(b.Context(), repo); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("remembered", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Tags(b.Context(), repo); err != nil {
				b.Fatal(err)
			}
		}
	})
}
