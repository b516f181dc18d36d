package job

import (
	"slices"
	"sync"
)

// maxSubscribers bounds who watches at once; further ones get the newest state and are sent away.
const maxSubscribers = 1024

// broker hands the newest state of each live job to whoever watches it. A subscriber's channel holds one
// state; a newer one takes its place, so publishing never waits. Safe for concurrent use.
type broker struct {
	mu          sync.Mutex
	topics      map[int64]*topic
	subscribers int
}

// topic is one live job.
type topic struct {
	state       func() Job
	last        Job
	told        bool // last was published
	subscribers map[chan Job]struct{}
}

func newBroker() *broker { return &broker{topics: make(map[int64]*topic)} }

// open begins a topic; state gives the job's newest state.
func (b *broker) open(id int64, state func() Job) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.topics[id] = &topic{state: state, subscribers: make(map[chan Job]struct{})}
}

// publish sends the subscribers of a job its newest state, unless they know it.
func (b *broker) publish(id int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topics[id]
	if t == nil || len(t.subscribers) == 0 {
		return
	}
	// The state is taken under the lock, so that an older one can never follow a newer.
	state := t.state()
	if t.told && same(t.last, state) {
		return
	}
	t.last, t.told = state, true
	for ch := range t.subscribers {
		replace(ch, state)
	}
}

// close ends a topic after what was published last.
func (b *broker) close(id int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topics[id]
	if t == nil {
		return
	}
	delete(b.topics, id)
	for ch := range t.subscribers {
		close(ch)
		b.subscribers--
	}
}

// subscribe returns a channel that holds the job's newest state, now and after each change, and is closed
// when the job is no longer live. cancel may be called more than once.
func (b *broker) subscribe(id int64) (states <-chan Job, cancel func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ch := make(chan Job, 1)
	t := b.topics[id]
	if t == nil {
		close(ch)
		return ch, func() {}
	}
	ch <- t.state()
	if b.subscribers >= maxSubscribers {
		close(ch)
		return ch, func() {}
	}
	b.subscribers++
	t.subscribers[ch] = struct{}{}
	return ch, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if _, ok := t.subscribers[ch]; ok && b.topics[id] == t {
			delete(t.subscribers, ch)
			b.subscribers--
			close(ch)
		}
	}
}

// replace puts the newest state into a channel of one, in place of one that was not read. Only the broker
// sends, under its lock, so the second send cannot block.
func replace(ch chan Job, j Job) {
	select {
	case ch <- j:
		return
	default:
	}
	select {
	case <-ch:
	default:
	}
	ch <- j
}

// same reports whether nothing that is shown differs between two states of one job.
func same(a, b Job) bool {
	return a.State == b.State && len(a.By) == len(b.By) && a.Progress.same(b.Progress) &&
		len(a.Outcome.Lines) == len(b.Outcome.Lines) &&
		len(a.Outcome.Pulled) == len(b.Outcome.Pulled) && b.Detail.Same(a.Detail)
}

func (p Progress) same(q Progress) bool {
	return p.Rate == q.Rate && p.Reason.String() == q.Reason.String() && p.RetryAt.Equal(q.RetryAt) &&
		slices.EqualFunc(p.Layers, q.Layers, func(x, y Layer) bool {
			return x.State == y.State && x.Bytes == y.Bytes && x.Reason.String() == y.Reason.String() &&
				x.RetryAt.Equal(y.RetryAt)
		})
}
