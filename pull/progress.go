package pull

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
)

// progress is how far one blob is. The fetch that brings the blob writes it and every job that waits for
// the blob reads it; the bytes are atomic so that a chunk costs no lock.
type progress struct {
	bytes   atomic.Int64 // on disk
	resumed atomic.Int64 // of those, left by an earlier attempt
	moved   atomic.Int64 // came over the network; never goes down
	turns   atomic.Int64 // odd while the file is being begun anew, and two more after it

	mu      sync.Mutex
	state   job.LayerState
	reason  image.Text
	retryAt time.Time

	watched atomic.Bool   // somebody waits for news
	news    chan struct{} // closed with the next, guarded by mu; nil where nobody waits
}

// adds counts bytes that have come to the disk.
func (p *progress) adds(n int) {
	p.bytes.Add(int64(n))
	if p.watched.Load() {
		p.tell()
		runtime.Gosched() // whoever waits goes first: its client sees the bytes sooner, and the next ones are not late
	}
}

// next gives a channel that is closed when more bytes are there, or when they have been thrown away.
func (p *progress) next() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.news == nil {
		p.news = make(chan struct{})
		p.watched.Store(true)
	}
	return p.news
}

func (p *progress) tell() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.news != nil {
		close(p.news)
		p.news = nil
		p.watched.Store(false)
	}
}

// is changes the state; what is no longer being retried has no reason.
func (p *progress) is(state job.LayerState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state, p.reason, p.retryAt = state, image.Text{}, time.Time{}
}

// verifies tells whether all has come and is being proved.
func (p *progress) verifies() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state == job.Verifying
}

// retrying says why and when the next try is made.
func (p *progress) retrying(err error, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state, p.reason, p.retryAt = job.Retrying, job.ProblemOf(err).Message, at
}

// gaveUp keeps the reason of a failure.
func (p *progress) gaveUp(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state, p.reason, p.retryAt = job.Waiting, job.ProblemOf(err).Message, time.Time{}
}

// begins sets what is on disk already.
func (p *progress) begins(offset int64) {
	p.bytes.Store(offset)
	p.resumed.Store(offset)
	p.tell()
}

// anew has the bytes on disk thrown away by restart. Who reads them sees that they are others from then on.
func (p *progress) anew(restart func() error) error {
	p.turns.Add(1)
	p.bytes.Store(0)
	if err := restart(); err != nil {
		return err // the blob has failed, and nobody reads on
	}
	p.turns.Add(1)
	p.begins(0)
	return nil
}

// layer is one blob of a job as its page shows it.
type layer struct {
	image.Descriptor
	attests bool // it is no layer but describes an image

	mu        sync.Mutex
	platforms []image.Platform
	stored    bool
	gone      bool      // what came of it was given up
	source    *progress // nil until a fetch brings it
	base      int64     // bytes that source had moved before this job came
	earlier   int64     // bytes that others moved that it showed before
}

// follow makes the layer show a fetch, one that other jobs may have begun.
func (l *layer) follow(p *progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.source != nil {
		l.earlier += l.source.moved.Load() - l.base
	}
	l.source, l.base = p, p.moved.Load()
}

// usedBy says that the image of a platform has the layer.
func (l *layer) usedBy(p image.Platform) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.Known() && !slices.Contains(l.platforms, p) {
		l.platforms = append(l.platforms, p)
	}
}

// isStored says that nothing had to be fetched.
func (l *layer) isStored() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stored = true
}

// givenUp says that what came of the layer is not there any more.
func (l *layer) givenUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = true
}

// Moved implements job.Shown: the bytes that came over the network while this job waited for them.
func (l *layer) Moved() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.source == nil {
		return 0
	}
	return l.earlier + l.source.moved.Load() - l.base
}

// Snapshot implements job.Shown.
func (l *layer) Snapshot() job.Layer {
	l.mu.Lock()
	source, stored, gone, platforms := l.source, l.stored, l.gone, slices.Clone(l.platforms)
	l.mu.Unlock()
	s := job.Layer{Digest: l.Digest, Size: l.Size, State: job.Waiting, Platform: platforms, Attests: l.attests}
	switch {
	case gone:
	case stored:
		s.State, s.Bytes = job.AlreadyStored, l.Size
	case source != nil:
		source.mu.Lock()
		s.State, s.Reason, s.RetryAt = source.state, source.reason, source.retryAt
		source.mu.Unlock()
		s.Bytes, s.Resumed = source.bytes.Load(), source.resumed.Load()
	}
	return s
}
