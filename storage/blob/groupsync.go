package blob

import "sync"

// groupSync lets concurrent callers share one sync of a folder. It costs one sync for everyone who came
// while the one before was running, instead of one each.
type groupSync struct {
	sync func() error
	turn chan struct{} // holds the token of whoever syncs

	mu   sync.Mutex
	next *syncRound // not begun; whoever comes joins it
}

// syncRound is one sync and those who wait for it. Its fields belong to the holder of the turn.
type syncRound struct {
	done bool
	err  error
}

func newGroupSync(sync func() error) *groupSync {
	return &groupSync{sync: sync, turn: make(chan struct{}, 1)}
}

// Sync returns after a sync that began after the call, with that sync's error.
func (g *groupSync) Sync() error {
	g.mu.Lock()
	if g.next == nil {
		g.next = &syncRound{}
	}
	round := g.next
	g.mu.Unlock()

	g.turn <- struct{}{}
	defer func() { <-g.turn }()
	if round.done {
		return round.err
	}
	// Only the holder of the turn begins rounds and ends them before giving the turn up, so this one is
	// still the next. Nobody may join it from here on.
	g.mu.Lock()
	g.next = nil
	g.mu.Unlock()
	round.err = g.sync()
	round.done = true
	return round.err
}
