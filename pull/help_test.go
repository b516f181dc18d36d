package pull_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/storage"
)

// bench is a queue over the real storage, in a bubble whose clock is not the real one.
type bench struct {
	*testing.T
	up    *upstream
	store *storage.Store
	jobs  *job.Runner
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
		b.start(options, b.store.Blobs)
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

func (b *bench) start(options pull.Options, blobs pull.Blobs) {
	b.Helper()
	options.Source, options.Blobs = b.up, blobs
	options.Space, options.Images, options.Recorder = b.store.Space, b.store.Images, b.store.Recorder
	if options.DefaultPlatform == (image.Platform{}) {
		options.DefaultPlatform = parse(b.T, "linux/amd64")
	}
	b.jobs = job.NewRunner(b.store.Jobs, options.Logger, options.Now)
	options.Runner = b.jobs
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
func (b *bench) pull(ref image.Reference, platforms ...string) job.Job {
	b.Helper()
	req := pull.Request{Reference: ref, By: image.ActorNamed("ann")}
	for _, p := range platforms {
		req.Platforms = append(req.Platforms, parse(b.T, p))
	}
	j, _, err := b.queue.Pull(b.ctx, req)
	if err != nil {
		b.Fatal(err)
	}
	return j
}

// end waits until a job is not live any more and gives its record.
func (b *bench) end(id int64) job.Job {
	b.Helper()
	states, cancel := b.jobs.Subscribe(id)
	defer cancel()
	for range states {
	}
	j, err := b.store.Jobs.Job(b.ctx, id)
	if err != nil {
		b.Fatal(err)
	}
	return j
}

// done pulls and fails the test where that fails.
func (b *bench) done(ref image.Reference, platforms ...string) job.Job {
	b.Helper()
	j := b.end(b.pull(ref, platforms...).ID)
	if j.State != job.Done {
		b.Fatalf("pull of %s is %s: %+v", ref, j.State, j.Problem)
	}
	return j
}

// fails pulls and gives the problem.
func (b *bench) fails(kind image.Kind, ref image.Reference, platforms ...string) job.Problem {
	b.Helper()
	j := b.end(b.pull(ref, platforms...).ID)
	if j.State != job.Failed || j.Problem == nil || j.Problem.Kind != kind {
		b.Fatalf("pull of %s is %s: %+v, want it to fail with %s", ref, j.State, j.Problem, kind)
	}
	if stored, err := b.store.Images.Resolved(b.ctx, ref); err == nil {
		b.Errorf("the failed pull left %s on the shelf", stored.Digest)
	}
	return *j.Problem
}

// live returns a job once everything waits for something.
func (b *bench) live(id int64) job.Job {
	b.Helper()
	synctest.Wait()
	j, ok := b.jobs.Get(id)
	if !ok {
		b.Fatalf("pull %d is not live", id)
	}
	return j
}

func (b *bench) stored(d image.Descriptor) bool { return b.store.Blobs.HasBlob(d) }

func equal[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// allTags returns what the pull of all tags knows.
func allTags(j job.Job) pull.AllTags {
	all, _ := j.Detail.(pull.AllTags)
	return all
}
