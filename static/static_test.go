package static

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// get asks the handler for path.
func get(t *testing.T, method, path string, header map[string]string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for k, v := range header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, res *http.Response) []byte {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestURLsCarryTheHashAndAreKeptForEver(t *testing.T) {
	types := map[string]string{
		CSS: "text/css; charset=utf-8", Script: "text/javascript; charset=utf-8", HTMX: "text/javascript; charset=utf-8",
		HTMXSSE: "text/javascript; charset=utf-8", Favicon: "image/svg+xml", Font: "font/woff2",
	}
	for name, contentType := range types {
		t.Run(name, func(t *testing.T) {
			url := URL(name)
			if !strings.Contains(url, "."+assets()[name].hash+".") {
				t.Errorf("URL(%q) = %q, without its hash", name, url)
			}
			res := get(t, http.MethodGet, url, nil)
			if res.StatusCode != http.StatusOK {
				t.Fatalf("status %d", res.StatusCode)
			}
			for header, want := range map[string]string{
				"Content-Type":           contentType,
				"Cache-Control":          "public, max-age=31536000, immutable",
				"X-Content-Type-Options": "nosniff",
			} {
				if got := res.Header.Get(header); got != want {
					t.Errorf("%s: %q, want %q", header, got, want)
				}
			}
			if !bytes.Equal(body(t, res), assets()[name].body) {
				t.Error("the body is not the file")
			}
		})
	}
}

func TestPlainNamesAreRevalidated(t *testing.T) {
	res := get(t, http.MethodGet, Prefix+CSS, nil)
	if got := res.Header.Get("Cache-Control"); got != "no-cache" {
		t.Errorf("Cache-Control %q", got)
	}
	etag := res.Header.Get("ETag")
	again := get(t, http.MethodGet, Prefix+CSS, map[string]string{"If-None-Match": `"other", W/` + etag})
	if again.StatusCode != http.StatusNotModified || len(body(t, again)) != 0 {
		t.Errorf("status %d with a body of %d bytes, want 304 without", again.StatusCode, len(body(t, again)))
	}
	if changed := get(t, http.MethodGet, Prefix+CSS, map[string]string{"If-None-Match": `"other"`}); changed.StatusCode != http.StatusOK {
		t.Errorf("another ETag: status %d, want 200", changed.StatusCode)
	}
}

func TestGzipIsSentOnlyWhereItIsTaken(t *testing.T) {
	for _, tt := range []struct {
		accept string
		want   bool
	}{
		{"gzip, deflate, br", true}, {"br;q=1.0, gzip;q=0.5", true}, {"*", true}, {"GZIP", true},
		{"", false}, {"br", false}, {"gzip;q=0", false}, {"gzip; q=0.0, *", false}, {"*;q=0", false},
	} {
		t.Run(tt.accept, func(t *testing.T) {
			res := get(t, http.MethodGet, URL(CSS), map[string]string{"Accept-Encoding": tt.accept})
			if got := res.Header.Get("Content-Encoding") == "gzip"; got != tt.want {
				t.Fatalf("gzip %v, want %v", got, tt.want)
			}
			if res.Header.Get("Vary") != "Accept-Encoding" {
				t.Error("no Vary: Accept-Encoding")
			}
			b := body(t, res)
			if tt.want {
				zr, err := gzip.NewReader(bytes.NewReader(b))
				if err != nil {
					t.Fatal(err)
				}
				if b, err = io.ReadAll(zr); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(b, assets()[CSS].body) {
				t.Error("the body does not unpack to the file")
			}
		})
	}
}

func TestCompressedAndPlainHaveDifferentETags(t *testing.T) {
	plain := get(t, http.MethodGet, URL(CSS), nil)
	zipped := get(t, http.MethodGet, URL(CSS), map[string]string{"Accept-Encoding": "gzip"})
	if plain.Header.Get("ETag") == zipped.Header.Get("ETag") {
		t.Errorf("both have ETag %s", plain.Header.Get("ETag"))
	}
}

func TestTheFontIsNotCompressedTwice(t *testing.T) {
	res := get(t, http.MethodGet, URL(Font), map[string]string{"Accept-Encoding": "gzip"})
	if got := res.Header.Get("Content-Encoding"); got != "" {
		t.Errorf("Content-Encoding %q", got)
	}
}

func TestHeadHasTheLengthAndNoBody(t *testing.T) {
	res := get(t, http.MethodHead, URL(Script), nil)
	if res.StatusCode != http.StatusOK || len(body(t, res)) != 0 || res.Header.Get("Content-Length") == "" {
		t.Errorf("status %d, %d bytes, Content-Length %q", res.StatusCode, len(body(t, res)), res.Header.Get("Content-Length"))
	}
}

func TestWhatIsNotThereOrNotAllowedIsRefused(t *testing.T) {
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{http.MethodGet, "/static/", http.StatusNotFound},
		{http.MethodGet, "/static/none.css", http.StatusNotFound},
		{http.MethodGet, "/static/app.000000000000.css", http.StatusNotFound},
		{http.MethodGet, "/static/src/app.css", http.StatusNotFound},
		{http.MethodGet, "/static/../static.go", http.StatusNotFound},
		{http.MethodGet, "/static/static.go", http.StatusNotFound},
		{http.MethodPost, "/static/app.css", http.StatusMethodNotAllowed},
	} {
		res := get(t, tt.method, tt.path, nil)
		if res.StatusCode != tt.want {
			t.Errorf("%s %s: status %d, want %d", tt.method, tt.path, res.StatusCode, tt.want)
		}
		if strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s %s: an error may be kept for ever", tt.method, tt.path)
		}
	}
}

func TestAFileOfUnknownTypeIsRefused(t *testing.T) {
	if _, err := load(fstest.MapFS{"x.exe": {Data: []byte("x")}}); err == nil {
		t.Error("no error")
	}
}

// A font that is kept for ever must have a name that changes with its bytes, and the style sheet must use
// that name.
func TestTheStyleSheetNamesTheFontByItsHash(t *testing.T) {
	font := assets()[Font]
	if font.hashedName != Font {
		t.Errorf("the font is called %s, its bytes say %s", Font, font.hashedName)
	}
	urls := regexp.MustCompile(`url\(["']?([^)"']+)`).FindAllStringSubmatch(string(assets()[CSS].body), -1)
	if len(urls) == 0 {
		t.Fatal("the style sheet names no font")
	}
	for _, u := range urls {
		if u[1] != Font {
			t.Errorf("the style sheet fetches %q; only %s is there to be fetched", u[1], Font)
		}
	}
}

// The first view of a page is to stay under 120 kB over the wire; this part leaves the HTML at least 25 kB.
func TestTheFirstViewIsSmall(t *testing.T) {
	const limit = 95_000
	total := 0
	for _, name := range []string{CSS, Script, HTMX, HTMXSSE, Favicon, Font} {
		res := get(t, http.MethodGet, URL(name), map[string]string{"Accept-Encoding": "gzip"})
		total += len(body(t, res))
	}
	if total > limit {
		t.Errorf("%d bytes over the wire, more than %d", total, limit)
	}
	t.Logf("%d bytes over the wire", total)
}
