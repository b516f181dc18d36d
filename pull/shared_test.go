package pull_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"

	"github.com/stowage/stowage/image"
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
		job, joined, err := b.queue.Pull(b.ctx, pull.Request{Reference: ref, Platforms: platforms, By: "bob"})
		if err != nil || !joined || job.ID != first.ID {
			t.Fatalf("job %d, joined %t, %v; want to join job %d", job.ID, joined, err, first.ID)
		}
		if saved, err := b.store.Job(b.ctx, first.ID); err != nil || len(saved.Requesters) != 2 {
			t.Errorf("saved while running: %+v, %v", saved.Requesters, err)
		}
		other := b.pull(ref, "linux/amd64")
		if other.ID == first.ID {
			t.Error("a pull of other platforms joined")
		}
		if got := b.queue.ActiveCount(); got != 2 {
			t.Errorf("%d active pulls, want 2", got)
		}
		close(gate)
		equal(t, "requesters", b.end(first.ID).Requesters, []string{"ann", "bob"})
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
		if got := b.live(second.ID).State; got != pull.Queued {
			t.Errorf("the second pull is %s, want it queued", got)
		}
		if again := b.pull(ref); again.ID != second.ID {
			t.Error("the queued pull was not joined")
		}
		close(gate)
		b.end(first.ID)
		if got := b.end(second.ID).State; got != pull.Done {
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
		for _, job := range []pull.Job{b.live(first.ID), b.live(second.ID)} {
			if l := job.Layers[0]; l.State != pull.Downloading || l.Bytes != 3000 {
				t.Errorf("pull %d shows %s with %d bytes, want 3000 downloading", job.ID, l.State, l.Bytes)
			}
		}
		close(gate)
		for _, id := range []int64{first.ID, second.ID} {
			if job := b.end(id); job.State != pull.Done || job.Layers[0].Bytes != shared.Size {
				t.Errorf("pull %d: %+v", id, job)
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
		if err := b.queue.Cancel(first.ID, "bob"); err != nil {
			t.Fatal(err)
		}
		close(gate)
		if got := b.end(second.ID).State; got != pull.Done {
			t.Errorf("the other pull is %s", got)
		}
		job := b.end(first.ID)
		if job.State != pull.Cancelled || job.Problem == nil || job.Problem.Message != "cancelled by bob" {
			t.Errorf("the cancelled pull is %s, %+v", job.State, job.Problem)
		}
		if l := job.Layers[0]; l.State != pull.Waiting || l.Bytes != 3000 {
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
		if err := b.queue.Cancel(first.ID, ""); err != nil {
			t.Fatal(err)
		}
		if got := b.end(first.ID).State; got != pull.Cancelled {
			t.Fatalf("the pull is %s", got)
		}
		close(gate)
		job := b.done(ref)
		if job.ID == first.ID {
			t.Error("the cancelled pull was joined")
		}
		equal(t, "offsets", b.up.requested(half.Digest), []int64{0, 3000})
		if l := job.Layers; l[0].State != pull.AlreadyStored || l[1].Resumed != 3000 || l[1].Bytes != half.Size {
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
		if err := b.queue.Cancel(second.ID, "bob"); err != nil {
			t.Fatal(err)
		}
		if got := b.end(second.ID); got.State != pull.Cancelled || got.Finished.IsZero() {
			t.Errorf("the queued pull is %s", got.State)
		}
		close(gate)
		b.end(first.ID)
		if err := b.queue.Cancel(first.ID, "bob"); image.KindOf(err) != image.Conflict {
			t.Errorf("cancel of a pull that is over: %v, want a conflict", err)
		}
		if err := b.queue.Cancel(4711, "bob"); image.KindOf(err) != image.NotFound {
			t.Errorf("cancel of an unknown pull: %v, want not found", err)
		}
		if s := b.queue.Stats(); s.Done != 1 || s.Cancelled != 1 || s.BytesFetched == 0 {
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
			if job := b.end(id); job.State != pull.Done {
				t.Errorf("pull %d is %s, %+v", id, job.State, job.Problem)
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
			if job := b.end(id); job.State != pull.Done {
				t.Errorf("pull %d is %s, %+v", id, job.State, job.Problem)
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
		job := b.end(first.ID)
		if job.State != pull.Done || job.Digest != moved.Digest {
			t.Errorf("the slow pull is %s at %s, want %s: the tag had moved", job.State, job.Digest, moved.Digest)
		}
		if stored, err := b.store.Resolved(b.ctx, ref); err != nil || stored.Digest != moved.Digest {
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
		if job := b.end(first.ID); job.State != pull.Failed {
			t.Errorf("the pull with the wrong size is %s", job.State)
		}
		if job := b.end(second.ID); job.State != pull.Done || !b.stored(l) {
			t.Errorf("the pull with the right size is %s, %+v", job.State, job.Problem)
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
		if err := b.queue.Cancel(first.ID, "bob"); err != nil {
			t.Fatal(err)
		}
		second := b.pull(ref)
		if got := b.live(second.ID).Layers[0].State; second.ID == first.ID || got != pull.Waiting {
			t.Errorf("pull %d has its layer %s, want a new pull that waits", second.ID, got)
		}
		close(deaf)
		if got := b.end(first.ID).State; got != pull.Cancelled {
			t.Errorf("the cancelled pull is %s", got)
		}
		if job := b.end(second.ID); job.State != pull.Done {
			t.Errorf("the new pull is %s, %+v", job.State, job.Problem)
		}
	})
}
