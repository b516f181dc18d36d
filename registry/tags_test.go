package registry

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
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
	rec, host := server(t, func(w http.ResponseWriter, req *http.Request) {
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
	if n := len(rec.requests()); n != 3 {
		t.Errorf("%d requests", n)
	}
}

func TestNamesThatCannotBeTagsAreLeftOut(t *testing.T) {
	_, host := server(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"tags":["ok","","../x","<b>","-x",%q]}`, strings.Repeat("x", 129))
	})
	got, err := client(t, Options{}).Tags(t.Context(), image.Repository(host+"/app"))
	if err != nil || !slices.Equal(got, []string{"ok"}) {
		t.Errorf("tags are %v, %v", got, err)
	}
}

func TestListingsOfTagsThatGoWrong(t *testing.T) {
	elsewhere, elsewhereHost := server(t, func(http.ResponseWriter, *http.Request) {})
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
			w.Header().Set("Link", `</v2/app/tags/list?last=`+strings.Repeat("a", maxLink)+`>; rel="next"`)
			_, _ = io.WriteString(w, `{"tags":["a"]}`)
		}, image.Unavailable, "no address"},
		"elsewhere": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", `<http://`+elsewhereHost+`/v2/app/tags/list>; rel="next"`)
			_, _ = io.WriteString(w, `{"tags":["a"]}`)
		}, image.Unavailable, elsewhereHost},
		"too large": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"tags":["`+strings.Repeat("x", maxTagPage)+`"]}`)
		}, image.TooLarge, "more than"},
		"no JSON":      {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "tags?") }, image.Unavailable, ""},
		"a web page":   {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html></html>") }, image.Unavailable, "web page"},
		"no such name": {func(w http.ResponseWriter, _ *http.Request) { errorBody(w, 404, "NAME_UNKNOWN", "") }, image.NotFound, "repository"},
	} {
		t.Run(name, func(t *testing.T) {
			_, host := server(t, tt.h)
			_, err := client(t, Options{}).Tags(t.Context(), image.Repository(host+"/app"))
			wantKind(t, err, tt.kind, host, tt.text)
		})
	}
	if got := elsewhere.requests(); len(got) != 0 {
		t.Errorf("the other host was asked: %v", got)
	}
}

func TestTagsAreRememberedForAMinute(t *testing.T) {
	rec, host := server(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"tags":["2","1"]}`) })
	c := client(t, Options{})
	now := time.Now()
	c.services.tags.now = func() time.Time { return now }
	for range 3 {
		got, err := c.Tags(t.Context(), image.Repository(host+"/app"))
		if err != nil || !slices.Equal(got, []string{"2", "1"}) {
			t.Fatalf("tags are %v, %v", got, err)
		}
		slices.Sort(got) // the caller's own
	}
	if n := len(rec.requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
	now = now.Add(answerLife)
	if _, err := c.Tags(t.Context(), image.Repository(host+"/app")); err != nil || len(rec.requests()) != 2 {
		t.Errorf("after a minute: %v, %d requests", err, len(rec.requests()))
	}
}

func TestListsOfTagsWithNullsAndDigests(t *testing.T) {
	for body, want := range map[string][]string{
		`{"tags":["1",null,"","sha256:` + strings.Repeat("a", 64) + `","2"]}`: {"1", "2"},
		`{"tags":[]}`:   {},
		`{"tags":null}`: {},
		`{}`:            {},
	} {
		_, host := server(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
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
	srv := httptest.NewServer(registryRoot(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
	b.Cleanup(srv.Close)
	repo := image.Repository(strings.TrimPrefix(srv.URL, "http://") + "/app")
	c := searching(b, Listed{Host: repo.Host()})
	b.Run("listed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.services.tags.forget(repo)
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
