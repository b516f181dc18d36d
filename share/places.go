// Package share hands out a bounded number of places so that nobody goes short of them: neither behind a host that is
// slow nor behind somebody who wants very many.
package share

import (
	"context"
	"slices"
	"sync"

	"github.com/stowage/stowage/memo"
)

// Key says what a place is for. Either part may be empty, which is a host or a requester like any other.
type Key struct {
	Host string // that is waited for while the place is held
	By   string // who wants it
}

// Rules are the bounds of Places. Places up to Usual are anybody's. Beyond them a host finds PerHost places and a
// requester finds PerRequester, whatever others hold, up to Most in all; of those for hosts nobody gets more than half
// of Most, so that many names of one host do not take what is left.
type Rules struct {
	Usual        int
	PerHost      int
	PerRequester int
	Most         int
}

// mostTurns bounds the requesters of whom it is remembered when they had their turn.
const mostTurns = 4096

// Places are given first to whoever holds the fewest, then to whoever has had none for the longest time, then in the
// order in which they were asked for. Make them with New. Safe for concurrent use.
type Places struct {
	rules Rules

	mu      sync.Mutex
	held    int
	hosts   map[string]int
	by      map[string]int
	turns   *memo.Recent[string, int64] // when a requester was given a place last
	turn    int64
	waiting []*waiter
}

type waiter struct {
	key   Key
	given chan struct{} // closed when the place is the waiter's
}

// New makes Places, all of them free.
func New(r Rules) *Places {
	return &Places{rules: r, hosts: map[string]int{}, by: map[string]int{},
		turns: memo.NewRecent[string, int64](mostTurns)}
}

// Take waits for a place until ctx ends; the error is then its cause. The place is held until release is called, once.
func (p *Places) Take(ctx context.Context, key Key) (release func(), err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	w := &waiter{key: key, given: make(chan struct{})}
	p.mu.Lock()
	p.waiting = append(p.waiting, w)
	p.serve()
	p.mu.Unlock()
	select {
	case <-w.given:
	case <-ctx.Done():
		p.mu.Lock()
		i := slices.Index(p.waiting, w)
		if i >= 0 {
			p.waiting = slices.Delete(p.waiting, i, i+1)
		}
		p.mu.Unlock()
		if i < 0 { // it was given this very moment
			p.release(key)
		}
		return nil, context.Cause(ctx)
	}
	return func() { p.release(key) }, nil
}

// Try takes a place where there is one now.
func (p *Places) Try(key Key) (release func(), ok bool) {
	_, release, ok = p.Choose(1, func(int) Key { return key })
	return release, ok
}

// Choose takes a place for that one of n waiting ones whose turn it is, and tells which; none where no place is free
// for any. The waiting ones are in the order in which they came.
func (p *Places) Choose(n int, keyOf func(i int) Key) (i int, release func(), ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i = p.next(n, keyOf); i < 0 {
		return 0, nil, false
	}
	key := keyOf(i)
	p.give(key)
	return i, func() { p.release(key) }, true
}

// Held returns how many places are held.
func (p *Places) Held() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

// serve gives places to those who wait in Take. p.mu is held.
func (p *Places) serve() {
	for {
		i := p.next(len(p.waiting), func(i int) Key { return p.waiting[i].key })
		if i < 0 {
			return
		}
		w := p.waiting[i]
		p.waiting = slices.Delete(p.waiting, i, i+1)
		p.give(w.key)
		close(w.given)
	}
}

// next finds whose turn it is; -1 where there is no place for any. p.mu is held.
func (p *Places) next(n int, keyOf func(i int) Key) int {
	best := -1
	var held int
	var turn int64
	for i := range n {
		key := keyOf(i)
		if !p.may(key) {
			continue
		}
		t, _ := p.turns.Get(key.By)
		h := p.by[key.By]
		if best < 0 || h < held || h == held && t < turn {
			best, held, turn = i, h, t
		}
	}
	return best
}

// may reports whether there is a place for a key. p.mu is held.
func (p *Places) may(key Key) bool {
	r, mine := p.rules, p.by[key.By]
	switch {
	case p.held < r.Usual:
		return true
	case p.held >= r.Most:
		return false
	case mine < r.PerRequester:
		return true
	}
	return p.hosts[key.Host] < r.PerHost && mine < r.Most/2
}

func (p *Places) give(key Key) {
	p.held++
	p.hosts[key.Host]++
	p.by[key.By]++
	p.turn++
	p.turns.Put(key.By, p.turn)
}

func (p *Places) release(key Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held--
	less(p.hosts, key.Host)
	less(p.by, key.By)
	p.serve()
}

// less counts down, and forgets who holds nothing.
func less(held map[string]int, who string) {
	if held[who]--; held[who] <= 0 {
		delete(held, who)
	}
}
