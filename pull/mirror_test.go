package pull_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/pull/fetch"
	"github.com/stowage/stowage/pull/mirror"
)

const hub = "docker.io"

// mirror puts a mirror of Docker Hub before the queue.
func (b *bench) mirror() *mirror.Mirror {
	return mirror.New(mirror.Options{Queue: b.queue, Jobs: b.jobs, Blobs: b.store.Blobs, Images: b.store.Images, Registries: []string{hub}, Fresh: mirror.Fresh})
}

// points asks a mirror about a tag, of which a digest is stored.
func (b *bench) points(m *mirror.Mirror, ref image.Reference, stored, want image.Digest) {
	b.Helper()
	if got, err := m.Tag(b.ctx, ref, stored); err != nil || got != want {
		b.Errorf("%s points to %s, %v; want %s", ref, got, err, want)
	}
}

// handOut hands a document out to a client.
func (b *bench) handOut(m *mirror.Mirror, repo image.Repository, d image.Digest) mirror.Mirrored {
	b.Helper()
	doc, err := m.Document(b.ctx, repo, d)
	if err == nil {
		err = m.HandOut(b.ctx, repo, doc, image.ActorNamed("client"))
	}
	if err != nil {
		b.Fatal(err)
	}
	return doc
}

// settle waits for all pulls.
func (b *bench) settle() {
	b.Helper()
	for _, j := range b.jobs.Active() {
		b.end(j.ID)
	}
}

// pointsOnTheShelf checks where a tag points on the shelf.
func (b *bench) pointsOnTheShelf(ref image.Reference, want image.Digest) {
	b.Helper()
	if stored, err := b.store.Images.Resolved(b.ctx, ref); err != nil || stored.Digest != want {
		b.Errorf("on the shelf %s points to %s, %v; want %s", ref, stored.Digest, err, want)
	}
}

func TestWhatAPullWasToldOfATagIsWhatClientsAreTold(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		m := b.mirror()
		first, second := b.up.image("linux/amd64", b.up.layerBlob(1, 10)), b.up.image("linux/amd64", b.up.layerBlob(2, 10))
		ref := b.up.tag("app:1", first)
		b.points(m, ref, "", first.Digest)
		time.Sleep(time.Minute) // the answer still holds
		b.up.tag("app:1", second)
		b.done(ref)
		b.points(m, ref, second.Digest, second.Digest)
		if heads, _, _ := b.up.requests(); heads != 2 {
			t.Errorf("the tag was asked for %d times", heads)
		}
	})
}

func TestAClientThatWasToldOfATagBeforeItMovedDoesNotMoveItBack(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		m := b.mirror()
		first, second := b.up.image("linux/amd64", b.up.layerBlob(1, 10)), b.up.image("linux/amd64", b.up.layerBlob(2, 10))
		ref := b.up.tag("app:1", first)
		b.points(m, ref, "", first.Digest)
		time.Sleep(time.Minute)
		b.up.tag("app:1", second)
		b.done(ref)
		b.handOut(m, ref.Repository, first.Digest)
		b.settle()
		b.pointsOnTheShelf(ref, second.Digest)
		b.pointsOnTheShelf(ref.Repository.At(first.Digest), first.Digest)
	})
}

func TestATagOfWhichTheRegistryWithholdsTheNewImageIsServedAsItIsStored(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		m := b.mirror()
		first, second := b.up.image("linux/amd64", b.up.layerBlob(1, 10)), b.up.image("linux/amd64", b.up.layerBlob(2, 10))
		ref := b.up.tag("app:1", first)
		b.done(ref)
		b.up.tag("app:1", second)
		time.Sleep(2 * mirror.Fresh)
		limited := true
		b.up.document = func(image.Reference) error {
			if limited {
				return image.Errorf(image.RateLimited, "enough for today").Because(retryAt{}) // until nobody knows when
			}
			return nil
		}
		_, before, _ := b.up.requests()
		for range 20 {
			b.points(m, ref, first.Digest, first.Digest)
			time.Sleep(2 * time.Second)
		}
		if _, reads, _ := b.up.requests(); reads != before+1 {
			t.Errorf("the manifest was asked for %d times", reads-before)
		}
		if s, known := m.Standing(ref); !known || image.KindOf(s.Err) != image.RateLimited {
			t.Errorf("standing: %+v, %v", s, known)
		}
		limited = false
		time.Sleep(2 * time.Minute)
		b.points(m, ref, first.Digest, second.Digest)
	})
}

func TestATagIsAskedForOnceHoweverItsClientsMeet(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		m := b.mirror()
		d := b.up.image("linux/amd64", b.up.layerBlob(1, 10))
		const tags = 1000
		for i := range tags {
			ref := b.up.tag(fmt.Sprintf("app:%d", i), d)
			var clients sync.WaitGroup
			for range 8 {
				clients.Go(func() { b.points(m, ref, "", d.Digest) })
			}
			clients.Wait()
		}
		if heads, _, _ := b.up.requests(); heads != tags {
			t.Errorf("%d tags were asked for %d times", tags, heads)
		}
	})
}

// TestWhatAuthorsAddToTheirIndexesIsNotKeptInMemory has a mirror remember indexes and manifests with long annotations.
func TestWhatAuthorsAddToTheirIndexesIsNotKeptInMemory(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		m := b.mirror()
		layer := b.up.layerBlob(1, 10)
		before := heap()
		const count, each = 16, 2 << 20
		for i := range count {
			l := layer
			l.Annotations = map[string]string{"a": strings.Repeat("x", each/2), "i": fmt.Sprint(i)}
			one := b.up.image("linux/amd64", l)
			one.Annotations = map[string]string{"a": strings.Repeat("x", each/2)}
			index := b.up.index(one)
			if _, err := m.Document(b.ctx, "docker.io/library/app", index.Digest); err != nil {
				t.Fatal(err)
			}
			b.handOut(m, "docker.io/library/app", one.Digest)
			b.settle()
			b.up.forgetDocuments()
		}
		if more := int64(heap()) - int64(before); more > count*each/4 {
			t.Errorf("%d bytes are kept of %d", more, count*each)
		}
		runtime.KeepAlive(m)
	})
}

// heap returns the bytes in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // what pools keep is gone with the second
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

// forgetDocuments makes the upstream have no indexes and manifests any more.
func (u *upstream) forgetDocuments() {
	u.mu.Lock()
	defer u.mu.Unlock()
	clear(u.documents)
}

func TestThoseWhoAskForOnePullAreRememberedUpToABound(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		l := b.up.layerBlob(1, 5000)
		gate := b.up.hold(l, 1000)
		ref := b.up.tag("app:1", b.up.image("linux/amd64", l))
		var j job.Job
		for i := range 300 {
			var err error
			if j, _, err = b.queue.Pull(b.ctx, pull.Request{Reference: ref, By: image.ActorNamed(fmt.Sprintf("client %d", i))}); err != nil {
				t.Fatal(err)
			}
		}
		close(gate)
		if n := len(b.end(j.ID).By); n != 100 {
			t.Errorf("%d are remembered", n)
		}
	})
}

func TestNothingIsFetchedForAClientOnceTheQueueIsClosed(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		m := b.mirror()
		l := b.up.layerBlob(1, 5000)
		ref := b.up.tag("app:1", b.up.image("linux/amd64", l))
		b.up.wait = time.Second
		b.stop()
		if _, err := m.Stream(b.ctx, ref.Repository, l, image.ActorNamed("ann")); image.KindOf(err) != image.Unavailable {
			t.Errorf("a blob: %v", err)
		}
		if _, err := m.Tag(b.ctx, ref, ""); image.KindOf(err) != image.Unavailable {
			t.Errorf("a tag: %v", err)
		}
		if _, _, blobs := b.up.requests(); blobs != 0 {
			t.Errorf("%d requests", blobs)
		}
	})
}

func TestAClientDoesNotWaitForAManifestAsLongAsAPullDoes(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		m := b.mirror()
		one := b.up.image("linux/amd64", b.up.layerBlob(1, 10))
		ref := b.up.tag("app:1", one)
		until := time.Now().Add(10 * time.Minute)
		b.up.document = func(image.Reference) error {
			if time.Now().Before(until) {
				return image.Errorf(image.RateLimited, "enough for now").Because(retryAt{until})
			}
			return nil
		}
		j := b.pull(ref)
		synctest.Wait() // it waits until then
		start := time.Now()
		if _, err := m.Document(b.ctx, ref.Repository, one.Digest); image.KindOf(err) != image.Unavailable || time.Since(start) > time.Minute {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		if j := b.end(j.ID); j.State != job.Done {
			t.Errorf("the pull is %s: %+v", j.State, j.Problem)
		}
	})
}

type retryAt struct{ time.Time }

func (r retryAt) Error() string      { return "later" }
func (r retryAt) RetryAt() time.Time { return r.Time }

func TestAnImageThatAPullOfItsPlatformWouldNotBringIsPulledByItsDigest(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		first, second, third := b.up.image("linux/amd64", b.up.layerBlob(1, 10)), b.up.image("linux/amd64", b.up.layerBlob(2, 10)), b.up.image("linux/arm64", b.up.layerBlob(3, 10))
		third.Platform = nil // the index does not say
		index := b.up.index(first, second, third)
		ref := b.up.tag("app:1", index)
		b.done(ref, "linux/amd64")
		m := b.mirror() // which has heard nothing: it knows of them by the index on the shelf
		for _, d := range []image.Descriptor{second, third} {
			b.handOut(m, ref.Repository, d.Digest)
			b.settle()
			b.pointsOnTheShelf(ref.Repository.At(d.Digest), d.Digest)
		}
		b.pointsOnTheShelf(ref, index.Digest)
	})
}

func TestABlobThatIsStoredIsNotReadFromWhatAnEarlierAttemptLeft(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		m := b.mirror()
		l := b.up.layerBlob(1, 300_000)
		left, err := b.store.Blobs.NewBlob(l)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := left.Write([]byte(strings.Repeat("x", 200_000))); err != nil {
			t.Fatal(err)
		}
		if err := left.Close(); err != nil {
			t.Fatal(err)
		}
		whole := b.up.blobs[l.Digest]
		if err := os.WriteFile(filepath.Join(b.dir, "blobs", "sha256", l.Digest.Encoded()), whole, 0o600); err != nil { // as from an archive
			t.Fatal(err)
		}
		s, err := m.Stream(context.Background(), "docker.io/library/app", l, image.ActorNamed("ann"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(s)
		if err != nil || image.DigestOf(got) != l.Digest {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestAFailingManifestMakesOneRecordHoweverOftenClientsAsk(t *testing.T) {
	for kind, rest := range map[image.Kind]time.Duration{image.NotFound: time.Hour, image.Corrupt: time.Hour, image.Unavailable: time.Minute} {
		inBubble(t, pull.Options{Backoff: fetch.Backoff{Tries: 1}}, func(b *bench) {
			m := b.mirror()
			l := b.up.layerBlob(1, 5000)
			d := b.up.image("linux/amd64", l)
			ref := b.up.tag("app:1", d)
			b.up.blob = func(_ context.Context, _ image.Repository, digest image.Digest, _ int, body io.Reader) (io.Reader, error) {
				if digest == l.Digest {
					return nil, image.Errorf(kind, "no")
				}
				return body, nil
			}
			records := func() (n int) {
				for id := int64(1); ; id++ {
					if _, err := b.store.Jobs.Job(b.ctx, id); err != nil {
						return n
					}
					n++
				}
			}
			ask := func() {
				b.points(m, ref, "", d.Digest)
				b.handOut(m, ref.Repository, d.Digest)
				b.settle()
				_, _, _ = m.Blob(b.ctx, ref.Repository, l.Digest, image.ActorNamed("client"))
				b.settle()
			}
			for range 5 {
				ask()
				time.Sleep(rest / 6)
			}
			if n := records(); n != 1 {
				t.Errorf("%s: %d records", kind, n)
			}
			time.Sleep(rest)
			ask()
			if n := records(); n != 2 {
				t.Errorf("%s: %d records once it may be tried again", kind, n)
			}
		})
	}
}
