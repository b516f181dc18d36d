package pull

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/stowage/stowage/image"
)

// work runs one job to its end and frees its place.
func (q *Queue) work(ctx context.Context, r *run, free func()) {
	unwatch := q.watch(r)
	q.advance(r, Resolving, func(j *Job) {
		if j.Started.IsZero() { // else it goes on after a restart
			j.Started = q.now()
		}
	})
	err := guard(func() error { return q.bring(ctx, r) })
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	unwatch()
	q.finish(r, err)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running--
	free()
	q.dispatch()
}

// watch measures a job's rate and tells its progress a few times a second until unwatch.
func (q *Queue) watch(r *run) (unwatch func()) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.sample(q.now())
				q.broker.publish(r.id)
			case <-stop:
				return
			}
		}
	}()
	return func() {
		close(stop)
		<-stopped
	}
}

// advance changes a job's state, keeps it and tells it at once.
func (q *Queue) advance(r *run, state State, f func(j *Job)) {
	r.change(func(j *Job) {
		j.State = state
		f(j)
	})
	q.save(r)
	q.broker.publish(r.id)
}

// save keeps a job. A failure is logged and not the job's: what it brings is kept by Record.
func (q *Queue) save(r *run) {
	r.saving.Lock()
	defer r.saving.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(q.base), saveTimeout)
	defer cancel()
	if err := q.shelf.SaveJob(ctx, r.snapshot()); err != nil {
		q.log.Error("pull not saved", "job", r.id, "error", err)
	}
}

// finish settles how a job ended. One that was ended by the closing of the queue is left unfinished.
func (q *Queue) finish(r *run, err error) {
	q.mu.Lock()
	q.seal(r)
	q.mu.Unlock()
	if !errors.Is(err, errClosing) {
		state := q.judge(r, err)
		q.advance(r, state, func(j *Job) {
			j.Finished, j.Rate = q.now(), 0
			j.Reason, j.ReasonText, j.RetryAt = "", image.Text{}, time.Time{}
			if err != nil {
				j.Problem = problemOf(err)
			}
		})
		if failed := q.failed.Load(); failed != nil && err != nil {
			(*failed)(r.id, problemOf(err).Kind)
		}
	}
	q.surveys.forget(r.reference.Repository) // what is to be fetched has changed
	q.mu.Lock()
	delete(q.live, r.id)
	if q.over = append(q.over, r.id); len(q.over) > maxOver {
		q.over = slices.Delete(q.over, 0, maxOver/2)
	}
	q.mu.Unlock()
	q.broker.close(r.id)
	close(r.over)
}

// judge gives the final state for an error, counts and logs it.
func (q *Queue) judge(r *run, err error) State {
	log := q.log.With("job", r.id, "reference", r.reference.String())
	if u := r.job.Upload; u != nil {
		log = q.log.With("job", r.id, "upload", u.File)
	}
	var c *cancelledBy
	var p *panicked
	switch {
	case err == nil:
		q.stats.done.Add(1)
		log.Info("pull done")
		return Done
	case errors.As(err, &c):
		q.stats.cancelled.Add(1)
		log.Info("pull cancelled", "by", c.who)
		return Cancelled
	case errors.As(err, &p):
		log.Error("pull failed", "error", err, "stack", string(p.stack))
	case image.KindOf(err) == image.Internal:
		log.Error("pull failed", "error", err, "cause", cause(err))
	default:
		log.Warn("pull failed", "kind", image.KindOf(err), "error", err, "cause", cause(err))
	}
	q.stats.failed.Add(1)
	return Failed
}

// asker makes the requests of a job's resolving, again where the back-off allows; the job shows why.
func (q *Queue) asker(r *run) asker {
	return func(ctx context.Context, request func(context.Context) error) error {
		return q.again(ctx, q.fetcher.backoff, request, func(err error, until time.Time) {
			why := problemOf(err)
			r.change(func(j *Job) { j.Reason, j.ReasonText, j.RetryAt = why.Message, why.MessageText, until })
			q.broker.publish(r.id)
		}, func() {
			r.change(func(j *Job) { j.Reason, j.ReasonText, j.RetryAt = "", image.Text{}, time.Time{} })
		})
	}
}

// again makes a request until it works or the back-off ends. It tells why and until when it waits, and when
// that is over.
func (q *Queue) again(ctx context.Context, b Backoff, request func(context.Context) error, waits func(err error, until time.Time), goesOn func()) error {
	try := tries{backoff: b, now: q.now}
	for {
		err := request(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		wait, final := try.after(err, false)
		if final != nil {
			return final
		}
		waits(err, q.now().Add(wait))
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		goesOn()
	}
}
