package pull_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/storage"
)

// bench is a queue over the real storage, in a bubble whose clock is not the real one.
type bench struct {
	*testing.T
	up    *upstream
	store *storage.Store
	queue *pull.Queue
	dir   string
	disk  *smallDisk      // nil: the real one
	ctx   context.Context // of the bubble; that of the test was made outside
}

// inBubble runs a test with a started queue. When the bubble ends no goroutine may be left.
func inBubble(t *testing.T, options pull.Options, test func(b *bench)) {
	t.Helper()
	inBubbleOn(t, nil, options, test)
}

// inBubbleOn is inBubble on a disk.
func inBubbleOn(t *testing.T, disk *smallDisk, options pull.Options, test func(b *bench)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, up: newUpstream(t), dir: dir, disk: disk, ctx: context.Background()}
		b.openStore()
		b.start(options, b.store)
		defer func() {
			b.stop()
			if err := b.store.Close(); err != nil {
				t.Errorf("close storage: %v", err)
			}
		}()
		test(b)
	})
}

func (b *bench) openStore() {
	b.Helper()
	options := storage.Options{Dir: b.dir}
	if b.disk != nil {
		options.DiskReserve, options.Volume = megabyte, b.disk.volume
	}
	var err error
	if b.store, err = storage.Open(b.ctx, options); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) start(options pull.Options, shelf pull.Shelf) {
	b.Helper()
	options.Source, options.Shelf = b.up, shelf
	if options.DefaultPlatform == (image.Platform{}) {
		options.DefaultPlatform = parse(b.T, "linux/amd64")
	}
	b.queue = pull.New(options)
	if err := b.queue.Start(b.ctx); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) stop() {
	b.Helper()
	if err := b.queue.Close(context.Background()); err != nil {
		b.Errorf("close queue: %v", err)
	}
}

// pull asks for a pull.
func (b *bench) pull(ref image.Reference, platforms ...string) pull.Job {
	b.Helper()
	req := pull.Request{Reference: ref, By: "ann"}
	for _, p := range platforms {
		req.Platforms = append(req.Platforms, parse(b.T, p))
	}
	job, _, err := b.queue.Pull(b.ctx, req)
	if err != nil {
		b.Fatal(err)
	}
	return job
}

// end waits until a job is not live any more and gives its record.
func (b *bench) end(id int64) pull.Job {
	b.Helper()
	states, cancel := b.queue.Subscribe(id)
	defer cancel()
	for range states {
	}
	job, err := b.store.Job(b.ctx, id)
	if err != nil {
		b.Fatal(err)
	}
	return job
}

// done pulls and fails the test where that fails.
func (b *bench) done(ref image.Reference, platforms ...string) pull.Job {
	b.Helper()
	job := b.end(b.pull(ref, platforms...).ID)
	if job.State != pull.Done {
		b.Fatalf("pull of %s is %s: %+v", ref, job.State, job.Problem)
	}
	return job
}

// fails pulls and gives the problem.
func (b *bench) fails(kind image.Kind, ref image.Reference, platforms ...string) pull.Problem {
	b.Helper()
	job := b.end(b.pull(ref, platforms...).ID)
	if job.State != pull.Failed || job.Problem == nil || job.Problem.Kind != kind {
		b.Fatalf("pull of %s is %s: %+v, want it to fail with %s", ref, job.State, job.Problem, kind)
	}
	if stored, err := b.store.Resolved(b.ctx, ref); err == nil {
		b.Errorf("the failed pull left %s on the shelf", stored.Digest)
	}
	return *job.Problem
}

// live gives a job once everything waits for something.
func (b *bench) live(id int64) pull.Job {
	b.Helper()
	synctest.Wait()
	job, ok := b.queue.Get(id)
	if !ok {
		b.Fatalf("pull %d is not live", id)
	}
	return job
}

func (b *bench) stored(d image.Descriptor) bool { return b.store.HasBlob(d) }

func equal[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
