package storage

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/blob"
	"github.com/stowage/stowage/storage/database"
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

// Usage works out what uses the disk when somebody asks for it and something changed since the last time: one count at
// a time, off the path of requests, with its results kept.
type Usage struct {
	dir      string // the data folder
	db       *database.DB
	blobs    *blob.Store
	removals *Removals
	log      *slog.Logger
	now      func() time.Time
	kick     chan struct{}

	mu    sync.Mutex
	last  shelf.Usage
	err   error         // of the last count
	ended chan struct{} // closed, and made anew, when a count has ended
}

func (s *Usage) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.kick:
		}
		began := time.Now()
		u, err := s.countUsage(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.log.Error("count what uses the disk", "error", err)
		}
		u.Took = time.Since(began)
		s.settle(u, err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(usageRest, usageShare*u.Took)):
		}
	}
}

// settle keeps a count's result; a count that failed leaves the one before.
func (s *Usage) settle(u shelf.Usage, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err = err; err == nil {
		s.last = u
	}
	close(s.ended)
	s.ended = make(chan struct{})
}

// state returns the newest result, a channel that is closed at the end of the next count, and how the last one ended.
func (s *Usage) state() (u shelf.Usage, ended <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.ended, s.err
}

// stale has what was counted counted anew, although no row has changed.
func (s *Usage) stale() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last.Changes = -1
}

func (s *Usage) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// Usage returns what uses the disk as it was last counted, and whether that still holds. If it does not, it is counted
// anew in the background, and Usage waits for that for patience at most. The error is that of a count that failed;
// the Usage beside it is older, or empty.
func (s *Usage) Usage(ctx context.Context, patience time.Duration) (u shelf.Usage, current bool, err error) {
	expired := time.NewTimer(patience)
	defer expired.Stop()
	for {
		u, ended, failed := s.state()
		current, err := s.usageHolds(ctx, u)
		if err != nil || current {
			return u, current, err
		}
		s.wake()
		select {
		case <-ended:
			if u, _, failed = s.state(); failed != nil {
				return u, false, failed
			}
		case <-expired.C:
			return u, false, failed
		case <-ctx.Done():
			return u, false, ctx.Err()
		}
	}
}

// usageHolds reports whether nothing has changed since a count.
func (s *Usage) usageHolds(ctx context.Context, u shelf.Usage) (bool, error) {
	if s.now().Sub(u.At) > usageAge {
		return false, nil
	}
	return s.rowsHold(ctx, u)
}

// rowsHold reports whether no row has changed since a count.
func (s *Usage) rowsHold(ctx context.Context, u shelf.Usage) (bool, error) {
	if u.At.IsZero() {
		return false, nil
	}
	var changes int64
	err := s.db.QueryRowContext(ctx, `SELECT counted_at FROM totals`).Scan(&changes)
	return err == nil && changes == u.Changes, err
}

// Reclaimable returns what a prune could free as it was last counted, at once. It does not ask for a new count: the
// list of images shows it, and counting a large shelf takes a core for seconds.
func (s *Usage) Reclaimable() shelf.Reclaimable {
	u, _, _ := s.state()
	return u.Reclaimable
}
