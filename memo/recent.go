package memo

import (
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Recent remembers what was used last, within bounds. It may be used by many goroutines at once; what it returns is
// shared and must not be changed.
type Recent[K comparable, V any] struct {
	room  int64            // bytes of all values
	bytes func(K, V) int64 // of one

	mu   sync.Mutex
	kept *simplelru.LRU[K, V]
	held int64 // bytes
}

// NewRecent makes one of at most most values.
func NewRecent[K comparable, V any](most int) *Recent[K, V] {
	return NewRecentOf(most, math.MaxInt64, func(K, V) int64 { return 0 })
}

// NewRecentOf makes one of at most most values that have room bytes together.
func NewRecentOf[K comparable, V any](most int, room int64, bytes func(K, V) int64) *Recent[K, V] {
	r := &Recent[K, V]{room: room, bytes: bytes}
	r.kept, _ = simplelru.NewLRU(most, func(k K, v V) { r.held -= bytes(k, v) }) // fails where most is not positive
	return r
}

// Get returns what is remembered.
func (r *Recent[K, V]) Get(k K) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kept.Get(k)
}

// Put remembers a value.
func (r *Recent[K, V]) Put(k K, v V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(k, v)
}

func (r *Recent[K, V]) put(k K, v V) {
	if old, known := r.kept.Peek(k); known {
		r.held -= r.bytes(k, old)
	}
	r.held += r.bytes(k, v)
	for r.kept.Add(k, v); r.held > r.room; {
		r.kept.RemoveOldest()
	}
}

// Change puts the value that f makes of the one that is there, or of the zero value, and returns it.
func (r *Recent[K, V]) Change(k K, f func(V) V) V {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, _ := r.kept.Get(k)
	v = f(v)
	r.put(k, v)
	return v
}

// Take returns what is remembered, and forgets it.
func (r *Recent[K, V]) Take(k K) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, known := r.kept.Peek(k)
	r.kept.Remove(k)
	return v, known
}

// Clear forgets everything.
func (r *Recent[K, V]) Clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept.Purge()
}

// All returns every value that is remembered.
func (r *Recent[K, V]) All() []V {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kept.Values()
}

// Len returns how many are remembered.
func (r *Recent[K, V]) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kept.Len()
}

// Current remembers what was looked up at one change of a database, and nothing of it once there is a newer one.
type Current[K comparable, V any] struct {
	mu     sync.Mutex
	change int64
	kept   *simplelru.LRU[K, V]
}

// NewCurrent makes one of at most most look-ups.
func NewCurrent[K comparable, V any](most int) *Current[K, V] {
	kept, _ := simplelru.NewLRU[K, V](most, nil) // fails where most is not positive
	return &Current[K, V]{kept: kept}
}

// Get returns what was looked up, if that was at change.
func (c *Current[K, V]) Get(k K, change int64) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.change != change {
		var none V
		return none, false
	}
	return c.kept.Get(k)
}

// Put remembers what was looked up at change; not where that is older than what is there, as of a slow look-up.
func (c *Current[K, V]) Put(k K, v V, change int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if change < c.change {
		return
	}
	if change > c.change {
		c.kept.Purge()
		c.change = change
	}
	c.kept.Add(k, v)
}
