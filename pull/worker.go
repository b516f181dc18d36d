package pull

import (
	"context"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull/resolve"
	"github.com/stowage/stowage/shelf"
)

// worker runs one pull.
type worker struct {
	q    *Queue
	job  *job.Run
	by   string            // in whose share of the downloads; see share.Requester
	room shelf.Reservation // for tags to come, where it is known what they take; may be nil
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
