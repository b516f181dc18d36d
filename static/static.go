// Package static holds what browsers fetch besides pages: the built style sheet, scripts, the font and
// the icon. Everything is embedded and addressed by the hash of its bytes, so that it may be kept for
// ever: a new build has new addresses.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

// Prefix is where the files are served.
const Prefix = "/static/"

// The files that pages name, for URL.
const (
	CSS     = "app.css"
	Script  = "app.js"
	HTMX    = "htmx-4.0.1.min.js"
	HTMXSSE = "hx-sse-4.0.1.min.js"
	Favicon = "favicon.svg"
	// Font is named by the style sheet too, therefore its own name carries its hash.
	Font = "inter-latin.3100e775e861.woff2"
)

//go:embed app.css app.js favicon.svg *.min.js *.woff2
var files embed.FS

// hashLen is how many hex digits of the sha256 an address carries.
const hashLen = 12

// contentTypes is a closed list, so that the type never depends on the machine's mime tables.
var contentTypes = map[string]string{
	".css":   "text/css; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".svg":   "image/svg+xml",
	".woff2": "font/woff2",
}

// asset is one file, ready to be sent.
type asset struct {
	hash        string
	contentType string
	body        []byte
	zipped      []byte // nil where gzip saves nothing, as with fonts
	hashedName  string
}

// assets reads and compresses the files once, at first use. The files are part of the binary, so a
// failure is a fault of the build and panics.
var assets = sync.OnceValue(func() map[string]*asset {
	m, err := load(files)
	if err != nil {
		panic(fmt.Sprintf("static: %v", err))
	}
	return m
})

// load returns the assets of fsys by file name.
func load(fsys fs.FS) (map[string]*asset, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("list files: %w", err)
	}
	m := make(map[string]*asset, len(entries))
	for _, e := range entries {
		name := e.Name()
		ext := path.Ext(name)
		body, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read file: %w", err)
		}
		contentType, ok := contentTypes[ext]
		if !ok {
			return nil, fmt.Errorf("%s: no content type for %q", name, ext)
		}
		sum := sha256.Sum256(body)
		a := &asset{hash: hex.EncodeToString(sum[:])[:hashLen], contentType: contentType, body: body, hashedName: name}
		if !strings.HasSuffix(name, "."+a.hash+ext) {
			a.hashedName = strings.TrimSuffix(name, ext) + "." + a.hash + ext
		}
		if a.zipped, err = compress(body); err != nil {
			return nil, fmt.Errorf("compress %s: %w", name, err)
		}
		m[name] = a
	}
	return m, nil
}

// compress returns body gzipped, or nil where that saves less than a tenth.
func compress(body []byte) ([]byte, error) {
	var buf bytes.Buffer
	zw, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := zw.Write(body); err != nil {
		return nil, err
	}
	if err := zw.Close(); err != nil {
		return nil, err
	}
	if buf.Len() > len(body)*9/10 {
		return nil, nil
	}
	return buf.Bytes(), nil
}

// URL returns the address of a file, such as "/static/app.0123456789ab.css" for "app.css". It panics for a
// file that does not exist: names are constants, and a test asks for each.
func URL(name string) string {
	a, ok := assets()[name]
	if !ok {
		panic("static: no file " + strconv.Quote(name))
	}
	return Prefix + a.hashedName
}

// Handler serves the files under Prefix. The hashed address is answered as immutable for a year. The
// plain name is answered too, to be revalidated by ETag. Everything else is 404; methods other than
// GET and HEAD are 405.
func Handler() http.Handler {
	byPath := make(map[string]*asset)
	for name, a := range assets() {
		byPath[Prefix+name] = a
		byPath[Prefix+a.hashedName] = a
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		a, ok := byPath[r.URL.Path]
		if !ok {
			w.Header().Set("Cache-Control", "no-store")
			http.NotFound(w, r)
			return
		}
		a.serve(w, r)
	})
}

// serve answers GET and HEAD, compressed where the browser takes gzip.
func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	body, etag := a.body, `"`+a.hash+`"`
	if a.zipped != nil {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Values("Accept-Encoding")) {
			body, etag = a.zipped, `"`+a.hash+`-gzip"`
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("ETag", etag)
	if path.Base(r.URL.Path) == a.hashedName {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	if matches(r.Header.Get("If-None-Match"), etag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", a.contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		return
	}
	// A failed write means that the browser has gone; there is nobody left to tell.
	_, _ = w.Write(body)
}

// acceptsGzip reads Accept-Encoding (RFC 9110, section 12.5.3) as far as gzip is concerned.
func acceptsGzip(values []string) bool {
	wildcard := false
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			coding, params, _ := strings.Cut(part, ";")
			coding = strings.ToLower(strings.TrimSpace(coding))
			wanted := true
			if q, ok := strings.CutPrefix(strings.ToLower(strings.ReplaceAll(params, " ", "")), "q="); ok {
				f, err := strconv.ParseFloat(q, 64)
				wanted = err == nil && f > 0
			}
			switch coding {
			case "gzip", "x-gzip":
				return wanted
			case "*":
				wildcard = wanted
			}
		}
	}
	return wildcard
}

// matches reports whether the If-None-Match header names etag.
func matches(header, etag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		part = strings.TrimPrefix(strings.TrimSpace(part), "W/")
		if part == etag || part == "*" {
			return true
		}
	}
	return false
}
