package job

import (
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/stowage/stowage/guard"
	"github.com/stowage/stowage/image"
)

// Stats are counts of jobs that have ended since the runner was made.
type Stats struct{ Done, Failed, Cancelled int64 }

// endings judge how jobs end, and count that.
type endings struct{ done, failed, cancelled atomic.Int64 }

// judge returns the final state for an error, counts and logs it.
func (e *endings) judge(log *slog.Logger, err error) State {
	var c *CancelledBy
	switch {
	case err == nil:
		e.done.Add(1)
		log.Info("pull done")
		return Done
	case errors.As(err, &c):
		e.cancelled.Add(1)
		log.Info("pull cancelled", "by", c.Who)
		return Cancelled
	}
	e.failed.Add(1)
	LogFailure(log, "pull failed", err)
	return Failed
}

func (e *endings) stats() Stats {
	return Stats{Done: e.done.Load(), Failed: e.failed.Load(), Cancelled: e.cancelled.Load()}
}

// LogFailure logs why something failed, as loudly as it concerns this server.
func LogFailure(log *slog.Logger, what string, err error) {
	var p *guard.Panic
	switch {
	case errors.As(err, &p):
		log.Error(what, "error", err, "stack", string(p.Stack))
	case image.KindOf(err) == image.Internal:
		log.Error(what, "error", err, "cause", Cause(err))
	default:
		log.Warn(what, "kind", image.KindOf(err), "error", err, "cause", Cause(err))
	}
}
