// Package memo remembers answers for a while, within bounds, and has each one asked for once at a time.
package memo

import (
	"context"
	"sync"
	"time"

	"github.com/stowage/stowage/guard"
)

// Memo remembers answers for a while, as many as its bounds allow, and has each one asked for once at a time
// however many wait for it. Failures are not remembered. It may be used by many goroutines at once; what it
// returns is shared and must not be changed.
type Memo[K comparable, V any] struct {
	life  time.Duration // of one answer
	limit time.Duration // for getting one; 0 where that has its own limit; see Within
	now   func() time.Time
	kept  *Recent[K, answer[V]]

	mu      sync.Mutex
	flights map[K]*flight[V]
}

type answer[V any] struct {
	value V
	until time.Time
}

// flight is an answer on its way. It is given up when nobody waits for it any more.
type flight[V any] struct {
	waiting int
	cancel  context.CancelFunc
	done    chan struct{}
	value   V
	err     error
}

// New makes a memo of at most most answers of room bytes together, each remembered for its life.
func New[K comparable, V any](life time.Duration, most int, room int64, size func(K, V) int64) *Memo[K, V] {
	return &Memo[K, V]{
		life: life, now: time.Now, flights: map[K]*flight[V]{},
		kept: NewRecentOf(most, room, func(k K, a answer[V]) int64 { return size(k, a.value) }),
	}
}

// Within limits how long getting one answer takes, and returns the memo.
func (m *Memo[K, V]) Within(limit time.Duration) *Memo[K, V] {
	m.limit = limit
	return m
}

// Get returns the remembered answer, or waits for the one that ask gives. The context of ask is not the
// caller's: it ends when the last of those who wait has left. Errors are those of ask, or the context's.
func (m *Memo[K, V]) Get(ctx context.Context, key K, ask func(context.Context) (V, error)) (V, error) {
	var none V
	if err := ctx.Err(); err != nil {
		return none, err
	}
	m.mu.Lock()
	if v, found := m.Peek(key); found {
		m.mu.Unlock()
		return v, nil
	}
	f := m.flights[key]
	if f == nil {
		f = m.begin(ctx, key, ask)
	}
	f.waiting++
	m.mu.Unlock()
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if f.waiting--; f.waiting == 0 && m.flights[key] == f {
		delete(m.flights, key) // whoever comes now begins anew
		f.cancel()
	}
	return none, ctx.Err()
}

func (m *Memo[K, V]) begin(ctx context.Context, key K, ask func(context.Context) (V, error)) *flight[V] {
	f := &flight[V]{done: make(chan struct{})}
	ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if m.limit > 0 {
		ctx, f.cancel = context.WithTimeout(ctx, m.limit)
	}
	m.flights[key] = f
	go func() {
		defer f.cancel()
		var value V
		err := guard.Do(func() (err error) { value, err = ask(ctx); return err }) // a panic is nobody else's business
		m.mu.Lock()
		f.value, f.err = value, err
		if m.flights[key] == f {
			delete(m.flights, key)
		}
		if err == nil {
			m.kept.Put(key, answer[V]{value, m.now().Add(m.life)})
		}
		m.mu.Unlock()
		close(f.done)
	}()
	return f
}

// Peek returns the remembered answer, and asks nobody.
func (m *Memo[K, V]) Peek(key K) (V, bool) {
	if a, known := m.kept.Get(key); known && m.now().Before(a.until) {
		return a.value, true
	}
	var none V
	return none, false
}

// Forget makes the next Get ask.
func (m *Memo[K, V]) Forget(key K) { m.kept.Take(key) }
