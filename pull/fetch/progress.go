package fetch

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
)

// Progress is how far one blob is. The transfer that brings the blob writes it and every job that waits for the blob
// reads it; the bytes are atomic so that a chunk costs no lock.
type Progress struct {
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

// Moved returns the bytes that came over the network. It never goes down.
func (p *Progress) Moved() int64 { return p.moved.Load() }

// Show fills in what of a job's layer follows from the progress.
func (p *Progress) Show(l *job.Layer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.State, l.Reason, l.RetryAt = p.state, p.reason, p.retryAt
	l.Bytes, l.Resumed = p.bytes.Load(), p.resumed.Load()
}

// adds counts bytes that have come to the disk.
func (p *Progress) adds(n int) {
	p.bytes.Add(int64(n))
	if p.watched.Load() {
		p.tell()
		runtime.Gosched() // whoever waits goes first: its client sees the bytes sooner, and the next ones are not late
	}
}

// next returns a channel that is closed when more bytes are there, or when they have been thrown away.
func (p *Progress) next() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.news == nil {
		p.news = make(chan struct{})
		p.watched.Store(true)
	}
	return p.news
}

func (p *Progress) tell() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.news != nil {
		close(p.news)
		p.news = nil
		p.watched.Store(false)
	}
}

// is changes the state; what is no longer being retried has no reason.
func (p *Progress) is(state job.LayerState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state, p.reason, p.retryAt = state, image.Text{}, time.Time{}
}

// verifies reports whether all has come and is being proved.
func (p *Progress) verifies() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state == job.Verifying
}

// retrying says why and when the next try is made.
func (p *Progress) retrying(err error, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state, p.reason, p.retryAt = job.Retrying, job.ProblemOf(err).Message, at
}

// gaveUp keeps the reason of a failure.
func (p *Progress) gaveUp(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state, p.reason, p.retryAt = job.Waiting, job.ProblemOf(err).Message, time.Time{}
}

// begins sets what is on disk already.
func (p *Progress) begins(offset int64) {
	p.bytes.Store(offset)
	p.resumed.Store(offset)
	p.tell()
}

// anew has the bytes on disk thrown away by restart. Who reads them sees that they are others from then on.
func (p *Progress) anew(restart func() error) error {
	p.turns.Add(1)
	p.bytes.Store(0)
	if err := restart(); err != nil {
		return err // the blob has failed, and nobody reads on
	}
	p.turns.Add(1)
	p.begins(0)
	return nil
}
