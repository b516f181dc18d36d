package fetch

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stowage/stowage/guard"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
)

const bufferSize = 256 << 10 // the chunk that a blob is copied by

// Options are what a Fetcher works with. Source and Shelf are required.
type Options struct {
	Source      Source
	Shelf       Shelf
	Concurrency int // blobs downloaded at once as long as nobody goes short, see downloadRules; 4
	Backoff     Backoff
	Now         func() time.Time
}

// Fetcher brings blobs onto the shelf for all running jobs: each digest once at a time, however many wait for it, a
// bounded number over the network. Make one with New. Safe for concurrent use.
type Fetcher struct {
	source  Source
	shelf   Shelf
	backoff Backoff
	now     func() time.Time
	places  *places
	buffers sync.Pool // of *[]byte
	base    context.Context

	fetched atomic.Int64 // bytes that came over the network
	retries atomic.Int64

	mu      sync.Mutex
	running map[image.Digest]*transfer
	closed  bool // nothing is begun any more
	wg      sync.WaitGroup
}

// New makes a Fetcher. Fetches end with base.
func New(base context.Context, o Options) *Fetcher {
	if o.Concurrency <= 0 {
		o.Concurrency = 4
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Fetcher{
		source: o.Source, shelf: o.Shelf, backoff: o.Backoff.withDefaults(), now: o.Now, base: base,
		places:  newPlaces(o.Concurrency),
		buffers: sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }},
		running: make(map[image.Digest]*transfer),
	}
}

// Lanes returns how many blobs one job should have under way so that the network stays busy while others are made
// durable.
func (f *Fetcher) Lanes() int { return f.places.usual + commitsAtOnce }

// Backoff returns how requests are made again.
func (f *Fetcher) Backoff() Backoff { return f.backoff }

// Traffic counts what came over the network.
type Traffic struct {
	Bytes   int64 // of blobs
	Retries int64 // of blobs
}

// Traffic returns the counts since the start.
func (f *Fetcher) Traffic() Traffic {
	return Traffic{Bytes: f.fetched.Load(), Retries: f.retries.Load()}
}

// Fetch brings a blob onto the shelf unless it is there, and right: stored reports whether it was. watch is told each
// progress to follow, also that of reading what is there where that has to be done.
func (f *Fetcher) Fetch(ctx context.Context, b Blob, watch func(*Progress)) (stored bool, err error) {
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	stored, err = f.prove(ctx, b, watch)
	if err != nil || stored {
		return stored, err
	}
	return false, f.get(ctx, b, watch)
}

// prove reports whether a blob is on the shelf as it should be.
func (f *Fetcher) prove(ctx context.Context, b Blob, watch func(*Progress)) (bool, error) {
	p := &Progress{state: job.Verifying}
	var show sync.Once
	whole, err := f.shelf.ProveBlob(ctx, b.Descriptor, func(n int) {
		show.Do(func() { watch(p) })
		p.bytes.Add(int64(n))
	})
	if err != nil && ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	return whole, err
}

// get brings a blob onto the shelf, or waits for the transfer that does. When ctx ends before the blob is there, and
// nobody else waits for it, the transfer is given up and what it brought stays for the next one.
func (f *Fetcher) get(ctx context.Context, b Blob, watch func(*Progress)) error {
	for {
		t, joined, began := f.join(ctx, b)
		if joined {
			watch(&t.progress)
		}
		select {
		case <-t.done:
		case <-ctx.Done():
			if joined {
				f.leave(ctx, t)
			}
			return context.Cause(ctx)
		}
		switch {
		case !joined: // it was in the way and is gone: begin again
		case t.err == nil:
			return nil
		case ctx.Err() != nil: // it was given up because of that
			return context.Cause(ctx)
		default:
			if err, final := f.outcome(t, b.Repository, began); final {
				return err
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// join makes the caller wait for the transfer of a blob, which it begins where there is none. It cannot join one that
// is being given up, nor one that expects another size: a manifest that lies about a size must not fail others. Those
// have to end first. Once the fetcher is closed it returns a transfer that has failed.
func (f *Fetcher) join(ctx context.Context, b Blob) (t *transfer, joined, began bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t, ok := f.running[b.Digest]; ok {
		if len(t.waiting) == 0 || t.Size != b.Size {
			return t, false, false
		}
		t.waiting = append(t.waiting, ctx)
		f.offer(t, b)
		return t, true, false
	}
	if f.closed {
		t = newTransfer(ctx, b, func() {})
		t.err = job.ErrClosing
		close(t.done)
		return t, true, true
	}
	fetching, cancel := context.WithCancel(f.base)
	t = newTransfer(ctx, b, cancel)
	t.progress.state = job.Waiting
	f.running[b.Digest] = t
	f.wg.Go(func() { f.run(fetching, t) })
	return t, true, true
}

// leave stops waiting. The last one to leave waits until the blob's file is at rest.
func (f *Fetcher) leave(ctx context.Context, t *transfer) {
	f.mu.Lock()
	if i := slices.Index(t.waiting, ctx); i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
	}
	last := len(t.waiting) == 0
	f.mu.Unlock()
	if last {
		t.cancel()
		<-t.done
	}
}

// abandoned returns a transfer up where nobody waits for it any more but some who have not left yet, and reports
// whether it did. Else the place of what a cancelled job was fetching would go to the next blob of the same job.
func (f *Fetcher) abandoned(t *transfer) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if slices.ContainsFunc(t.waiting, func(ctx context.Context) bool { return ctx.Err() == nil }) {
		return false
	}
	t.waiting = nil
	t.cancel()
	return true
}

// Close keeps transfers from being begun and waits for those under way, which end with the base context.
func (f *Fetcher) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.wg.Wait()
}

func (f *Fetcher) run(ctx context.Context, t *transfer) {
	defer t.cancel()
	err := guard.Do(func() error { return f.fetch(ctx, t) })
	if err != nil && ctx.Err() == nil {
		t.progress.gaveUp(err)
	}
	f.mu.Lock()
	delete(f.running, t.Digest)
	f.mu.Unlock()
	t.err = err
	close(t.done)
}
