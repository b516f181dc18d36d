package pull

import "sync/atomic"

// Stats are counts since the queue was made, and what it does now.
type Stats struct {
	BytesFetched int64 // over the network, blobs only
	Retries      int64 // of blobs
	Done         int64 // jobs that ended so
	Failed       int64
	Cancelled    int64
	Queued       int // jobs that wait
	Running      int
}

type stats struct{ done, failed, cancelled atomic.Int64 }

// Stats gives the counts.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	queued, running := len(q.pending), q.running
	q.mu.Unlock()
	return Stats{
		BytesFetched: q.fetcher.fetched.Load(), Retries: q.fetcher.retries.Load(),
		Done: q.stats.done.Load(), Failed: q.stats.failed.Load(), Cancelled: q.stats.cancelled.Load(),
		Queued: queued, Running: running,
	}
}
