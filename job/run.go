package job

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/stowage/stowage/image"
)

// maxRequesters is how many who ask for one job are remembered; a client can go by any name.
const maxRequesters = 100

// Run is a live job, one that waits or is worked on. Safe for concurrent use.
type Run struct {
	id      int64
	over    chan struct{}           // closed when the job has come to rest
	cancel  context.CancelCauseFunc // guarded by live, as stopped is
	stopped bool                    // somebody has cancelled it
	saving  sync.Mutex              // so that an older state is never saved over a newer one

	mu      sync.Mutex // guards what follows
	lease   Lease      // of a job that is claimed
	job     Job        // all but Layers
	shared  bool       // job's Detail has been handed out since it was changed last
	refresh func(*Job) // brings the job up to date before it is handed out, its Detail for good; may be nil
	layers  []Shown
	hidden  []Shown // not listed: that one of them is being retried is shown, and what they move is counted
	meter   meter
	moved   int64 // bytes that came for blobs that were shown before, before a restart too
}

func newRun(j Job) *Run {
	return &Run{id: j.ID, over: make(chan struct{}), cancel: func(error) {}, job: j, shared: true, moved: j.Progress.Moved}
}

// begin notes that the job is claimed.
func (r *Run) begin(l Lease) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lease = l
}

// leased returns the claim of the job; its epoch is 0 while the job waits.
func (r *Run) leased() Lease {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Lease{ID: r.id, Epoch: r.lease.Epoch}
}

// log returns a log of what happens to the job.
func (r *Run) log(l *slog.Logger) *slog.Logger {
	r.mu.Lock()
	defer r.mu.Unlock()
	return l.With(append([]any{"job", r.id}, r.job.Detail.Log()...)...)
}

// ID returns the job's number.
func (r *Run) ID() int64 { return r.id }

// Subject returns what the job is about.
func (r *Run) Subject() image.Reference {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.job.Reference()
}

// Change updates the job.
func (r *Run) Change(f func(j *Job)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.job)
}

// ChangeDetail replaces the job's Detail. shared reports whether the one it gets has been handed out: what it refers to
// is not to be changed then, only copied.
func (r *Run) ChangeDetail(f func(d Detail, shared bool) Detail) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.job.Detail, r.shared = f(r.job.Detail, r.shared), false
}

// Refresh has f bring the job up to date each time before it is handed out.
func (r *Run) Refresh(f func(*Job)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refresh = f
}

// addRequester reports whether somebody new, who is remembered, asks for the job.
func (r *Run) addRequester(by string) (added bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if by == "" || len(r.job.By) >= maxRequesters || slices.Contains(r.job.By, by) {
		return false
	}
	r.job.By = append(r.job.By, by)
	return true
}

// By returns in whose name the job is done.
func (r *Run) By() image.Actor {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.job.By) == 0 {
		return image.Actor{}
	}
	return image.ActorNamed(r.job.By[0])
}

// Snapshot copies the job as it is now.
func (r *Run) Snapshot() Job { return r.as(func(*Job) {}) }

// as copies the job as it is with a change that is not made yet.
func (r *Run) as(change func(*Job)) Job {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := r.job
	change(&j)
	j.By, j.Outcome.Pulled, j.Outcome.Lines = slices.Clone(j.By), slices.Clone(j.Outcome.Pulled),
		slices.Clone(j.Outcome.Lines)
	r.shared = true // thousands of lines must not be copied several times a second
	if j.Problem != nil {
		p := *j.Problem
		j.Problem = &p
	}
	j.Progress.Moved = r.movedBytes()
	j.Progress.Layers = make([]Layer, len(r.layers))
	for i, l := range r.layers {
		j.Progress.Layers[i] = l.Snapshot()
	}
	for _, l := range r.hidden {
		if c := l.Snapshot(); c.State == Retrying && !j.State.Final() {
			j.Progress.Reason, j.Progress.RetryAt = c.Reason, c.RetryAt
		}
	}
	if r.refresh != nil {
		r.refresh(&j)
		r.job.Detail = j.Detail
	}
	if j.State.Final() {
		j.settle()
	}
	return j
}

// settle shows nothing of the job as under way any more.
func (j *Job) settle() {
	for i := range j.Progress.Layers {
		j.Progress.Layers[i].settle()
	}
}

// Show lists other layers than before.
func (r *Run) Show(layers []Shown) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.moved = r.movedBytes()
	r.layers, r.hidden = layers, nil
}

// ShowAnew is Show, with the rate measured anew.
func (r *Run) ShowAnew(layers []Shown) {
	r.Show(layers)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.meter = meter{}
}

// Hide counts a blob that is not listed.
func (r *Run) Hide(l Shown) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hidden = append(r.hidden, l)
}

// Keep takes layers off the list but for those to keep.
func (r *Run) Keep(keep func(Shown) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.layers = slices.DeleteFunc(slices.Clone(r.layers), func(l Shown) bool { return !keep(l) })
}

// Shown lists the blobs that are shown, and the hidden ones after them.
func (r *Run) Shown() (layers, hidden []Shown) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.layers), slices.Clone(r.hidden)
}

// movedBytes returns what came over the network so far. r.mu is held.
func (r *Run) movedBytes() int64 {
	moved := r.moved
	for _, l := range slices.Concat(r.layers, r.hidden) {
		moved += l.Moved()
	}
	return moved
}

// sample measures the rate.
func (r *Run) sample(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.job.State == Pulling {
		r.job.Progress.Rate = r.meter.add(now, r.movedBytes())
	}
}

// ended returns the change of a job that has ended.
func ended(state State, now time.Time, err error) func(*Job) {
	return func(j *Job) {
		j.State, j.Finished, j.Progress.Rate = state, now, 0
		j.Progress.Reason, j.Progress.RetryAt = image.Text{}, time.Time{}
		if err != nil {
			j.Problem = ProblemOf(err)
		}
	}
}
