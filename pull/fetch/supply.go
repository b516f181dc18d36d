package fetch

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/stowage/stowage/image"
)

// A blob that jobs want from several registries is fetched from one of them, and from another one where that is slow:
// whoever lists a blob of everybody's at a registry that drips must not hold it up for them.
const (
	patience     = 2 * time.Second // for which a registry is given time, where another one has the blob too
	patientBytes = 256 << 10       // what it has to bring in that time not to be left for one that was not tried yet
	muchFaster   = 4               // how many times faster one that was tried has to have been to be gone back to
	mostSupplies = 8               // registries of one transfer; those who come later wait for these
)

// errElsewhere ends what is tried because the blob is tried from another registry.
var errElsewhere = errors.New("the blob is fetched from another registry")

// offer notes another registry that a transfer can be made from. f.mu is held.
func (f *Fetcher) offer(t *transfer, b Blob) {
	host := b.Repository.Host()
	if b.Raw != nil || len(t.supplies) >= mostSupplies || slices.ContainsFunc(t.supplies,
		func(s supply) bool { return s.repository.Host() == host }) {
		return
	}
	if t.supplies = append(t.supplies, supply{repository: b.Repository, by: b.By}); len(t.supplies) == 2 {
		f.wg.Go(func() { f.watchPace(t) })
	}
}

// supply returns where to fetch from now, and the context of that turn.
func (f *Fetcher) supply(ctx context.Context, t *transfer) (supply, context.Context) {
	turn, cancel := context.WithCancelCause(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	t.turn(nil) // the one before is over
	t.turn = cancel
	t.supplies[t.at].tried = true
	return t.supplies[t.at], turn
}

// goesOn notes why a blob could not be had from somewhere, and reports whether it may be had elsewhere.
func (f *Fetcher) goesOn(t *transfer, from supply, err error) bool {
	if kind := image.KindOf(err); kind == image.Internal || kind == image.DiskFull { // it is not the registry's fault
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range t.supplies {
		if t.supplies[i].repository == from.repository {
			t.supplies[i].err = err
		}
	}
	if t.supplies[t.at].err == nil { // it was left for another one meanwhile
		return true
	}
	next := slices.IndexFunc(t.supplies, func(s supply) bool { return s.err == nil })
	t.at = max(next, 0)
	return next >= 0
}

// outcome returns the error of a transfer that has failed for one who wanted it from a repository. It is not final
// where it failed elsewhere only: what failed for another repository may well work from this one.
//
//nolint:revive // the error is what is looked up
func (f *Fetcher) outcome(t *transfer, repository image.Repository, began bool) (err error, final bool) {

	f.mu.Lock()

	defer f.mu.Unlock()

	for _, s := range t.supplies {
		if s.repository == repository && s.err != nil {
			return s.err, true
		}
	}
	return t.err, began || image.KindOf(t.err) == image.DiskFull
}

// watchPace has a transfer that can be made from several registries made from one that is not slow.
func (f *Fetcher) watchPace(t *transfer) {
	tick := time.NewTicker(patience)
	defer tick.Stop()
	before := t.progress.moved.Load()
	for {
		select {
		case <-t.done:
			return
		case <-tick.C:
		}
		now := t.progress.moved.Load()
		if !t.progress.verifies() {
			f.compare(t, now-before)
		}
		before = now
	}
}

// compare goes elsewhere where that may be faster. got is what came since it was called last.
func (f *Fetcher) compare(t *transfer, got int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t.supplies[t.at].rate = got
	next := -1
	for i, s := range t.supplies {
		switch {
		case i == t.at || s.err != nil:
		case !s.tried && got < patientBytes:
			next = i
		case s.tried && s.rate > muchFaster*got && (next < 0 || t.supplies[next].tried && s.rate > t.supplies[next].rate):
			next = i
		}
	}
	if next >= 0 {
		t.at = next
		t.turn(errElsewhere)
	}
}
