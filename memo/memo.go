// Package memo remembers answers for a while, within bounds, and has each one asked for once at a time.
package memo

import (
	"container/list"
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// Memo remembers answers for a while, as many as its bounds allow, and has each one asked for once at a time
// however many wait for it. Failures are not remembered. It may be used by many goroutines at once; what it
// returns is shared and must not be changed.
type Memo[K comparable, V any] struct {
	life  time.Duration    // of one answer
	limit time.Duration    // for getting one; 0 where that has its own limit; see Within
	most  int              // answers
	room  int64            // bytes of all answers
	size  func(K, V) int64 // bytes of one
	now   func() time.Time

	mu      sync.Mutex
	kept    map[K]*list.Element
	order   list.List // of *kept[K, V], the one used last in front
	held    int64     // bytes
	flights map[K]*flight[V]
}

type kept[K comparable, V any] struct {
	key   K
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
		life: life, most: most, room: room, size: size, now: time.Now,
		kept: map[K]*list.Element{}, flights: map[K]*flight[V]{},
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
	if v, found := m.recall(key); found {
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
		value, err := Safely(ctx, ask)
		m.mu.Lock()
		f.value, f.err = value, err
		if m.flights[key] == f {
			delete(m.flights, key)
		}
		if err == nil {
			m.keep(key, value)
		}
		m.mu.Unlock()
		close(f.done)
	}()
	return f
}

// Safely turns a panic into an error: it is nobody else's business.
func Safely[V any](ctx context.Context, ask func(context.Context) (V, error)) (value V, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return ask(ctx)
}

// Peek returns the remembered answer, and asks nobody.
func (m *Memo[K, V]) Peek(key K) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.recall(key)
}

// Forget makes the next Get ask.
func (m *Memo[K, V]) Forget(key K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.kept[key]; e != nil {
		m.drop(e)
	}
}

func (m *Memo[K, V]) recall(key K) (V, bool) {
	e := m.kept[key]
	if e == nil {
		var none V
		return none, false
	}
	k := e.Value.(*kept[K, V])
	if !m.now().Before(k.until) {
		m.drop(e)
		var none V
		return none, false
	}
	m.order.MoveToFront(e)
	return k.value, true
}

func (m *Memo[K, V]) keep(key K, value V) {
	if e := m.kept[key]; e != nil {
		m.drop(e)
	}
	m.kept[key] = m.order.PushFront(&kept[K, V]{key: key, value: value, until: m.now().Add(m.life)})
	m.held += m.size(key, value)
	for m.order.Len() > m.most || m.held > m.room && m.order.Len() > 0 {
		m.drop(m.order.Back())
	}
}

func (m *Memo[K, V]) drop(e *list.Element) {
	k := m.order.Remove(e).(*kept[K, V])
	delete(m.kept, k.key)
	m.held -= m.size(k.key, k.value)
}
