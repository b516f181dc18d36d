package pull

import "sync"

// recent remembers what was used last: at least the newest values, at most twice as many. Safe for concurrent use.
type recent[K comparable, V any] struct {
	most int // values of one generation

	mu          sync.Mutex
	now, before map[K]V
}

func newRecent[K comparable, V any](most int) *recent[K, V] {
	return &recent[K, V]{most: most, now: make(map[K]V)}
}

func (r *recent[K, V]) get(k K) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.now[k]
	if ok {
		return v, true
	}
	if v, ok = r.before[k]; ok {
		r.add(k, v)
	}
	return v, ok
}

func (r *recent[K, V]) put(k K, v V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(k, v)
}

// change puts the value that f makes of the one that is there, or of the zero value, and gives it.
func (r *recent[K, V]) change(k K, f func(V) V) V {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.now[k]
	if !ok {
		v = r.before[k]
	}
	v = f(v)
	r.add(k, v)
	return v
}

// add puts a value among the newest. r.mu is held.
func (r *recent[K, V]) add(k K, v V) {
	if _, there := r.now[k]; !there && len(r.now) >= r.most {
		r.before, r.now = r.now, make(map[K]V)
	}
	r.now[k] = v
}
