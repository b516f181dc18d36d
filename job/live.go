package job

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// maxOver is how many jobs are remembered to be over.
const maxOver = 4096

// live are the jobs of this server that wait or are worked on. Safe for concurrent use.
type live struct {
	working sync.WaitGroup // those that are worked on

	mu      sync.Mutex // guards what follows; no I/O under it
	closing bool
	runs    map[int64]*Run
	over    []int64 // IDs of the newest jobs that ended
}

func newLive() *live { return &live{runs: make(map[int64]*Run)} }

// add makes a job live, whatever the server does.
func (l *live) add(run *Run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.runs[run.id] = run
}

// addWaiting makes a job live that waits, unless it is. open is called before anybody finds it. One of a server that
// stops waits for the next start.
func (l *live) addWaiting(run *Run, open func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.runs[run.id]; known || l.closing {
		return
	}
	l.runs[run.id] = run
	open()
}

// find returns a live job; nil where there is none.
func (l *live) find(id int64) *Run {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.runs[id]
}

// all lists the live jobs, oldest first.
func (l *live) all() []*Run {
	l.mu.Lock()
	runs := slices.Collect(maps.Values(l.runs))
	l.mu.Unlock()
	slices.SortFunc(runs, func(a, b *Run) int { return int(a.id - b.id) })
	return runs
}

func (l *live) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.runs)
}

// rests reports whether a job that waits is not to be worked on: it is being cancelled, or was kept this very moment.
func (l *live) rests(t Turn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	run := l.runs[t.ID]
	return run == nil || run.stopped
}

// begin notes that a job is worked on, which end ends, until working is told. It does not where the server stops.
func (l *live) begin(run *Run, lease Lease, end context.CancelCauseFunc) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing {
		return false
	}
	run.begin(lease)
	run.cancel = end
	l.working.Add(1)
	return true
}

// stop ends the work on a job; nil where it is not live. waits reports whether it was not worked on yet, and nobody had
// stopped it before.
func (l *live) stop(id int64, why error) (run *Run, waits bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if run = l.runs[id]; run == nil {
		return nil, false
	}
	waits = run.leased().Epoch == 0 && !run.stopped
	run.stopped = true
	run.cancel(why)
	return run, waits
}

// remove notes that a job is over.
func (l *live) remove(run *Run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.runs, run.id)
	if l.over = append(l.over, run.id); len(l.over) > maxOver {
		l.over = slices.Delete(l.over, 0, maxOver/2)
	}
}

// wasLive reports whether a job was live a while ago.
func (l *live) wasLive(id int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.over, id)
}

// close keeps jobs from being begun.
func (l *live) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closing = true
}
