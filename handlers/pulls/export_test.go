package pulls

import (
	"context"

	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/views/pulls"
)

const (
	PerPage        = perPage
	PollCheck      = pollCheck
	KeepAliveEvery = keepAliveEvery
)

var (
	Answer  = answer
	CheckOf = checkOf
)

func (h *Handlers) Check(ctx context.Context, j job.Job) (pulls.PullCheck, error) {
	return h.check(ctx, j)
}
