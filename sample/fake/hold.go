package fake

import (
	"context"
	"net/http"
	"sync"
)

// Hold is a place where answers stop until the test says how they go on. Made by [Faulty.Hold].
type Hold struct {
	after   int64
	once    sync.Once
	reached chan struct{}

	mu      sync.Mutex
	done    chan struct{}
	aborted bool
	ended   bool
}

// Reached is closed when the first answer stands at the place.
func (h *Hold) Reached() <-chan struct{} { return h.reached }

// Release lets the held answers go on, and later ones pass.
func (h *Hold) Release() { h.end(false) }

// Abort drops the connections of the held answers; later ones pass.
func (h *Hold) Abort() { h.end(true) }

func (h *Hold) end(abort bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ended {
		h.ended, h.aborted = true, abort
		close(h.done)
	}
}

func (h *Hold) over() (ended, aborted bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ended, h.aborted
}

// wait stands at the place. It ends the answer by panicking with http.ErrAbortHandler, as net/http wants it.
func (h *Hold) wait(ctx context.Context) {
	h.once.Do(func() { close(h.reached) })
	select {
	case <-h.done:
		if _, aborted := h.over(); aborted {
			panic(http.ErrAbortHandler)
		}
	case <-ctx.Done():
		panic(http.ErrAbortHandler)
	}
}

func (h *Hold) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if ended, _ := h.over(); ended {
		next.ServeHTTP(w, r)
		return
	}
	if h.after < 0 {
		h.wait(r.Context())
		next.ServeHTTP(w, r)
		return
	}
	next.ServeHTTP(&cutWriter{ResponseWriter: w, left: h.after, at: func() {
		_ = http.NewResponseController(w).Flush() // a writer that cannot flush has no buffer either
		h.wait(r.Context())
	}}, r)
}

// cutWriter calls at once only, when left bytes of the body have been written.
type cutWriter struct {
	http.ResponseWriter
	left int64
	at   func()
}

// Unwrap lets http.ResponseController reach the connection.
func (c *cutWriter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *cutWriter) Write(p []byte) (int, error) {
	if c.at == nil || int64(len(p)) < c.left {
		n, err := c.ResponseWriter.Write(p)
		c.left -= int64(n)
		return n, err
	}
	n, err := c.ResponseWriter.Write(p[:c.left])
	if err != nil {
		return n, err
	}
	at := c.at
	c.at = nil
	at()
	more, err := c.ResponseWriter.Write(p[n:])
	return n + more, err
}
