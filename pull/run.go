package pull

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull/resolve"
	"github.com/stowage/stowage/share"
	"github.com/stowage/stowage/shelf"
)

const (
	maxMoves      = 3                // times that a pull begins again because its tag moved under it
	recordTimeout = 30 * time.Second // for one Record, which a cancel no longer reaches
)

// worker runs one pull.
type worker struct {
	q    *Queue
	job  *job.Run
	by   string            // in whose share of the downloads; see share.Requester
	room shelf.Reservation // for tags to come, where it is known what they take; may be nil
}

// run works on a job.
func (q *Queue) run(ctx context.Context, r *job.Run) error {
	w := &worker{q: q, job: r, by: share.Requester(r.By().Name)}
	j := r.Snapshot()
	q.jobs.Advance(r, func(j *job.Job) {
		j.State = job.Resolving
		if j.Started.IsZero() { // else it goes on after a restart
			j.Started = q.now()
		}
	})
	if all, ok := j.Detail.(AllTags); ok {
		return w.pullAll(ctx, all)
	}
	one, ok := j.Detail.(Single)
	if !ok {
		return fmt.Errorf("a job of the kind %q is no pull", j.Kind())
	}
	known := resolve.Want{Reference: one.Ref, Platforms: one.Platforms, Target: one.target, Asked: one.asked}
	for range maxMoves {
		if err := w.pull(ctx, known); !errors.Is(err, shelf.ErrMoved) {
			return err
		}
		r.ShowAnew(nil)
		known.Target, known.Asked = "", time.Time{} // what it was found to be is older than what moved it
		r.Change(func(j *job.Job) { j.State = job.Resolving })
	}
	return keptMoving(one.Ref)
}

func keptMoving(ref image.Reference) error {
	return image.Errorf(image.Unavailable, "%s kept moving while it was pulled", ref.Familiar()).Suggest("Pull it again.")
}

// pull resolves a reference, fetches what it wants and records it.
func (w *worker) pull(ctx context.Context, known resolve.Want) error {
	ref := known.Reference
	p, err := w.q.resolver.Plan(ctx, known, w.retry, func(d image.Digest) {
		w.job.Change(func(j *job.Job) {
			j.Detail, j.Outcome.Lines = Single{Ref: ref, Platforms: known.Platforms, Digest: d}, []string{pullingFrom(ref)}
		})
	})
	if err != nil {
		return err
	}
	change, err := w.fetch(ctx, p, func(layers []job.Shown) {
		w.job.ShowAnew(layers)
		w.q.jobs.Advance(w.job, func(j *job.Job) { j.State, j.Outcome.Pulled = job.Pulling, p.Platforms() })
	})
	if err != nil {
		return err
	}
	passed := w.tellPassed(p)
	w.job.Change(func(j *job.Job) {
		j.Outcome.Pulled, j.Outcome.Newer = p.Platforms(), change.Newer
		j.Outcome.Lines = append(append(j.Outcome.Lines, passed...), outcome(ref, p.Digest, p.Images, change.Newer)...)
	})
	return nil
}

// retry makes the requests of a job's resolving, again where the back-off allows; the job shows why.
func (w *worker) retry(ctx context.Context, request func(context.Context) error) error {
	return w.q.fetcher.Backoff().Retry(ctx, w.q.now, request, func(err error, until time.Time) {
		if err == nil {
			w.job.Change(func(j *job.Job) { j.Progress.Reason, j.Progress.RetryAt = image.Text{}, time.Time{} })
			return
		}
		w.job.Change(func(j *job.Job) { j.Progress.Reason, j.Progress.RetryAt = job.ProblemOf(err).Message, until })
		w.q.jobs.Tell(w.job)
	})
}

// tellPassed says in the log what a plan went without, and returns the lines for the outcome.
func (w *worker) tellPassed(p *resolve.Plan) (lines []string) {
	for _, o := range p.Passed {
		lines = append(lines, job.TellPassed(w.q.log, w.job.ID(), p.Reference.String(), o))
	}
	return lines
}
