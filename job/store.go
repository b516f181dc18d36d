package job

import (
	"context"
	"time"

	"github.com/stowage/stowage/share"
)

// Ledger keeps jobs: it is the queue. Who works on a job claims it; a claim holds until the job is over, or the process
// that made it gives it up or has gone. Errors are image.Errors.
type Ledger interface {
	// Ask keeps a job that waits for its turn and returns its ID; or it returns that of one which wants the same and is
	// neither over nor being cancelled. TooLarge where too many wait already.
	Ask(ctx context.Context, t Ticket) (id int64, joined bool, err error)
	// Begin keeps a job that cannot wait, and claims it.
	Begin(ctx context.Context, j Job) (Lease, error)
	// Unfinished lists the jobs that are not over, oldest first.
	Unfinished(ctx context.Context) ([]Job, error)
	// Claim claims the one that choose picks of the jobs that wait, oldest first; ok is false where it picks none.
	Claim(ctx context.Context, choose func(waiting []Turn) (id int64, ok bool)) (l Lease, ok bool, err error)
	// Release gives up the claim of a job that is not over: it waits again.
	Release(ctx context.Context, l Lease) error
	// Save replaces what is kept of a job; it fails, and changes nothing, where the job was claimed since the lease was
	// given, which is that of a job that waits where its epoch is 0. The end of a job that cannot be written is written
	// later.
	Save(ctx context.Context, l Lease, j Job) error
	// Seal keeps a job from being joined.
	Seal(ctx context.Context, id int64) error
}

// Ticket asks for a job.
type Ticket struct {
	Job  Job
	What string    // equal for two who want the same
	Key  share.Key // what its turn is found by
	Most int       // jobs that may wait
	Mine int       // of them, of one requester
}

// Turn is a job that waits for its turn.
type Turn struct {
	ID  int64
	Key share.Key
}

// Lease is a claim of a job. Its epoch is higher than that of any claim before.
type Lease struct {
	ID    int64
	Epoch int64
}

// saveTimeout is for one write to the ledger.
const saveTimeout = 10 * time.Second
