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
	"github.com/stowage/stowage/shelf/docker"
)

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

// pull resolves a reference, fetches what it wants and records it.
func (w *worker) pull(ctx context.Context, known resolve.Want) error {
	ref := known.Reference
	p, err := w.q.resolver.Plan(ctx, known, w.retry, func(d image.Digest) {
		w.job.Change(func(j *job.Job) {
			j.Detail, j.Outcome.Lines = Single{Ref: ref, Platforms: known.Platforms, Digest: d},
				[]string{docker.PullingFrom(ref)}
		})
	})
	if err != nil {
		return err
	}
	change, err := w.fetch(ctx, p, func(layers []job.Shown) {
		w.job.ShowAnew(layers)
		w.q.jobs.Advance(w.job, func(j *job.Job) { j.State, j.Outcome.Pulled = job.Pulling, p.KnownPlatforms() })
	})
	if err != nil {
		return err
	}
	passed := w.tellPassed(p)
	w.job.Change(func(j *job.Job) {
		j.Outcome.Pulled, j.Outcome.Newer = p.KnownPlatforms(), change.Newer
		j.Outcome.Lines = append(append(j.Outcome.Lines, passed...),
			docker.Outcome(ref, p.Digest, p.Pulled(), change.Newer)...)
	})
	return nil
}
