package fetch

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/stowage/stowage/image"
)

// Backoff says how a request is made again after a failure that may pass. Zero fields take the defaults.
type Backoff struct {
	Tries     int           // tries in a row without progress before it fails; 5
	First     time.Duration // about the first wait, doubled each time; 1 s
	Most      time.Duration // the longest of these waits; 30 s
	RateLimit time.Duration // the longest wait for a rate limit whose end the registry told; 15 min
}

func (b Backoff) withDefaults() Backoff {
	if b.Tries <= 0 {
		b.Tries = 5
	}
	if b.First <= 0 {
		b.First = time.Second
	}
	if b.Most <= 0 {
		b.Most = 30 * time.Second
	}
	if b.RateLimit <= 0 {
		b.RateLimit = 15 * time.Minute
	}
	return b
}

// wait returns the wait after the nth failure in a row, n from 1: doubling, of which up to a half is random,
// so that what failed together does not come back together.
func (b Backoff) wait(n int) time.Duration {
	d := b.Most
	if shift := n - 1; shift < 16 && b.First<<shift < b.Most {
		d = b.First << shift
	}
	return d - rand.N(d/2+1)
}

// tries counts the failures of one request, or of one blob.
type tries struct {
	backoff Backoff
	now     func() time.Time
	failed  int  // in a row, without progress
	mangled bool // what came was Corrupt once
}

// after decides what follows a failure: another try after a wait, or the error to give up with. progress
// reports whether the failed try brought enough to be counted as a new beginning.
func (t *tries) after(err error, progress bool) (wait time.Duration, final error) {
	if progress {
		t.failed = 0
	}
	t.failed++
	switch image.KindOf(err) {
	case image.Corrupt:
		// Once more, from scratch: a proxy on the way may have mangled it. What is wrong twice is wrong.
		if t.mangled {
			return 0, err
		}
		t.mangled = true
		return t.backoff.wait(1), nil
	case image.RateLimited:
		if at := image.RetryTime(err); !at.IsZero() {
			wait = at.Sub(t.now())
			if wait > t.backoff.RateLimit {
				return 0, untilThen(err, at)
			}
		}
	case image.Unavailable:
		if image.Lasts(err) {
			return 0, err
		}
	default:
		return 0, err
	}
	if t.failed >= t.backoff.Tries {
		return 0, err
	}
	return max(wait, t.backoff.wait(t.failed)), nil
}

// untilThen makes sure that a rate limit that is not waited for says when it ends.
func untilThen(err error, at time.Time) error {
	var e *image.Error
	if !errors.As(err, &e) || e.Suggestion != "" {
		return err
	}
	return e.Suggest("Pull again after %s, or sign in to the registry for a larger allowance.", at.UTC().
		Format("2006-01-02 15:04 UTC"))
}

// sleep waits for d, or until ctx ends: then it gives the reason.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Retry makes a request until it works or the back-off ends. told, which may be nil, is told why and until when it
// waits, and nothing more when that is over.
func (b Backoff) Retry(ctx context.Context, now func() time.Time, request func(context.Context) error,
	told func(waitsFor error, until time.Time)) error {
	if told == nil {
		told = func(error, time.Time) {}
	}
	try := tries{backoff: b, now: now}
	for {
		err := request(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		wait, final := try.after(err, false)
		if final != nil {
			return final
		}
		told(err, now().Add(wait))
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		told(nil, time.Time{})
	}
}
