package pull

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stowage/stowage/guard"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/share"
)

// blob is something to bring onto the shelf.
type blob struct {
	image.Descriptor
	repository image.Repository // where from
	by         string           // whose share of the downloads it counts in; see share.Requester
	raw        []byte           // its bytes, where they are known: an index or a manifest
}

// fetcher brings blobs onto the shelf for all running jobs: each digest once at a time, however many wait
// for it, a bounded number over the network. Safe for concurrent use.
type fetcher struct {
	source  Source
	shelf   Shelf
	backoff Backoff
	now     func() time.Time
	usual   int           // downloads of pulls at once, as long as nobody goes short
	slots   *share.Places // one held by each download
	urgent  *share.Places // held instead by one that a client waits for
	commits chan struct{} // one held by each commit
	buffers sync.Pool     // of *[]byte
	base    context.Context

	fetched atomic.Int64 // bytes that came over the network
	retries atomic.Int64

	mu      sync.Mutex
	running map[image.Digest]*fetch
	closed  bool // nothing is begun any more
	wg      sync.WaitGroup
}

// fetch is one blob on its way.
type fetch struct {
	blob     // as it was wanted first
	progress progress
	supplies []supply                // where it can be had, one of each registry; guarded by the fetcher
	at       int                     // the one that is tried, guarded by the fetcher
	turn     context.CancelCauseFunc // ends what is tried, guarded by the fetcher
	cancel   context.CancelFunc
	hurry    sync.Once     // closes urgent
	urgent   chan struct{} // closed when a client waits for the blob
	// Of the jobs and clients that wait for it, guarded by the fetcher; with the last one it is given up.
	waiting []context.Context
	done    chan struct{} // closed at the end, when err is set
	err     error
}

func newFetcher(base context.Context, o Options) *fetcher {
	return &fetcher{
		source: o.Source, shelf: o.Shelf, backoff: o.Backoff, now: o.Now, base: base,
		usual: o.Concurrency, slots: share.New(downloadRules(o.Concurrency)), urgent: share.New(downloadRules(urgentAtOnce)),
		commits: make(chan struct{}, commitsAtOnce),
		buffers: sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }},
		running: make(map[image.Digest]*fetch),
	}
}

// lanes is how many blobs one job should have under way so that the network stays busy while others are
// made durable.
func (f *fetcher) lanes() int { return f.usual + cap(f.commits) }

// get brings a blob onto the shelf, or waits for the fetch that does. watch is told each progress to follow.
// When ctx ends before the blob is there, and nobody else waits for it, the fetch is given up and what it
// brought stays for the next one.
func (f *fetcher) get(ctx context.Context, b blob, watch func(*progress)) error {
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
			if err, final := f.outcome(t, b.repository, began); final {
				return err
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// join makes the caller wait for the fetch of a blob, which it begins where there is none. It cannot join
// one that is being given up, nor one that expects another size: a manifest that lies about a size must
// not fail others. Those have to end first. Once the fetcher is closed it gives a fetch that has failed.
func (f *fetcher) join(ctx context.Context, b blob) (t *fetch, joined, began bool) {
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
		t = newFetch(ctx, b, func() {})
		t.err = job.ErrClosing
		close(t.done)
		return t, true, true
	}
	fetching, cancel := context.WithCancel(f.base)
	t = newFetch(ctx, b, cancel)
	t.progress.state = job.Waiting
	f.running[b.Digest] = t
	f.wg.Go(func() { f.run(fetching, t) })
	return t, true, true
}

func newFetch(ctx context.Context, b blob, cancel context.CancelFunc) *fetch {
	return &fetch{
		blob: b, supplies: []supply{{repository: b.repository, by: b.by}}, cancel: cancel, turn: func(error) {},
		waiting: []context.Context{ctx}, urgent: make(chan struct{}), done: make(chan struct{}),
	}
}

// leave stops waiting. The last one to leave waits until the blob's file is at rest.
func (f *fetcher) leave(ctx context.Context, t *fetch) {
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

// abandoned gives a fetch up where nobody waits for it any more but some who have not left yet, and reports whether it did.
// Else the place of what a cancelled job was fetching would go to the next blob of the same job.
func (f *fetcher) abandoned(t *fetch) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if slices.ContainsFunc(t.waiting, func(ctx context.Context) bool { return ctx.Err() == nil }) {
		return false
	}
	t.waiting = nil
	t.cancel()
	return true
}

// close keeps fetches from being begun and waits for those under way, which end with the fetcher's context.
func (f *fetcher) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.wg.Wait()
}

func (f *fetcher) run(ctx context.Context, t *fetch) {
	defer t.cancel()
	err := guard.Do(func() error { return f.bring(ctx, t) })
	if err != nil && ctx.Err() == nil {
		t.progress.gaveUp(err)
	}
	f.mu.Lock()
	delete(f.running, t.Digest)
	f.mu.Unlock()
	t.err = err
	close(t.done)
}
