package search

import (
	"context"
	"sync"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/memo"
	"golang.org/x/sync/semaphore"
)

const (
	slots        = 3                      // requests to one search service at a time
	queueLength  = 64                     // those that wait for their turn
	pace         = 400 * time.Millisecond // for which a request that was given up still counts: it was sent
	shortPause   = 30 * time.Second       // after a 429 that does not say for how long
	longestPause = 5 * time.Minute        // for which a 429 is believed; then it is asked again
	mostServices = 256                    // that are remembered
	hubDetour    = time.Minute            // for which the fallback is taken at once
)

// limiter is what stands before one search service: few requests at a time, in order, and none while it says that
// there were too many. Somebody who types sends a search with each letter and gives up the one before; those
// wait here, and leave without ever being sent.
type limiter struct {
	pace time.Duration
	free *semaphore.Weighted

	mu      sync.Mutex
	waiting int
	limited error     // the last 429; nil where there was none
	until   time.Time // when limited ends
	detour  time.Time // until when the service is known to be broken
}

// limiters are those by host of the service.
type limiters struct {
	pace time.Duration

	byHost *memo.Recent[string, *limiter]
}

func (l *limiters) of(host string) *limiter {
	return l.byHost.Change(host, func(one *limiter) *limiter {
		if one == nil {
			one = &limiter{pace: l.pace, free: semaphore.NewWeighted(slots)}
		}
		return one
	})
}

// enter waits for a turn. leave ends it. Errors are the context's, the remembered 429, or that too many wait.
func (l *limiter) enter(ctx context.Context, host string) (leave func(), err error) {
	if err := l.closed(); err != nil {
		return nil, err
	}
	if !l.queue() {
		return nil, image.Errorf(image.Unavailable, "too many searches wait for %s", host).Suggest("Try again in a moment.")
	}
	defer l.unqueue()
	if err := l.free.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	sent := time.Now()
	free := func() { l.free.Release(1) }
	leave = func() {
		if left := l.pace - time.Since(sent); ctx.Err() != nil && left > 0 {
			time.AfterFunc(left, free)
			return
		}
		free()
	}
	if err := l.closed(); err != nil { // by one that was ahead
		free()
		return nil, err
	}
	return leave, nil
}

func (l *limiter) queue() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting >= queueLength {
		return false
	}
	l.waiting++
	return true
}

func (l *limiter) unqueue() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
}

func (l *limiter) closed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limited != nil && time.Now().Before(l.until) {
		return l.limited
	}
	return nil
}

// shut remembers a 429 until the time it names.
func (l *limiter) shut(limited error, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limited, l.until = limited, pauseUntil(time.Now(), until)
}

// pauseUntil returns until when a 429 of now is believed, which names a time or none.
func pauseUntil(now, named time.Time) time.Time {
	if latest := now.Add(longestPause); named.After(latest) {
		return latest
	}
	if named.IsZero() {
		return now.Add(shortPause)
	}
	return named
}

// broken reports whether the service is known not to work; setBroken says so, for a while.
func (l *limiter) broken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Before(l.detour)
}

func (l *limiter) setBroken() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.detour = time.Now().Add(hubDetour)
}
