package storage

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/stowage/stowage/job"
)

// unsavedAgain is after how long it is tried again to write the ends of jobs.
const unsavedAgain = 5 * time.Second

// unsaved keeps how jobs ended whose end could not be written, as on a full disk, until it can be: whoever looks at
// them sees them as over. There are no more of them than pulls that were waiting, since none can be asked for
// meanwhile.
type unsaved struct {
	save func(ctx context.Context, l job.Lease, j job.Job) error
	log  *slog.Logger
	kick chan struct{}

	mu   sync.Mutex
	jobs map[int64]end
}

// end is how a job ended, with the claim of it.
type end struct {
	lease job.Lease
	job   job.Job
}

// keep remembers a job whose end was not written.
func (u *unsaved) keep(l job.Lease, j job.Job) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.jobs[j.ID] = end{l, j}
	wake(u.kick)
}

func (u *unsaved) get(id int64) (end, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	e, ok := u.jobs[id]
	return e, ok
}

func (u *unsaved) has(id int64) bool {
	_, ok := u.get(id)
	return ok
}

// laid puts the ends that are not written over jobs as they were read.
func (u *unsaved) laid(jobs []job.Job) []job.Job {
	for i := range jobs {
		if e, ok := u.get(jobs[i].ID); ok {
			jobs[i] = e.job
		}
	}
	return jobs
}

// run writes what could not be written, until it can be.
func (u *unsaved) run(ctx context.Context) {
	for {
		select {
		case <-u.kick:
		case <-ctx.Done():
			u.write(context.WithoutCancel(ctx))
			return
		}
		for {
			again := time.NewTimer(unsavedAgain)
			select {
			case <-again.C:
			case <-ctx.Done():
			}
			again.Stop()
			if u.write(context.WithoutCancel(ctx)) || ctx.Err() != nil {
				break
			}
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// write reports whether all of them are written.
func (u *unsaved) write(ctx context.Context) bool {
	u.mu.Lock()
	ids := make([]int64, 0, len(u.jobs))
	for id := range u.jobs {
		ids = append(ids, id)
	}
	u.mu.Unlock()
	for _, id := range ids {
		e, ok := u.get(id)
		if !ok {
			continue
		}
		if err := u.save(ctx, e.lease, e.job); err != nil {
			return false
		}
		u.mu.Lock()
		delete(u.jobs, id)
		u.mu.Unlock()
		u.log.Info("saved how a pull ended, later", "job", id)
	}
	return true
}
