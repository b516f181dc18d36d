package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/stowage/stowage/guard"
	"github.com/stowage/stowage/image"
)

// cancelWait is how long Cancel waits for the job to come to rest.
const cancelWait = 2 * time.Second

// Runner keeps the live jobs of this server, those that wait and those that are worked on: it hands out their states,
// saves them, cancels them and ends them. Which one is worked on when, and how, is for others to say. Make one with
// NewRunner. Safe for concurrent use.
type Runner struct {
	ledger  Ledger
	records *records
	live    *live
	broker  *broker
	log     *slog.Logger
	now     func() time.Time
	ended   []func(j Job, err error) // told of each job that has come to rest; set before the first begins
	endings endings

	base  context.Context // ends when the runner closes
	close context.CancelCauseFunc

	entering sync.Mutex // held while a job is created, so that one that joins it finds it live
	claiming sync.Mutex // held while a job is claimed, so that one that is being cancelled is not
}

// NewRunner makes a Runner. Without a log nothing is logged, and without now it is time.Now.
func NewRunner(ledger Ledger, log *slog.Logger, now func() time.Time) *Runner {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if now == nil {
		now = time.Now
	}
	base, cancel := context.WithCancelCause(context.Background())
	return &Runner{
		ledger: ledger, records: &records{ledger: ledger, log: log, base: base}, live: newLive(), broker: newBroker(),
		log: log, now: now, base: base, close: cancel,
	}
}

// Ended has f told of each job that has come to rest, with the error that it failed for. It is called before the first
// job.
func (r *Runner) Ended(f func(j Job, err error)) { r.ended = append(r.ended, f) }

// Now returns the time.
func (r *Runner) Now() time.Time { return r.now() }

// Base returns the context that ends, with ErrClosing, when the runner closes.
func (r *Runner) Base() context.Context { return r.base }

// Ask puts a job into the queue, or joins the one that is there for the same; joined reports which. Errors beside those
// of the ledger: Unavailable when the runner is closing.
func (r *Runner) Ask(ctx context.Context, t Ticket) (j Job, joined bool, err error) {
	r.entering.Lock()
	defer r.entering.Unlock()
	for range 2 { // the job that is joined can end this very moment
		if r.base.Err() != nil {
			return Job{}, false, Stopping()
		}
		if t.Job.ID, joined, err = r.ledger.Ask(ctx, t); err != nil {
			return Job{}, false, err
		}
		if !joined {
			r.Resume(t.Job)
			return t.Job, false, nil
		}
		if run := r.live.find(t.Job.ID); run != nil {
			if len(t.Job.By) > 0 && run.addRequester(t.Job.By[0]) {
				r.Save(run)
				r.broker.publish(run.id)
			}
			return run.Snapshot(), true, nil
		}
	}
	return t.Job, true, nil // an earlier process left it, and it has not been taken up yet
}

// Resume makes a job live that waits. One of a runner that closes waits for the next start.
func (r *Runner) Resume(j Job) {
	run := newRun(j)
	r.live.addWaiting(run, func() { r.broker.open(j.ID, run.Snapshot) })
}

// Unfinished lists the jobs that an earlier process has left; those that are live are none of them.
func (r *Runner) Unfinished(ctx context.Context) ([]Job, error) {
	jobs, err := r.ledger.Unfinished(ctx)
	if err != nil {
		return nil, fmt.Errorf("list unfinished jobs: %w", err)
	}
	return slices.DeleteFunc(jobs, func(j Job) bool { return r.live.find(j.ID) != nil }), nil
}

// Abandon ends the jobs of a kind that an earlier process has left, with which nobody can go on.
func (r *Runner) Abandon(ctx context.Context, kind Kind, why error) error {
	jobs, err := r.Unfinished(ctx)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if j.Kind() != kind {
			continue
		}
		j.State, j.Finished, j.Progress.Rate, j.Problem = Failed, r.now(), 0, ProblemOf(why)
		j.settle()
		if err := r.ledger.Save(ctx, Lease{ID: j.ID}, j); image.KindOf(err) == image.DiskFull {
			r.log.Error("the end of a job is not saved", "job", j.ID, "error", err)
		} else if err != nil {
			return fmt.Errorf("end job %d: %w", j.ID, err)
		}
	}
	return nil
}

// Claim claims a job that waits and has it worked on in the background; after is called when it has come to rest. It
// reports whether there was one.
func (r *Runner) Claim(choose func([]Turn) (int64, bool), work func(context.Context, *Run) error, after func()) (
	bool, error) {
	ctx, cancel := context.WithTimeout(r.base, saveTimeout)
	defer cancel()
	r.claiming.Lock()
	defer r.claiming.Unlock()
	lease, ok, err := r.ledger.Claim(ctx, func(waiting []Turn) (int64, bool) {
		return choose(slices.DeleteFunc(waiting, r.live.rests))
	})
	if err != nil || !ok {
		return false, err
	}
	run := r.live.find(lease.ID)
	working, end := context.WithCancelCause(r.base)
	if !r.live.begin(run, lease, end) {
		end(nil)
		after()
		r.records.release(lease)
		return true, nil
	}
	go func() {
		defer after()
		defer r.live.working.Done()
		defer end(nil)
		err := r.watched(run, func() error { return work(working, run) })
		if err != nil && working.Err() != nil {
			err = context.Cause(working)
		}
		r.finish(run, err)
	}()
	return true, nil
}

// Do makes a job of work that cannot wait for its turn, and returns when it is done. The context that work gets ends
// with the caller's, when somebody cancels the job and when the runner closes; its cause tells which. judge says what
// the error of work means, given the cause of that end, nil where there was none. The job is final when Do returns.
func (r *Runner) Do(ctx context.Context, j Job, work func(context.Context, *Run) error,
	judge func(err, cause error) error) (Job, error) {
	lease, err := r.ledger.Begin(ctx, j)
	if err != nil {
		return Job{}, fmt.Errorf("keep a job: %w", err)
	}
	j.ID = lease.ID
	run := newRun(j)
	working, end := context.WithCancelCause(ctx)
	defer end(nil)
	defer context.AfterFunc(r.base, func() { end(context.Cause(r.base)) })()
	r.live.add(run)
	r.broker.open(j.ID, run.Snapshot)
	if r.live.begin(run, lease, end) {
		defer r.live.working.Done()
		err = r.watched(run, func() error { return work(working, run) })
	} else {
		err = ErrClosing
	}
	err = judge(err, context.Cause(working))
	r.finish(run, err)
	var c *CancelledBy
	if errors.As(err, &c) {
		err = c.Shown()
	}
	return run.Snapshot(), err
}

// watched works on a job; meanwhile the rate is measured, and the progress told a few times a second.
func (r *Runner) watched(run *Run, work func() error) error {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				run.sample(r.now())
				r.broker.publish(run.id)
			case <-stop:
				return
			}
		}
	}()
	err := guard.Do(work)
	close(stop)
	<-stopped
	return err
}

// Advance changes a job, keeps it and tells it at once.
func (r *Runner) Advance(run *Run, f func(j *Job)) {
	run.Change(f)
	r.Save(run)
	r.broker.publish(run.id)
}

// Tell sends the state of a job to whoever watches it.
func (r *Runner) Tell(run *Run) { r.broker.publish(run.id) }

// Save keeps a job. A failure is logged and not the job's: what it brings is kept apart from it.
func (r *Runner) Save(run *Run) { r.records.save(run) }

// finish notes how a job ended. One that was ended by the closing of the runner is left unfinished.
func (r *Runner) finish(run *Run, err error) {
	if !errors.Is(err, ErrClosing) {
		r.records.end(run, ended(r.endings.judge(run.log(r.log), err), r.now(), err))
		r.broker.publish(run.id)
	} else {
		r.records.release(run.leased())
	}
	for _, told := range r.ended {
		told(run.Snapshot(), err)
	}
	r.live.remove(run)
	r.broker.close(run.id)
	close(run.over)
}

// Cancel ends a job for everybody who asked for it. What it fetched stays. Cancel returns when the job has come to
// rest, or soon after it has been told to. Errors: NotFound, Conflict when the job is over.
func (r *Runner) Cancel(id int64, by string) error {
	r.claiming.Lock()
	run, waits := r.live.stop(id, &CancelledBy{by})
	r.claiming.Unlock()
	if run == nil {
		if r.live.wasLive(id) {
			return image.Errorf(image.Conflict, "pull %d is over already", id)
		}
		return image.Errorf(image.NotFound, "there is no running pull %d", id)
	}
	if waits {
		r.finish(run, &CancelledBy{by})
		return nil
	}
	ctx, cancel := context.WithTimeout(r.base, saveTimeout)
	defer cancel()
	if err := r.ledger.Seal(ctx, id); err != nil {
		r.log.Warn("a job that is being cancelled can be joined", "job", id, "error", err)
	}
	select {
	case <-run.over:
		if state := run.Snapshot().State; state == Done || state == Failed {
			return image.Errorf(image.Conflict, "pull %d is over already", id)
		}
	case <-time.After(cancelWait):
	}
	return nil
}

// Get returns a live job: one that is queued or running.
func (r *Runner) Get(id int64) (Job, bool) {
	run := r.live.find(id)
	if run == nil {
		return Job{}, false
	}
	return run.Snapshot(), true
}

// Runs lists the live jobs, oldest first.
func (r *Runner) Runs() []*Run { return r.live.all() }

// Active lists the live jobs, oldest first.
func (r *Runner) Active() []Job {
	runs := r.Runs()
	jobs := make([]Job, len(runs))
	for i, run := range runs {
		jobs[i] = run.Snapshot()
	}
	return jobs
}

// ActiveCount returns how many jobs are live.
func (r *Runner) ActiveCount() int { return r.live.count() }

// Subscribe watches a live job. The channel holds its newest state: the one of now, then changed ones, a few a second
// at most, and at once when the job's own state changes. A reader that is slow skips states. The channel is closed when
// the job is over, after its final state, or when the runner closes; for a job that is not live it is closed from the
// start, and the ledger has the record. cancel frees it, as often as called.
func (r *Runner) Subscribe(id int64) (states <-chan Job, cancel func()) {
	return r.broker.subscribe(id)
}

// Stats returns the counts.
func (r *Runner) Stats() Stats { return r.endings.stats() }

// Close ends what is worked on and waits for it until ctx ends; the error is then that of ctx. Jobs that are not over
// stay unfinished in the ledger and go on at the next start.
func (r *Runner) Close(ctx context.Context) error {
	r.live.close()
	r.close(ErrClosing)
	for _, run := range r.Runs() {
		if run.leased().Epoch == 0 {
			r.broker.close(run.id)
		}
	}
	stopped := make(chan struct{})
	go func() {
		r.live.working.Wait()
		close(stopped)
	}()
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close the jobs: %w", ctx.Err())
	}
}
