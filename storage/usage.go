package storage

import (
	"context"
	"sync"
	"time"

	"github.com/stowage/stowage/shelf"
)

const (
	maxRepositories = 60
	maxLargest      = 20
	maxLayerRefs    = 3
)

const (
	// usageShare is how much longer than a count the pause after it is, at least: counting a shelf of 100,000 tags
	// takes seconds, and takes them from whoever pulls.
	usageShare = 10
	usageRest  = 250 * time.Millisecond // how long that pause is at least
	// usageAge is after how long an answer is counted anew although no row changed: files that pulls have brought, and
	// that are no rows yet, are only seen on the disk.
	usageAge = time.Minute
)

// usageCounter works out Usage when somebody asks for it and something changed since the last time: one count at a
// time, off the path of requests, with its results kept.
type usageCounter struct {
	store *Store
	kick  chan struct{}

	mu    sync.Mutex
	last  shelf.Usage
	err   error         // of the last count
	ended chan struct{} // closed, and made anew, when a count has ended
}

func newUsageCounter(s *Store) *usageCounter {
	return &usageCounter{store: s, kick: make(chan struct{}, 1), ended: make(chan struct{})}
}

func (c *usageCounter) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.kick:
		}
		began := time.Now()
		u, err := c.store.countUsage(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			c.store.log.Error("count what uses the disk", "error", err)
		}
		u.Took = time.Since(began)
		c.settle(u, err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(usageRest, usageShare*u.Took)):
		}
	}
}

// settle keeps a count's result; a count that failed leaves the one before.
func (c *usageCounter) settle(u shelf.Usage, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err = err; err == nil {
		c.last = u
	}
	close(c.ended)
	c.ended = make(chan struct{})
}

// state gives the newest result, a channel that is closed at the end of the next count, and how the last one ended.
func (c *usageCounter) state() (u shelf.Usage, ended <-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last, c.ended, c.err
}

// stale has what was counted counted anew, although no row has changed.
func (c *usageCounter) stale() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last.Changes = -1
}

func (c *usageCounter) wake() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// Usage gives what uses the disk as it was last counted, and whether that still holds. If it does not, it is counted
// anew in the background, and Usage waits for that for patience at most. The error is that of a count that failed;
// the Usage beside it is older, or empty.
func (s *Store) Usage(ctx context.Context, patience time.Duration) (u shelf.Usage, current bool, err error) {
	expired := time.NewTimer(patience)
	defer expired.Stop()
	for {
		u, ended, failed := s.usage.state()
		current, err := s.usageHolds(ctx, u)
		if err != nil || current {
			return u, current, err
		}
		s.usage.wake()
		select {
		case <-ended:
			if u, _, failed = s.usage.state(); failed != nil {
				return u, false, failed
			}
		case <-expired.C:
			return u, false, failed
		case <-ctx.Done():
			return u, false, ctx.Err()
		}
	}
}

// usageHolds tells whether nothing has changed since a count.
func (s *Store) usageHolds(ctx context.Context, u shelf.Usage) (bool, error) {
	if s.now().Sub(u.At) > usageAge {
		return false, nil
	}
	return s.rowsHold(ctx, u)
}

// rowsHold tells whether no row has changed since a count.
func (s *Store) rowsHold(ctx context.Context, u shelf.Usage) (bool, error) {
	if u.At.IsZero() {
		return false, nil
	}
	var changes int64
	err := s.db.QueryRowContext(ctx, `SELECT counted_at FROM totals`).Scan(&changes)
	return err == nil && changes == u.Changes, err
}

// Reclaimable gives what a prune could free as it was last counted, at once. It does not ask for a new count: the list
// of images shows it, and counting a large shelf takes a core for seconds.
func (s *Store) Reclaimable() shelf.Reclaimable {
	u, _, _ := s.usage.state()
	return u.Reclaimable
}
