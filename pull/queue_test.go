package pull_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
)

func TestCloseLeavesPullsUnfinishedAndTheNextStartEndsThem(t *testing.T) {
	inBubble(t, pull.Options{Jobs: 1}, func(b *bench) {
		done, half := b.up.layerBlob(1, 100), b.up.layerBlob(2, 5000)
		ref := b.up.tag("app:1", b.up.image("linux/amd64", done, half))
		b.up.hold(half, 3000)
		running, queued := b.pull(ref), b.pull(b.up.tag("app:2", b.up.image("linux/arm64", done)))
		states, cancel := b.jobs.Subscribe(running.ID)
		defer cancel()
		synctest.Wait()
		b.stop()
		for range states { // ends, because Close closes it
		}
		unfinished, err := b.store.Jobs.Unfinished(b.ctx)
		if err != nil || len(unfinished) != 2 {
			t.Fatalf("unfinished: %+v, %v; want two", unfinished, err)
		}
		if _, _, err := b.queue.Pull(b.ctx, pull.Request{Reference: ref}); image.KindOf(err) != image.Unavailable {
			t.Errorf("pull while closing: %v, want unavailable", err)
		}
		if err := b.store.Close(); err != nil {
			t.Fatal(err)
		}

		b.up.blob = nil
		b.openStore()
		b.start(pull.Options{}, b.store.Blobs)
		j := b.end(running.ID)
		if l := j.Progress.Layers; j.State != job.Done || l[0].State != job.AlreadyStored || l[1].Resumed != 3000 {
			t.Errorf("the pull is %s with the layers %+v", j.State, l)
		}
		equal(t, "requesters", j.By, []string{"ann"})
		equal(t, "offsets", b.up.requested(half.Digest), []int64{0, 3000})
		if j := b.end(queued.ID); j.State != job.Done {
			t.Errorf("the queued pull is %s", j.State)
		}
	})
}

func TestPullThatGoesOnAfterAStartCanBeJoined(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		l := b.up.layerBlob(1, 5000)
		ref := b.up.tag("app:1", b.up.image("linux/amd64", l))
		gate := b.up.hold(l, 3000)
		first := b.pull(ref)
		synctest.Wait()
		b.stop()
		b.start(pull.Options{}, b.store.Blobs)
		if again := b.pull(ref); again.ID != first.ID {
			t.Errorf("job %d was made, want job %d to be joined", again.ID, first.ID)
		}
		close(gate)
		b.end(first.ID)
	})
}

func TestCloseKeepsToItsDeadline(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		l := b.up.layerBlob(1, 10)
		deaf := make(chan struct{})
		b.up.blob = func(_ context.Context, _ image.Repository, _ image.Digest, _ int, body io.Reader) (io.Reader, error) {
			return upTo(context.Background(), 0, deaf, body), nil
		}
		b.pull(b.up.tag("app:1", b.up.image("linux/amd64", l)))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(b.ctx, 3*time.Second)
		defer cancel()
		start := time.Now()
		if err := b.queue.Close(ctx); err == nil || time.Since(start) != 3*time.Second {
			t.Errorf("Close took %s: %v", time.Since(start), err)
		}
		close(deaf)
	})
}

func TestSlowSubscriberSkipsStatesAndGetsTheLast(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		l := b.up.layerBlob(1, 100_000)
		step := make(chan struct{})
		b.up.blob = func(ctx context.Context, _ image.Repository, d image.Digest, _ int, body io.Reader) (io.Reader, error) {
			if d != l.Digest {
				return body, nil
			}
			return &paced{ctx: ctx, step: step, body: body}, nil
		}
		id := b.pull(b.up.tag("app:1", b.up.image("linux/amd64", l))).ID
		states, cancel := b.jobs.Subscribe(id)
		defer cancel()
		for range 100 { // the subscriber reads nothing, and the worker goes on
			step <- struct{}{}
			synctest.Wait()
			if b.live(id).Progress.Layers[0].Bytes >= 99_000 {
				break
			}
			time.Sleep(time.Second)
		}
		if got := (<-states).Progress.Layers[0].Bytes; got < 50_000 {
			t.Errorf("the next state read has %d bytes, want a new one", got)
		}
		close(step)
		var last job.Job
		for j := range states {
			last = j
		}
		if last.State != job.Done || last.Progress.Layers[0].State != job.Complete {
			t.Errorf("the last state is %s with %+v", last.State, last.Progress.Layers)
		}
	})
}

// paced gives 1000 bytes for each step.
type paced struct {
	ctx  context.Context
	step <-chan struct{}
	body io.Reader
}

func (p *paced) Read(b []byte) (int, error) {
	select {
	case <-p.step:
	case <-p.ctx.Done():
		return 0, p.ctx.Err()
	}
	return p.body.Read(b[:min(len(b), 1000)])
}

func TestSubscriberSeesAtMostFourStatesASecondAndTheRate(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		l := b.up.layerBlob(1, 200_000)
		b.up.blob = func(ctx context.Context, _ image.Repository, d image.Digest, _ int, body io.Reader) (io.Reader, error) {
			if d != l.Digest {
				return body, nil
			}
			return &clocked{ctx: ctx, body: body}, nil
		}
		id := b.pull(b.up.tag("app:1", b.up.image("linux/amd64", l))).ID
		states, cancel := b.jobs.Subscribe(id)
		defer cancel()
		start, n, rate, left := time.Now(), 0, int64(0), time.Duration(0)
		for j := range states {
			n++
			if time.Since(start) > 10*time.Second && rate == 0 {
				rate, left = j.Progress.Rate, j.Left()
			}
		}
		if took := time.Since(start); took < 20*time.Second || n > int(took/time.Second)*4+8 {
			t.Errorf("%d states in %s, want at most four a second", n, took)
		}
		if rate < 9500 || rate > 10500 {
			t.Errorf("rate %d bytes a second, want about 10000", rate)
		}
		if left < 8*time.Second || left > 12*time.Second {
			t.Errorf("%s left after ten of twenty seconds", left)
		}
	})
}

// clocked gives 100 bytes each 10 ms.
type clocked struct {
	ctx  context.Context
	body io.Reader
}

func (c *clocked) Read(b []byte) (int, error) {
	select {
	case <-time.After(10 * time.Millisecond):
	case <-c.ctx.Done():
		return 0, c.ctx.Err()
	}
	return c.body.Read(b[:min(len(b), 100)])
}

func TestStateOfAQuietPullIsNotRepeated(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		l := b.up.layerBlob(1, 100)
		gate := b.up.hold(l, 10)
		id := b.pull(b.up.tag("app:1", b.up.image("linux/amd64", l))).ID
		states, cancel := b.jobs.Subscribe(id)
		defer cancel()
		time.Sleep(10 * time.Second)
		<-states
		time.Sleep(10 * time.Second)
		select {
		case j := <-states:
			t.Errorf("a state came though nothing changed: %+v", j)
		default:
		}
		close(gate)
		b.end(id)
	})
}

func TestSubscriptionToAPullThatIsNotLiveIsClosed(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		states, cancel := b.jobs.Subscribe(4711)
		if _, open := <-states; open {
			t.Error("a state came")
		}
		cancel()
		cancel()
	})
}

func TestActiveListsLivePullsOldestFirst(t *testing.T) {
	inBubble(t, pull.Options{Jobs: 1}, func(b *bench) {
		l := b.up.layerBlob(1, 100)
		gate := b.up.hold(l, 10)
		first := b.pull(b.up.tag("app:1", b.up.image("linux/amd64", l)))
		second := b.pull(b.up.tag("app:2", b.up.image("linux/arm64", l)))
		synctest.Wait()
		active := b.jobs.Active()
		if len(active) != 2 || active[0].ID != first.ID || active[0].State != job.Pulling || active[1].ID != second.ID || active[1].State != job.Queued {
			t.Errorf("active: %+v", active)
		}
		close(gate)
		b.end(first.ID)
		b.end(second.ID)
		if _, ok := b.jobs.Get(first.ID); ok || b.jobs.ActiveCount() != 0 {
			t.Error("a pull that is over is live")
		}
	})
}

func TestRequestThatMeansNothingIsRefused(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		ref := image.Reference{Repository: "docker.io/library/app", Tag: "1"}
		many := make([]image.Platform, 33)
		for i := range many {
			many[i] = parse(t, "linux/amd64")
		}
		for name, req := range map[string]pull.Request{
			"no reference":     {},
			"no tag":           {Reference: image.Reference{Repository: ref.Repository}},
			"unknown platform": {Reference: ref, Platforms: []image.Platform{{OS: "unknown", Architecture: "unknown"}}},
			"many platforms":   {Reference: ref, Platforms: many},
		} {
			if _, _, err := b.queue.Pull(b.ctx, req); image.KindOf(err) != image.Invalid {
				t.Errorf("%s: %v, want invalid", name, err)
			}
		}
	})
}
