package pull_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
)

// hold makes the bodies of a blob stop after n bytes until the gate is closed.
func (u *upstream) hold(d image.Descriptor, n int64) (gate chan struct{}) {
	gate = make(chan struct{})
	u.mu.Lock()
	defer u.mu.Unlock()
	before := u.blob
	u.blob = func(ctx context.Context, repo image.Repository, digest image.Digest, nth int, body io.Reader) (io.Reader, error) {
		if digest == d.Digest {
			return upTo(ctx, n, gate, body), nil
		}
		if before != nil {
			return before(ctx, repo, digest, nth, body)
		}
		return body, nil
	}
	return gate
}

func TestSameRequestJoinsTheRunningPull(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		l := b.up.layerBlob(1, 100)
		ref := b.up.tag("app:1", b.up.index(b.up.image("linux/amd64", l), b.up.image("linux/arm64", l)))
		gate := b.up.hold(l, 10)
		platforms := []image.Platform{parse(t, "linux/arm64/v8"), parse(t, "linux/amd64")}
		first := b.pull(ref, "linux/amd64", "linux/arm64")
		synctest.Wait()
		j, joined, err := b.queue.Pull(b.ctx, pull.Request{Reference: ref, Platforms: platforms, By: image.ActorNamed("bob")})
		if err != nil || !joined || j.ID != first.ID {
			t.Fatalf("job %d, joined %t, %v; want to join job %d", j.ID, joined, err, first.ID)
		}
		if saved, err := b.store.Jobs.Job(b.ctx, first.ID); err != nil || len(saved.By) != 2 {
			t.Errorf("saved while running: %+v, %v", saved.By, err)
		}
		other := b.pull(ref, "linux/amd64")
		if other.ID == first.ID {
			t.Error("a pull of other platforms joined")
		}
		if got := b.jobs.ActiveCount(); got != 2 {
			t.Errorf("%d active pulls, want 2", got)
		}
		close(gate)
		equal(t, "requesters", b.end(first.ID).By, []string{"ann", "bob"})
		b.end(other.ID)
	})
}

func TestQueuedPullIsJoinedToo(t *testing.T) {
	inBubble(t, pull.Options{Jobs: 1}, func(b *bench) {
		l := b.up.layerBlob(1, 100)
		gate := b.up.hold(l, 10)
		first := b.pull(b.up.tag("app:1", b.up.image("linux/amd64", l)))
		ref := b.up.tag("app:2", b.up.image("linux/arm64", l))
		second := b.pull(ref)
		if got := b.live(second.ID).State; got != job.Queued {
			t.Errorf("the second pull is %s, want it queued", got)
		}
		if again := b.pull(ref); again.ID != second.ID {
			t.Error("the queued pull was not joined")
		}
		close(gate)
		b.end(first.ID)
		if got := b.end(second.ID).State; got != job.Done {
			t.Errorf("the second pull is %s", got)
		}
	})
}

func TestLayerOfTwoPullsIsFetchedOnceAndMovesInBoth(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		shared := b.up.layerBlob(1, 5000)
		one, two := b.up.tag("app:1", b.up.image("linux/amd64", shared)), b.up.tag("other:1", b.up.image("linux/arm64", shared))
		gate := b.up.hold(shared, 3000)
		first, second := b.pull(one), b.pull(two)
		for _, j := range []job.Job{b.live(first.ID), b.live(second.ID)} {
			if l := j.Progress.Layers[0]; l.State != job.Downloading || l.Bytes != 3000 {
				t.Errorf("pull %d shows %s with %d bytes, want 3000 downloading", j.ID, l.State, l.Bytes)
			}
		}
		close(gate)
		for _, id := range []int64{first.ID, second.ID} {
			if j := b.end(id); j.State != job.Done || j.Progress.Layers[0].Bytes != shared.Size {
				t.Errorf("pull %d: %+v", id, j)
			}
		}
		equal(t, "requests", b.up.requested(shared.Digest), []int64{0})
	})
}

func TestCancelledPullDoesNotStopWhatAnotherWaitsFor(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		shared := b.up.layerBlob(1, 5000)
		one, two := b.up.tag("app:1", b.up.image("linux/amd64", shared)), b.up.tag("other:1", b.up.image("linux/arm64", shared))
		gate := b.up.hold(shared, 3000)
		first, second := b.pull(one), b.pull(two)
		synctest.Wait()
		if err := b.jobs.Cancel(first.ID, "bob"); err != nil {
			t.Fatal(err)
		}
		close(gate)
		if got := b.end(second.ID).State; got != job.Done {
			t.Errorf("the other pull is %s", got)
		}
		j := b.end(first.ID)
		if j.State != job.Cancelled || j.Problem == nil || j.Problem.Message.String() != "cancelled by bob" {
			t.Errorf("the cancelled pull is %s, %+v", j.State, j.Problem)
		}
		if l := j.Progress.Layers[0]; l.State != job.Waiting || l.Bytes != 3000 {
			t.Errorf("the cancelled pull's layer is %s with %d bytes, want as it was left", l.State, l.Bytes)
		}
		equal(t, "requests", b.up.requested(shared.Digest), []int64{0})
	})
}

func TestPullAfterACancelGoesOnWhereItStopped(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		done, half := b.up.layerBlob(1, 100), b.up.layerBlob(2, 5000)
		ref := b.up.tag("app:1", b.up.image("linux/amd64", done, half))
		gate := b.up.hold(half, 3000)
		first := b.pull(ref)
		synctest.Wait()
		if err := b.jobs.Cancel(first.ID, ""); err != nil {
			t.Fatal(err)
		}
		if got := b.end(first.ID).State; got != job.Cancelled {
			t.Fatalf("the pull is %s", got)
		}
		close(gate)
		j := b.done(ref)
		if j.ID == first.ID {
			t.Error("the cancelled pull was joined")
		}
		equal(t, "offsets", b.up.requested(half.Digest), []int64{0, 3000})
		if l := j.Progress.Layers; l[0].State != job.AlreadyStored || l[1].Resumed != 3000 || l[1].Bytes != half.Size {
			t.Errorf("layers: %+v", l)
		}
	})
}

func TestCancelOfAQueuedPullIsAtOnce(t *testing.T) {
	inBubble(t, pull.Options{Jobs: 1}, func(b *bench) {
		l := b.up.layerBlob(1, 100)
		gate := b.up.hold(l, 10)
		first := b.pull(b.up.tag("app:1", b.up.image("linux/amd64", l)))
		second := b.pull(b.up.tag("app:2", b.up.image("linux/arm64", l)))
		if err := b.jobs.Cancel(second.ID, "bob"); err != nil {
			t.Fatal(err)
		}
		if got := b.end(second.ID); got.State != job.Cancelled || got.Finished.IsZero() {
			t.Errorf("the queued pull is %s", got.State)
		}
		close(gate)
		b.end(first.ID)
		if err := b.jobs.Cancel(first.ID, "bob"); image.KindOf(err) != image.Conflict {
			t.Errorf("cancel of a pull that is over: %v, want a conflict", err)
		}
		if err := b.jobs.Cancel(4711, "bob"); image.KindOf(err) != image.NotFound {
			t.Errorf("cancel of an unknown pull: %v, want not found", err)
		}
		if s := b.jobs.Stats(); s.Done != 1 || s.Cancelled != 1 || b.queue.Traffic().Bytes == 0 {
			t.Errorf("stats: %+v", s)
		}
	})
}

func TestBlobThatOneRepositoryLacksIsFetchedFromTheOther(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		shared := b.up.layerBlob(1, 5000)
		one, two := b.up.tag("bad.example.com/app:1", b.up.image("linux/amd64", shared)), b.up.tag("other:1", b.up.image("linux/arm64", shared))
		gate := make(chan struct{})
		b.up.blob = func(ctx context.Context, repo image.Repository, d image.Digest, _ int, body io.Reader) (io.Reader, error) {
			if d == shared.Digest && repo == one.Repository {
				return io.MultiReader(upTo(ctx, 0, gate, nil0{}), gone{}), nil
			}
			return body, nil
		}
		first := b.pull(one)
		synctest.Wait() // it has begun the fetch
		second := b.pull(two)
		synctest.Wait()
		close(gate)
		for _, id := range []int64{first.ID, second.ID} { // the first has it from there, too: it is the same blob
			if j := b.end(id); j.State != job.Done {
				t.Errorf("pull %d is %s, %+v", id, j.State, j.Problem)
			}
		}
	})
}

type nil0 struct{}

func (nil0) Read([]byte) (int, error) { return 0, io.EOF }

type gone struct{}

func (gone) Read([]byte) (int, error) { return 0, image.Errorf(image.NotFound, "blob unknown") }

func TestDownloadsAreBoundedOverAllPulls(t *testing.T) {
	inBubble(t, pull.Options{Concurrency: 3, Jobs: 5}, func(b *bench) {
		gate := make(chan struct{})
		b.up.blob = func(ctx context.Context, _ image.Repository, _ image.Digest, _ int, body io.Reader) (io.Reader, error) {
			return upTo(ctx, 1, gate, body), nil
		}
		var ids []int64
		for i := range uint64(4) {
			var layers []image.Descriptor
			for n := range uint64(6) {
				layers = append(layers, b.up.layerBlob(100*i+n, 2000))
			}
			ids = append(ids, b.pull(b.up.tag("app:"+string(rune('a'+i)), b.up.image("linux/amd64", layers...))).ID)
		}
		synctest.Wait()
		close(gate)
		for _, id := range ids {
			if j := b.end(id); j.State != job.Done {
				t.Errorf("pull %d is %s, %+v", id, j.State, j.Problem)
			}
		}
		if b.up.most != 3 {
			t.Errorf("%d blobs were open at once, want 3", b.up.most)
		}
	})
}

func TestAnOlderResolveNeverWinsOverANewerOne(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		slow := b.up.layerBlob(1, 5000)
		gate := b.up.hold(slow, 3000)
		ref := b.up.tag("app:1", b.up.index(b.up.image("linux/amd64", slow)))
		first := b.pull(ref)
		synctest.Wait()
		moved := b.up.index(b.up.image("linux/amd64", b.up.layerBlob(2, 10)))
		b.up.tag("app:1", moved)
		b.done(ref, "linux/amd64")
		close(gate)
		j := b.end(first.ID)
		if j.State != job.Done || pull.DigestOf(j) != moved.Digest {
			t.Errorf("the slow pull is %s at %s, want %s: the tag had moved", j.State, pull.DigestOf(j), moved.Digest)
		}
		if stored, err := b.store.Images.Resolved(b.ctx, ref); err != nil || stored.Digest != moved.Digest {
			t.Errorf("the shelf holds %+v, %v; want %s", stored, err, moved.Digest)
		}
	})
}

func TestLieAboutASizeDoesNotFailAnotherPull(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		l := b.up.layerBlob(1, 5000)
		lie := l
		lie.Size++
		gate := b.up.hold(l, 3000)
		liar, honest := b.up.tag("app:lie", b.up.image("linux/amd64", lie)), b.up.tag("app:1", b.up.image("linux/amd64", l))
		first := b.pull(liar)
		synctest.Wait()
		second := b.pull(honest)
		synctest.Wait()
		close(gate)
		if j := b.end(first.ID); j.State != job.Failed {
			t.Errorf("the pull with the wrong size is %s", j.State)
		}
		if j := b.end(second.ID); j.State != job.Done || !b.stored(l) {
			t.Errorf("the pull with the right size is %s, %+v", j.State, j.Problem)
		}
	})
}

func TestPullRightAfterACancelWaitsForTheFileToBeFree(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		l := b.up.layerBlob(1, 5000)
		deaf := make(chan struct{})
		b.up.blob = func(_ context.Context, _ image.Repository, d image.Digest, nth int, body io.Reader) (io.Reader, error) {
			if d == l.Digest && nth == 1 {
				return upTo(context.Background(), 3000, deaf, body), nil // ignores that it is cancelled
			}
			return body, nil
		}
		ref := b.up.tag("app:1", b.up.image("linux/amd64", l))
		first := b.pull(ref)
		synctest.Wait()
		if err := b.jobs.Cancel(first.ID, "bob"); err != nil {
			t.Fatal(err)
		}
		second := b.pull(ref)
		if got := b.live(second.ID).Progress.Layers[0].State; second.ID == first.ID || got != job.Waiting {
			t.Errorf("pull %d has its layer %s, want a new pull that waits", second.ID, got)
		}
		close(deaf)
		if got := b.end(first.ID).State; got != job.Cancelled {
			t.Errorf("the cancelled pull is %s", got)
		}
		if j := b.end(second.ID); j.State != job.Done {
			t.Errorf("the new pull is %s, %+v", j.State, j.Problem)
		}
	})
}
