package storage

import (
	"maps"
	"sync"

	"github.com/stowage/stowage/image"
)

// holds counts who needs a blob file that no row asks for yet. The sweeper removes a file only under mu
// and only while nobody holds it, so a pull that saw a file under a hold still has it at its end.
type holds struct {
	mu    sync.Mutex
	count map[image.Digest]int
}

// Hold keeps blobs, stored or about to be, from being swept until release is called. release may be
// called more than once.
func (s *Blobs) Hold(digests []image.Digest) (release func()) {
	h := &s.holds
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.count == nil {
		h.count = make(map[image.Digest]int)
	}
	for _, d := range digests {
		h.count[d]++
	}
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, d := range digests {
			if h.count[d]--; h.count[d] <= 0 {
				delete(h.count, d)
			}
		}
	})
}

// held reports whether somebody holds a blob.
func (h *holds) held(d image.Digest) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count[d] > 0
}

// unlessHeld runs f while nobody can begin to hold d; not at all when somebody holds it.
func (h *holds) unlessHeld(d image.Digest, f func() error) (done bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.count[d] > 0 {
		return false, nil
	}
	return true, f()
}

// all returns what is held now.
func (h *holds) all() map[image.Digest]bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	held := make(map[image.Digest]bool, len(h.count))
	for d := range maps.Keys(h.count) {
		held[d] = true
	}
	return held
}
