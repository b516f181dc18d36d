package fake

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
)

// Faulty is a registry that misbehaves as a test tells it to, around a real one, and records what it was asked for
// and what it served. It is safe for concurrent use; faults can be switched while requests run.
//
//	f := fake.NewFaulty(registry)
//	f.On(fake.Manifests, fake.HTML())
//	hold := f.Hold(fake.GetBlob(layer), 4096) // stops after 4096 bytes
//	<-hold.Reached()                            // act in the middle of the download
//	hold.Release()
type Faulty struct {
	registry http.Handler

	mu       sync.Mutex
	rules    []*rule
	requests []*Request
}

// Fault answers a request in place of next, the registry behind it, or alters what next does.
type Fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

// Match says which requests a fault is for.
type Match func(*http.Request) bool

type rule struct {
	match Match
	fault Fault
	left  int // how many more requests; -1 is no limit
	hold  *Hold
}

// Request is a request as recorded.
type Request struct {
	Method, Path, Query, Range string
	Header                     http.Header   // a copy
	Blob                       digest.Digest // the blob asked for; empty for other requests
	Status                     int           // 0 while nothing is answered
	Bytes                      int64         // of the body, served so far
}

// NewFaulty is registry without faults yet.
func NewFaulty(registry http.Handler) *Faulty { return &Faulty{registry: registry} }

// On applies fault to each request that matches, until remove is called. Several faults for a request are nested,
// the first one outermost.
func (f *Faulty) On(match Match, fault Fault) (remove func()) {
	return f.add(&rule{match: match, fault: fault, left: -1})
}

// Times applies fault to the next n requests that match.
func (f *Faulty) Times(n int, match Match, fault Fault) {
	f.add(&rule{match: match, fault: fault, left: n})
}

// Hold stops answers to matching requests after n bytes of the body, or before their header if n is negative, until
// it is released or the client gives up. Bytes up to there have been sent, not only buffered. Requests that come
// after the release are not held.
func (f *Faulty) Hold(match Match, n int64) *Hold {
	h := &Hold{after: n, reached: make(chan struct{}), done: make(chan struct{})}
	f.add(&rule{match: match, fault: h.serve, left: -1, hold: h})
	return h
}

func (f *Faulty) add(r *rule) (remove func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, r)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.rules = slices.DeleteFunc(f.rules, func(o *rule) bool { return o == r })
	}
}

// Reset removes all faults and releases what is held. The record stays.
func (f *Faulty) Reset() {
	f.mu.Lock()
	rules := f.rules
	f.rules = nil
	f.mu.Unlock()
	for _, r := range rules {
		if r.hold != nil {
			r.hold.Release()
		}
	}
}

// Requests are copies of what was recorded, oldest first, including requests that still run.
func (f *Faulty) Requests() []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]Request, 0, len(f.requests))
	for _, r := range f.requests {
		all = append(all, *r)
	}
	return all
}

// Forget empties the record; requests that still run no longer count.
func (f *Faulty) Forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = nil
}

// Served is how many bytes of a blob were sent, over all requests for it.
func (f *Faulty) Served(blob digest.Digest) int64 { return f.ServedBlobs()[blob] }

// ServedBlobs is how many bytes of each blob were sent, over all requests for it.
func (f *Faulty) ServedBlobs() map[digest.Digest]int64 {
	served := map[digest.Digest]int64{}
	for _, r := range f.Requests() {
		if r.Blob != "" {
			served[r.Blob] += r.Bytes
		}
	}
	return served
}

// Count is how many recorded requests have a method and a path that contains a text; an empty method is any.
func (f *Faulty) Count(method, path string) int {
	n := 0
	for _, r := range f.Requests() {
		if (method == "" || r.Method == method) && strings.Contains(r.Path, path) {
			n++
		}
	}
	return n
}

// ServeHTTP implements http.Handler.
func (f *Faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := &Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Range: r.Header.Get("Range"),
		Header: r.Header.Clone()}
	if d, ok := blobOf(r); ok {
		rec.Blob = d
	}
	next := f.registry
	f.mu.Lock()
	f.requests = append(f.requests, rec)
	for _, rule := range slices.Backward(f.rules) {
		if rule.left == 0 || !rule.match(r) {
			continue
		}
		if rule.left > 0 {
			rule.left--
		}
		next = faultHandler{rule.fault, next}
	}
	f.mu.Unlock()
	m := &meter{ResponseWriter: w, head: r.Method == http.MethodHead, count: func(n int) {
		f.mu.Lock()
		defer f.mu.Unlock()
		rec.Bytes += int64(n)
	}, answered: func(status int) {
		f.mu.Lock()
		defer f.mu.Unlock()
		rec.Status = status
	}}
	next.ServeHTTP(m, r)
}

type faultHandler struct {
	fault Fault
	next  http.Handler
}

func (h faultHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.fault(w, r, h.next) }

// meter notes the status and counts the bytes of an answer. It has no ReadFrom, so that every byte passes Write.
type meter struct {
	http.ResponseWriter
	head     bool
	status   int
	count    func(int)
	answered func(int)
}

// Unwrap lets http.ResponseController reach the connection.
func (m *meter) Unwrap() http.ResponseWriter { return m.ResponseWriter }

func (m *meter) WriteHeader(status int) {
	if m.status == 0 {
		m.status = status
		if m.answered != nil {
			m.answered(status)
		}
	}
	m.ResponseWriter.WriteHeader(status)
}

func (m *meter) Write(p []byte) (int, error) {
	if m.status == 0 {
		m.WriteHeader(http.StatusOK)
	}
	n, err := m.ResponseWriter.Write(p)
	if !m.head {
		m.count(n)
	}
	return n, err
}
