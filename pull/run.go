package pull

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stowage/stowage/guard"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull/fetch"
	"github.com/stowage/stowage/share"
	"github.com/stowage/stowage/shelf"
)

const (
	maxMoves      = 3                // times that a pull begins again because its tag moved under it
	recordTimeout = 30 * time.Second // for one Record, which a cancel no longer reaches
)

// worker runs one pull.
type worker struct {
	q    *Queue
	job  *job.Run
	by   string            // in whose share of the downloads; see share.Requester
	room shelf.Reservation // for tags to come, where it is known what they take; may be nil
}

// run works on a job.
func (q *Queue) run(ctx context.Context, r *job.Run) error {
	w := &worker{q: q, job: r, by: share.Requester(r.By().Name)}
	j := r.Snapshot()
	q.jobs.Advance(r, func(j *job.Job) {
		j.State = job.Resolving
		if j.Started.IsZero() { // else it goes on after a restart
			j.Started = q.now()
		}
	})
	if all, ok := j.Detail.(AllTags); ok {
		return w.pullAll(ctx, all)
	}
	one, ok := j.Detail.(Single)
	if !ok {
		return fmt.Errorf("a job of the kind %q is no pull", j.Kind())
	}
	known := want{Reference: one.Ref, platforms: one.Platforms, target: one.target, asked: one.asked}
	for range maxMoves {
		if err := w.pull(ctx, known); !errors.Is(err, shelf.ErrMoved) {
			return err
		}
		r.ShowAnew(nil)
		known.target, known.asked = "", time.Time{} // what it was found to be is older than what moved it
		r.Change(func(j *job.Job) { j.State = job.Resolving })
	}
	return keptMoving(one.Ref)
}

func keptMoving(ref image.Reference) error {
	return image.Errorf(image.Unavailable, "%s kept moving while it was pulled", ref.Familiar()).Suggest("Pull it again.")
}

// pull resolves a reference, fetches what it wants and records it.
func (w *worker) pull(ctx context.Context, known want) error {
	ref := known.Reference
	p, err := w.q.plan(ctx, known, w.retry, func(d image.Digest) {
		w.job.Change(func(j *job.Job) {
			j.Detail, j.Outcome.Lines = Single{Ref: ref, Platforms: known.platforms, Digest: d}, []string{pullingFrom(ref)}
		})
	})
	if err != nil {
		return err
	}
	change, err := w.fetch(ctx, p, func(layers []job.Shown) {
		w.job.ShowAnew(layers)
		w.q.jobs.Advance(w.job, func(j *job.Job) { j.State, j.Outcome.Pulled = job.Pulling, p.platforms() })
	})
	if err != nil {
		return err
	}
	passed := w.tellPassed(p)
	w.job.Change(func(j *job.Job) {
		j.Outcome.Pulled, j.Outcome.Newer = p.platforms(), change.Newer
		j.Outcome.Lines = append(append(j.Outcome.Lines, passed...), outcome(ref, p.Digest, p.images, change.Newer)...)
	})
	return nil
}

// retry makes the requests of a job's resolving, again where the back-off allows; the job shows why.
func (w *worker) retry(ctx context.Context, request func(context.Context) error) error {
	return w.q.fetcher.Backoff().Retry(ctx, w.q.now, request, func(err error, until time.Time) {
		if err == nil {
			w.job.Change(func(j *job.Job) { j.Progress.Reason, j.Progress.RetryAt = image.Text{}, time.Time{} })
			return
		}
		w.job.Change(func(j *job.Job) { j.Progress.Reason, j.Progress.RetryAt = job.ProblemOf(err).Message, until })
		w.q.jobs.Tell(w.job)
	})
}

// fetch fetches what a plan wants and records it, once the disk has room for all of it. show is called with the layers
// before the first of them is fetched. ErrMoved where the tag was moved on the shelf meanwhile. Where
// the disk is full, what was fetched is given up.
func (w *worker) fetch(ctx context.Context, p *plan, show func([]job.Shown)) (shelf.Change, error) {
	digests := p.digests()
	// Held before anything is looked for, so that what is found stays.
	letGo := w.q.shelf.Hold(digests)
	defer letGo()
	p.by = w.by
	release, err := w.q.shelf.ReserveBlobs(p.needs(), w.room)
	var change shelf.Change
	if err == nil {
		defer release()
		change, err = w.fetchReserved(ctx, p, show)
	}
	if image.KindOf(err) == image.DiskFull {
		letGo()
		w.giveUp(ctx, digests)
	}
	return change, err
}

// giveUp frees what a pull has fetched that ends because the disk is full: it would only keep it full.
func (w *worker) giveUp(ctx context.Context, digests []image.Digest) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if err := w.q.shelf.GiveUp(ctx, digests); err != nil {
		w.q.log.Error("what was fetched is not freed", "job", w.job.ID(), "error", err)
	}
	layers, _ := w.job.Shown()
	for _, s := range layers {
		if l, ok := s.(*layer); ok && !w.q.shelf.HasBlob(l.Descriptor) {
			l.givenUp()
		}
	}
}

func (w *worker) fetchReserved(ctx context.Context, p *plan, show func([]job.Shown)) (shelf.Change, error) {
	for i := range p.images {
		if err := w.proveWanted(ctx, p, i); err != nil {
			return shelf.Change{}, err
		}
	}
	layers, byDigest := p.layers()
	show(layers)
	if err := w.fetchAll(ctx, p, byDigest); err != nil {
		return shelf.Change{}, err
	}
	for _, i := range p.images { // the configs have told what the index did not
		for _, d := range i.Document.Manifest.Layers {
			byDigest[d.Digest].usedBy(i.Platform)
		}
	}
	w.dropPassed(p)
	return w.record(ctx, p)
}

// proveWanted fetches the config of an image whose platform the index does not say, before its layers, and
// refuses it where it is for another platform than was asked for. Docker pulls it with a warning; here
// somebody chose.
func (w *worker) proveWanted(ctx context.Context, p *plan, i int) error {
	img := &p.images[i]
	if len(img.want) == 0 {
		return nil
	}
	if err := w.fetchConfig(ctx, p, i); err != nil {
		return err
	}
	if !slices.ContainsFunc(img.want, func(want image.Platform) bool { return runsOn(img.Config, want) }) {
		return noPlatform(p.reference, img.want, []image.Platform{img.Config.Platform()})
	}
	return nil
}

// fetchConfig brings a config onto the shelf and reads it.
func (w *worker) fetchConfig(ctx context.Context, p *plan, i int) error {
	img := &p.images[i]
	config := img.Document.Manifest.Config
	shown := &layer{Descriptor: config}
	w.job.Hide(shown)
	if err := w.ensure(ctx, p.blob(config), shown); err != nil {
		return err
	}
	raw, err := w.q.shelf.ReadBlob(config.Digest, image.MaxConfigSize)
	if err != nil {
		return fmt.Errorf("read config %s: %w", config.Digest, err)
	}
	if img.Config, err = image.ParseConfig(raw, img.Document.Manifest); err != nil {
		return err
	}
	if !img.Platform.Known() {
		img.Platform = img.Config.Platform()
	}
	return nil
}

// ensure brings one blob onto the shelf unless it is there, and right. l, which may be nil, shows it.
func (w *worker) ensure(ctx context.Context, b fetch.Blob, l *layer) error {
	stored, err := w.q.fetcher.Fetch(ctx, b, func(p *fetch.Progress) {
		if l != nil {
			l.follow(p)
		}
	})
	if stored && l != nil {
		l.isStored()
	}
	return err
}

// fetchAll brings every blob of a plan onto the shelf. Configs come first, so that an image whose config
// does not fit its manifest fails before its layers are there.
func (w *worker) fetchAll(ctx context.Context, p *plan, byDigest map[image.Digest]*layer) error {
	blobs := p.blobs() // before the configs that are read change the plan
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(w.q.fetcher.Lanes())
	for i := range p.images {
		if p.images[i].Config == nil {
			g.Go(func() error {
				return guard.Do(func() error { return w.fetchConfig(ctx, p, i) })
			})
		}
	}
	for _, b := range blobs {
		g.Go(func() error {
			return guard.Do(func() error { return w.ensure(ctx, b, byDigest[b.Digest]) })
		})
	}
	for i := range p.images {
		g.Go(func() error {
			return guard.Do(func() error { return w.fetchAttestations(ctx, p, i, byDigest) })
		})
	}
	return g.Wait()
}

// record makes what a plan brought part of the shelf. From here on a cancel comes too late.
func (w *worker) record(ctx context.Context, p *plan) (shelf.Change, error) {
	if ctx.Err() != nil {
		return shelf.Change{}, context.Cause(ctx)
	}
	images := make([]shelf.PulledImage, len(p.images))
	for i := range p.images {
		images[i] = p.images[i].PulledImage
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	return w.q.shelf.Record(ctx, shelf.Pulled{
		Reference: p.reference, Before: p.stored.Digest, Target: p.Document, Indexes: p.indexes, Images: images, JobID: w.job.ID(), By: w.job.By(), Asked: p.asked, At: w.q.now(),
	})
}
