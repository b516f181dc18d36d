package registry

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

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
