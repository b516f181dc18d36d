package search

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/memo"
	"github.com/stowage/stowage/test/outside"
)

// pass lets time go by within a bubble of synctest, where that takes none.
func pass(d time.Duration) { <-time.After(d) }

func TestAGateLetsFewThroughAndDropsThoseWhoLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := (&limiters{pace: pace, byHost: memo.NewRecent[string, *limiter](mostServices)}).of("hub")
		ctx, cancel := context.WithCancel(t.Context())
		through := make(chan func(), 100)
		enter := func(ctx context.Context) {
			if leave, err := g.enter(ctx, "hub"); err == nil {
				through <- leave
			}
		}
		for range 10 {
			go enter(ctx)
		}
		synctest.Wait()
		if len(through) != slots {
			t.Fatalf("%d are through", len(through))
		}
		cancel()
		synctest.Wait()
		go enter(t.Context())
		for range slots {
			(<-through)() // given up after they were sent: those count for a while
		}
		pass(pace - time.Millisecond)
		synctest.Wait()
		if len(through) != 0 {
			t.Error("the next one is through at once")
		}
		pass(time.Millisecond)
		synctest.Wait()
		if len(through) != 1 {
			t.Error("the next one is never through")
		}
	})
}

func TestAGateIsShutForMinutesAtMostAndItsQueueEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := (&limiters{pace: pace, byHost: memo.NewRecent[string, *limiter](mostServices)}).of("hub")
		g.shut(image.Errorf(image.RateLimited, "no more"), time.Now().Add(6*time.Hour))
		if _, err := g.enter(t.Context(), "hub"); image.KindOf(err) != image.RateLimited {
			t.Errorf("entered: %v", err)
		}
		pass(longestPause)
		leave, err := g.enter(t.Context(), "hub")
		if err != nil {
			t.Fatal(err)
		}
		leave()
		g.shut(image.Errorf(image.RateLimited, "no more"), time.Time{})
		pass(shortPause - time.Second)
		if _, err := g.enter(t.Context(), "hub"); err == nil {
			t.Error("a 429 without a time is not remembered")
		}
		pass(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		for _, more := range []int{slots, queueLength} {
			for range more {
				go func() { _, _ = g.enter(ctx, "hub") }()
			}
			synctest.Wait() // those with a place have left the queue
		}
		_, err = g.enter(t.Context(), "hub")
		outside.WantKind(t, err, image.Unavailable, "hub", "too many")
		cancel()
	})
}

func TestGatesAreBounded(t *testing.T) {
	g := limiters{byHost: memo.NewRecent[string, *limiter](mostServices)}
	for i := range 3 * mostServices {
		g.of(time.Duration(i).String())
	}
	if g.byHost.Len() > mostServices {
		t.Errorf("%d limiters", g.byHost.Len())
	}
}
