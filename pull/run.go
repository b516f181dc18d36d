package pull

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/share"
	"github.com/stowage/stowage/shelf"
)

// run is a live job. Its fields are guarded by mu, but for those that never change.
type run struct {
	id        int64
	what      string // identity of the request
	reference image.Reference
	platforms []image.Platform
	allTags   bool
	match     string
	key       share.Key               // what its places are counted by
	target    image.Digest            // of the tag, where whoever asked has found it out; the worker's alone
	asked     time.Time               // when that was
	over      chan struct{}           // closed when the job has come to rest
	cancel    context.CancelCauseFunc // set under the queue's lock when the job is started
	room      shelf.Reservation       // for tags to come, where it is known what they take; may be nil; the worker's alone
	saving    sync.Mutex              // so that an older state is never saved over a newer one
	received  atomic.Int64            // bytes of an upload that have come

	mu      sync.Mutex
	job     Job  // all but Layers
	handed  bool // job.Tags has been handed out and is not to be changed any more
	tag     int  // the line of the tag at work; -1 where there is none
	layers  []*layer
	configs []*layer // not listed; only that one of them is being retried is shown
	meter   meter
	moved   int64 // bytes that came for blobs that were shown before, before a restart too
}

func newRun(j Job) *run {
	key := share.Key{Host: j.Reference.Repository.Host()}
	if len(j.Requesters) > 0 {
		key.By = share.Requester(j.Requesters[0])
	}
	return &run{
		key: key,
		id:  j.ID, what: identity(j), reference: j.Reference, platforms: j.Platforms, allTags: j.AllTags, match: j.Match,
		over: make(chan struct{}), cancel: func(error) {}, job: j, handed: true, tag: -1, moved: j.Moved,
	}
}

// change updates the job.
func (r *run) change(f func(j *Job)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.job)
}

// addRequester tells whether somebody new, who is remembered, asks for the job.
func (r *run) addRequester(by string) (added bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if by == "" || len(r.job.Requesters) >= maxAskers || slices.Contains(r.job.Requesters, by) {
		return false
	}
	r.job.Requesters = append(r.job.Requesters, by)
	return true
}

// firstRequester gives in whose name the pull is recorded.
func (r *run) firstRequester() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.job.Requesters) == 0 {
		return ""
	}
	return r.job.Requesters[0]
}

// snapshot copies the job as it is now.
func (r *run) snapshot() Job {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := r.job
	j.Platforms = slices.Clone(j.Platforms)
	j.Requesters = slices.Clone(j.Requesters)
	j.Pulled = slices.Clone(j.Pulled)
	j.Lines = slices.Clone(j.Lines)
	r.handed = true // Tags is shared: thousands of lines must not be copied several times a second
	if j.Problem != nil {
		p := *j.Problem
		j.Problem = &p
	}
	if j.Upload != nil {
		u := *j.Upload
		u.Received, u.Images = r.received.Load(), slices.Clone(u.Images)
		j.Upload = &u
	}
	if j.Upload == nil {
		j.Moved = r.fetchedBytes()
	}
	j.Layers = make([]Layer, len(r.layers))
	for i, l := range r.layers {
		j.Layers[i] = l.snapshot()
	}
	for _, l := range r.configs {
		if c := l.snapshot(); c.State == Retrying && !j.State.Final() {
			j.Reason, j.ReasonText, j.RetryAt = c.Reason, c.ReasonText, c.RetryAt
		}
	}
	if j.State.Final() {
		for i := range j.Layers {
			j.Layers[i].settle()
		}
	}
	return j
}

// settle is how a layer of a job that is over is shown: what was interrupted is not under way any more.
func (l *Layer) settle() {
	l.RetryAt = time.Time{}
	if l.State == Downloading || l.State == Verifying || l.State == Retrying {
		l.State = Waiting
	}
}

// showConfig makes the job say when a config is being retried.
func (r *run) showConfig(d image.Descriptor) *layer {
	l := &layer{Descriptor: d}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.configs = append(r.configs, l)
	return l
}

// show lists other layers than before.
func (r *run) show(layers []*layer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.moved = r.fetchedBytes()
	r.layers, r.configs = layers, nil
	if !r.allTags {
		r.meter = meter{}
	}
}

// lost shows layers as not fetched that are not there any more.
func (r *run) lost(there func(image.Descriptor) bool) {
	r.mu.Lock()
	layers := slices.Clone(r.layers)
	r.mu.Unlock()
	for _, l := range layers { // looks at the disk, so not under the lock
		if !there(l.Descriptor) {
			l.givenUp()
		}
	}
}

// brings finds a blob among those that are shown, and the configs.
func (r *run) brings(d image.Digest) (image.Descriptor, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range slices.Concat(r.layers, r.configs) {
		if l.Digest == d {
			return bare(l.Descriptor), true
		}
	}
	return image.Descriptor{}, false
}

// movedBytes gives what came over the network so far. r.mu is held.
func (r *run) movedBytes() int64 { return r.fetchedBytes() + r.received.Load() }

// fetchedBytes is movedBytes without what somebody sends. r.mu is held.
func (r *run) fetchedBytes() int64 {
	moved := r.moved
	for _, l := range slices.Concat(r.layers, r.configs) {
		moved += l.moved()
	}
	return moved
}

// sample measures the rate, and how far the tag at work is.
func (r *run) sample(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.job.State != Pulling {
		return
	}
	r.job.Rate = r.meter.add(now, r.movedBytes())
	r.countTag()
}
