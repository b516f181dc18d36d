// Package outside stands for the world outside in tests: names, servers, certificates, and how they are dialled.
package outside

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Recorder notes the requests that reach a server.
type Recorder struct {
	http.Handler
	mu   sync.Mutex
	seen []*http.Request
}

// ServeHTTP implements http.Handler.
func (r *Recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.seen = append(r.seen, req)
	r.mu.Unlock()
	r.Handler.ServeHTTP(w, req)
}

// Requests returns those seen, as "METHOD path", without the probe of /v2/.
func (r *Recorder) Requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, req := range r.seen {
		if req.URL.Path != "/v2/" {
			all = append(all, req.Method+" "+req.URL.Path)
		}
	}
	return all
}

// Last returns the last one.
func (r *Recorder) Last() *http.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[len(r.seen)-1]
}

// Server starts a registry over plain HTTP; its host is 127.0.0.1:port. A handler that is called for /v2/
// itself need not care.
func Server(t testing.TB, h http.HandlerFunc) (*Recorder, string) {
	t.Helper()
	rec := &Recorder{Handler: registryRoot(h)}
	srv := httptest.NewServer(rec)
	t.Cleanup(srv.Close)
	return rec, strings.TrimPrefix(srv.URL, "http://")
}

func registryRoot(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/v2/" {
			return
		}
		h(w, req)
	}
}

// Count returns how many GETs there were for a path.
func (r *Recorder) Count(path string) int {
	n := 0
	for _, seen := range r.Requests() {
		if seen == "GET "+path {
			n++
		}
	}
	return n
}

// All returns those seen, with the probe of /v2/.
func (r *Recorder) All() []*http.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.seen)
}

// ErrorBody writes a registry's error.
func ErrorBody(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]any{"code": code, "message": message}}})
}
