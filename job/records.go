package job

import (
	"context"
	"log/slog"
)

// records write what is kept of the jobs. Safe for concurrent use.
type records struct {
	ledger Ledger
	log    *slog.Logger
	base   context.Context // whose end does not keep a job from being written
}

// save keeps a job as it is.
func (k *records) save(run *Run) {
	run.saving.Lock()
	defer run.saving.Unlock()
	k.write(run, run.Snapshot())
}

// end keeps how a job ended, and shows it then: who sees that a job is over finds it so in the ledger.
func (k *records) end(run *Run, how func(*Job)) {
	run.saving.Lock()
	defer run.saving.Unlock()
	k.write(run, run.as(how))
	run.Change(how)
}

// write writes a job as j has it. run.saving is held. A failure is logged and not the job's: what it brings is kept
// apart from it.
func (k *records) write(run *Run, j Job) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(k.base), saveTimeout)
	defer cancel()
	if err := k.ledger.Save(ctx, run.leased(), j); err != nil {
		k.log.Error("pull not saved", "job", run.id, "error", err)
	}
}

// release lets a job wait for the next start.
func (k *records) release(l Lease) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(k.base), saveTimeout)
	defer cancel()
	if err := k.ledger.Release(ctx, l); err != nil {
		k.log.Warn("the claim of a job is not given up", "job", l.ID, "error", err)
	}
}
