package pull_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/pull/mirror"
)

// line is what bodies come over: so many bytes a second, shared by those that are read.
type line struct {
	rate    int
	readers int
}

// over returns a body as it comes over the line. What only one test reads at a time needs no lock: in a bubble with a
// clock of its own the readers are counted when they begin to wait.
func (l *line) over(ctx context.Context, chunk int, u *upstream, body io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		n, err := body.Read(p[:min(len(p), chunk)])
		if n == 0 {
			return n, err
		}
		u.mu.Lock()
		l.readers++
		wait := time.Duration(n) * time.Second * time.Duration(l.readers) / time.Duration(l.rate)
		u.mu.Unlock()
		defer func() {
			u.mu.Lock()
			defer u.mu.Unlock()
			l.readers--
		}()
		select {
		case <-time.After(wait):
			return n, err
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// drips makes the layers of a registry come at so many bytes a second each.
func (u *upstream) drips(host string, rate int) {
	before := u.blob
	u.blob = func(ctx context.Context, repo image.Repository, d image.Digest, nth int, body io.Reader) (io.Reader, error) {
		if repo.Host() == host && len(u.blobs[d]) > 1500 { // no config
			return (&line{rate: rate}).over(ctx, rate, u, body), nil
		}
		if before != nil {
			return before(ctx, repo, d, nth, body)
		}
		return body, nil
	}
}

// app tags an image of some layers.
func (u *upstream) app(ref string, layers, size int) image.Reference {
	var all []image.Descriptor
	for i := range layers {
		u.mu.Lock()
		seed := uint64(len(u.blobs)*100 + i)
		u.mu.Unlock()
		all = append(all, u.layerBlob(seed, size))
	}
	return u.tag(ref, u.image("linux/amd64", all...))
}

func TestARegistryThatDripsHoldsUpNoOther(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		b.up.drips("slow.example.com", 10)
		m := mirror.New(mirror.Options{Queue: b.queue, Jobs: b.jobs, Blobs: b.store.Blobs, Images: b.store.Images, Registries: []string{"slow.example.com", "quick.example.com"}, Fresh: time.Minute})
		for i := range 3 {
			b.pull(b.up.app(fmt.Sprintf("slow.example.com/app:%d", i), 12, 200_000))
		}
		slow := b.up.app("slow.example.com/mirrored:1", 24, 200_000)
		handed := b.handOut(m, slow.Repository, b.up.tags[slow.String()])
		for _, l := range b.up.documents[handed.Digest].Manifest.Layers {
			go func() {
				if s, err := m.Stream(b.ctx, slow.Repository, l, image.ActorNamed("client 10.0.0.1 (docker/28)")); err == nil {
					s.Close()
				}
			}()
		}
		time.Sleep(10 * time.Second) // all places that can be held are
		begun := time.Now()
		b.done(b.up.app("other.example.com/app:1", 3, 5000))
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("a small pull from another registry took %s", took)
		}
		quick := b.up.app("quick.example.com/app:1", 1, 100_000)
		begun = time.Now()
		handed = b.handOut(m, quick.Repository, b.up.tags[quick.String()])
		s, err := m.Stream(b.ctx, quick.Repository, b.up.documents[handed.Digest].Manifest.Layers[0], image.ActorNamed("client 10.0.0.2 (docker/28)"))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := io.Copy(io.Discard, s); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("a client's blob from another registry took %s", took)
		}
		for _, j := range b.jobs.Active() {
			if err := b.jobs.Cancel(j.ID, "ann"); err != nil && image.KindOf(err) != image.Conflict {
				t.Error(err)
			}
		}
	})
}

func TestWhatOnlyDripsIsTriedAgainAndEndsInWords(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		b.up.drips("slow.example.com", 10)
		ref := b.up.app("slow.example.com/app:1", 1, 200_000)
		begun := time.Now()
		p := b.fails(image.Unavailable, ref)
		if !strings.Contains(p.Message.String(), "slow.example.com sends too slowly") {
			t.Errorf("message %q", p.Message)
		}
		if took := time.Since(begun); took > 10*time.Minute {
			t.Errorf("it took %s", took)
		}
		l := b.up.documents[b.up.tags[ref.String()]].Manifest.Layers[0]
		equal(t, "offsets", b.up.requested(l.Digest), []int64{0, 600, 1200, 1800, 2400})
	})
}

// A line of 50 kB/s that two dozen layers share is slow, and nobody's fault.
func TestALayerOverASlowLineIsNotEnded(t *testing.T) {
	inBubble(t, pull.Options{Concurrency: 24}, func(b *bench) {
		dsl := &line{rate: 50_000}
		b.up.blob = func(ctx context.Context, _ image.Repository, _ image.Digest, _ int, body io.Reader) (io.Reader, error) {
			return dsl.over(ctx, 1448, b.up, body), nil
		}
		b.done(b.up.app("example.com/app:1", 24, 400_000))
		if s := b.queue.Traffic(); s.Retries != 0 {
			t.Errorf("%d transfers were ended", s.Retries)
		}
	})
}

func TestABlobIsFetchedFromWhereItDoesNotDrip(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		b.up.drips("slow.example.com", 10)
		of := b.up.image("linux/amd64", b.up.layerBlob(1, 3_000_000))
		slow := b.pull(b.up.tag("slow.example.com/app:1", of))
		time.Sleep(10 * time.Second) // it has begun
		begun := time.Now()
		b.done(b.up.tag("quick.example.com/app:1", of))
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
		if j := b.end(slow.ID); j.State != job.Done {
			t.Errorf("the pull from where it drips is %s, %+v: the blob is here", j.State, j.Problem)
		}
	})
}

func TestADocumentThatOneRegistryWithholdsIsReadFromAnother(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		of := b.up.image("linux/amd64", b.up.layerBlob(1, 3000))
		gate := make(chan struct{})
		b.up.document = func(ref image.Reference) error {
			if ref.Repository.Host() == "slow.example.com" {
				b.up.mu.Unlock()
				<-gate
				b.up.mu.Lock()
			}
			return nil
		}
		slow := b.pull(b.up.tag("slow.example.com/app:1", of))
		synctest.Wait()
		b.done(b.up.tag("quick.example.com/app:1", of))
		close(gate)
		b.end(slow.ID)
	})
}

// withOthers returns how long ten people wait for a pull each, beside one who wants some.
func withOthers(t *testing.T, greedy int) (slowest time.Duration) {
	inBubble(t, pull.Options{}, func(b *bench) {
		shared := &line{rate: 1_000_000}
		b.up.blob = func(ctx context.Context, _ image.Repository, _ image.Digest, _ int, body io.Reader) (io.Reader, error) {
			return shared.over(ctx, 10_000, b.up, body), nil
		}
		ask := func(by, ref string, layers, size int) int64 {
			j, _, err := b.queue.Pull(b.ctx, pull.Request{Reference: b.up.app(ref, layers, size), By: image.ActorNamed(by)})
			if err != nil {
				t.Fatal(err)
			}
			return j.ID
		}
		for i := range greedy {
			ask("mallory", fmt.Sprintf("example.com/greedy:%d", i), 4, 500_000)
		}
		time.Sleep(time.Second)
		begun := time.Now()
		var ids []int64
		for i := range 10 {
			ids = append(ids, ask(fmt.Sprint("person", i), fmt.Sprintf("example.com/app:%d", i), 4, 500_000))
		}
		for _, id := range ids {
			if j := b.end(id); j.State != job.Done {
				t.Errorf("pull %d is %s, %+v", id, j.State, j.Problem)
			}
		}
		slowest = time.Since(begun)
		for _, j := range b.jobs.Active() {
			if err := b.jobs.Cancel(j.ID, "mallory"); err != nil && image.KindOf(err) != image.Conflict {
				t.Error(err)
			}
		}
	})
	return slowest
}

func TestOneWhoWantsVeryManyPullsMakesTenOthersAtMostTwiceAsSlow(t *testing.T) {
	alone, beside := withOthers(t, 0), withOthers(t, 100)
	if beside > 2*alone {
		t.Errorf("ten pulls take %s, and %s beside somebody with a hundred", alone, beside)
	}
	t.Logf("ten pulls take %s, and %s beside somebody with a hundred", alone, beside)
}

func TestOneRequesterDoesNotFillTheQueue(t *testing.T) {
	inBubble(t, pull.Options{Jobs: 1}, func(b *bench) {
		gate := make(chan struct{})
		defer close(gate)
		b.up.document = func(image.Reference) error {
			b.up.mu.Unlock()
			<-gate
			b.up.mu.Lock()
			return nil
		}
		d := b.up.image("linux/amd64", b.up.layerBlob(1, 10))
		ask := func(by string, i int) error {
			_, _, err := b.queue.Pull(b.ctx, pull.Request{Reference: b.up.tag(fmt.Sprintf("example.com/app:%d", i), d), By: image.ActorNamed(by)})
			return err
		}
		for i := range 1001 {
			if err := ask(fmt.Sprintf("client 10.0.0.1 (curl/%d)", i), i); err != nil {
				t.Fatalf("pull %d: %v", i, err)
			}
			if i == 0 {
				synctest.Wait() // it runs
			}
		}
		err := ask("client 10.0.0.1 (wget/1)", 2000)
		if image.KindOf(err) != image.TooLarge || !strings.Contains(err.Error(), "1000 pulls of 10.0.0.1") {
			t.Errorf("one more: %v", err)
		}
		if err := ask("client 10.0.0.2 (curl/8)", 2001); err != nil {
			t.Errorf("one of somebody else: %v", err)
		}
	})
}
