package updates

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// checkWorld is a shelf of tags and a registry that has them all, at a clock of its own.
type checkWorld struct {
	mu    sync.Mutex
	tags  []image.Reference
	asked map[image.Reference]time.Time
	count int
	block chan struct{} // answers wait for it, where it is not nil
	quick string        // host of a registry whose answers do not
}

func (w *checkWorld) Check(ctx context.Context, ref image.Reference) (image.Digest, bool, error) {
	if w.block != nil && ref.Repository.Host() != w.quick {
		select {
		case <-w.block:
		case <-ctx.Done():
			return "", false, ctx.Err()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count++
	return image.DigestOf(nil), false, nil
}

func (w *checkWorld) TagsToCheck(_ context.Context, _ image.Repository, since time.Time, after image.Reference, limit int) (some []image.Reference, _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.tags {
		if at, known := w.asked[t]; t.Tag > after.Tag && (!known || at.Before(since)) && len(some) < limit {
			some = append(some, t)
		}
	}
	return some, nil
}

func (w *checkWorld) CountToCheck(ctx context.Context, of image.Repository, since time.Time) (int, error) {
	all, err := w.TagsToCheck(ctx, of, since, image.Reference{}, 1<<20)
	return len(all), err
}

func (w *checkWorld) SaveChecks(_ context.Context, _ image.Actor, all []shelf.Checked) ([]shelf.UpdateState, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	states := make([]shelf.UpdateState, len(all))
	for i, c := range all {
		w.asked[c.Reference] = c.At
		states[i] = shelf.UpdateCurrent
	}
	return states, nil
}

func newCheckWorld(tags int) *checkWorld {
	w := &checkWorld{asked: map[image.Reference]time.Time{}}
	for i := range tags {
		w.tags = append(w.tags, image.Reference{Repository: "docker.io/library/app", Tag: fmt.Sprintf("%05d", i)})
	}
	return w
}

func TestTheScheduleAsksAboutEveryTagOnceAnInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCheckWorld(150)
		c := New(Options{Source: w, Shelf: w, Interval: time.Hour})
		c.Start()
		defer c.Close()
		for round := 1; round <= 3; round++ {
			<-time.After(time.Hour + 12*time.Minute) // the clock of the bubble: an interval, give or take a tenth
			synctest.Wait()
			w.mu.Lock()
			if w.count < 150*round || w.count > 150*(round+1) || w.count%150 != 0 {
				t.Errorf("%d checks of 150 tags in %d intervals", w.count, round)
			}
			w.mu.Unlock()
		}
		if s := c.State(); s.Last == nil || s.Last.By != image.Server || s.Last.Done() != 150 || !s.Next.After(time.Now()) {
			t.Errorf("state %+v", s)
		}
	})
}

func TestASecondRunJoinsTheOneUnderWayWhichCanBeStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCheckWorld(500)
		w.block = make(chan struct{})
		c := New(Options{Source: w, Shelf: w})
		defer c.Close()
		if _, joined := c.CheckAll("", image.ActorNamed("mira")); joined {
			t.Fatal("the first run joined another")
		}
		synctest.Wait()
		if run, joined := c.CheckAll("docker.io/library/app", image.ActorNamed("noa")); !joined || run.By != image.ActorNamed("mira") || run.Total != 500 {
			t.Errorf("joined %v: %+v", joined, run)
		}
		c.Cancel()
		synctest.Wait()
		if s := c.State(); s.Running != nil || s.Last == nil || !s.Last.Cancelled || s.Last.Failed || s.Last.Done() != 0 {
			t.Errorf("state %+v", s)
		}
	})
}

func TestARunAsksAFewTagsAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCheckWorld(100)
		w.block = make(chan struct{})
		c := New(Options{Source: w, Shelf: w})
		defer c.Close()
		c.CheckAll("", image.ActorNamed("mira"))
		for answered := 0; answered < 100; {
			synctest.Wait()
			n := 0
			for {
				select {
				case w.block <- struct{}{}:
					n++
					continue
				default:
				}
				break
			}
			if n == 0 || n > ofHost {
				t.Fatalf("%d requests to one registry at a time", n)
			}
			answered += n
		}
	})
}

func TestRegistriesThatDoNotAnswerHoldUpNoOtherOfARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCheckWorld(40)
		w.block, w.quick = make(chan struct{}), "quick.example.com"
		for i := range w.tags {
			host := []string{"one.example.com", "two.example.com", "three.example.com", w.quick}[i/10]
			w.tags[i].Repository = image.Repository(host + "/app")
		}
		c := New(Options{Source: w, Shelf: w})
		defer c.Close()
		defer close(w.block)
		c.CheckAll("", image.ActorNamed("ann"))
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.count != 10 {
			t.Errorf("%d tags of the registry that answers were asked about while three others do not, want all 10", w.count)
		}
	})
}

func TestATagThatIsNotAnsweredInTimeIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCheckWorld(1)
		w.block = make(chan struct{})
		c := New(Options{Source: w, Shelf: w})
		defer c.Close()
		began := time.Now()
		got := c.ask(t.Context(), w.tags[0], oneTimeout)
		if got.Answer != shelf.AnswerUnknown || got.Problem.String() != "docker.io did not answer within 10s" || time.Since(began) != oneTimeout {
			t.Errorf("after %s: %+v", time.Since(began), got)
		}
	})
}
