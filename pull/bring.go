package pull

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

const (
	maxMoves      = 3                // times that a pull begins again because its tag moved under it
	recordTimeout = 30 * time.Second // for one Record, which a cancel no longer reaches
)

// bring resolves what a job asks for, fetches it and records it.
func (q *Queue) bring(ctx context.Context, r *run) error {
	if r.allTags {
		return q.bringTags(ctx, r)
	}
	for range maxMoves {
		if err := q.bringOnce(ctx, r); !errors.Is(err, shelf.ErrMoved) {
			return err
		}
		r.show(nil)
		r.target, r.asked = "", time.Time{} // what it was found to be is older than what moved it
		r.change(func(j *Job) { j.State = Resolving })
	}
	return keptMoving(r.reference)
}

func keptMoving(ref image.Reference) error {
	return image.Errorf(image.Unavailable, "%s kept moving while it was pulled", ref.Familiar()).Suggest("Pull it again.")
}

func (q *Queue) bringOnce(ctx context.Context, r *run) error {
	p, err := q.plan(ctx, wish{Reference: r.reference, platforms: r.platforms, target: r.target, asked: r.asked}, q.asker(r), func(d image.Digest) {
		r.change(func(j *Job) { j.Digest, j.Lines = d, []string{pullingFrom(r.reference)} })
	})
	if err != nil {
		return err
	}
	change, err := q.carryOut(ctx, r, p, func() { q.advance(r, Pulling, func(j *Job) { j.Pulled = p.platforms() }) })
	if err != nil {
		return err
	}
	passed := q.tellPassed(r, p)
	r.change(func(j *Job) {
		j.Pulled, j.Newer = p.platforms(), change.Newer
		j.Lines = append(append(j.Lines, passed...), outcome(r.reference, p.Digest, p.images, change.Newer)...)
	})
	return nil
}

// carryOut fetches what a plan wants and records it, once the disk has room for all of it. begins is called when the
// layers are shown, before the first of them is fetched. ErrMoved where the tag was moved on the shelf meanwhile. Where
// the disk is full, what was fetched is given up.
func (q *Queue) carryOut(ctx context.Context, r *run, p *plan, begins func()) (shelf.Change, error) {
	digests := p.digests()
	// Held before anything is looked for, so that what is found stays.
	letGo := q.shelf.Hold(digests)
	defer letGo()
	p.by = r.key.By
	release, err := q.shelf.ReserveBlobs(p.needs(), r.room)
	var change shelf.Change
	if err == nil {
		defer release()
		change, err = q.carryOutReserved(ctx, r, p, begins)
	}
	if image.KindOf(err) == image.DiskFull {
		letGo()
		q.giveUp(ctx, r, digests)
	}
	return change, err
}

// giveUp frees what a pull has fetched that ends because the disk is full: it would only keep it full.
func (q *Queue) giveUp(ctx context.Context, r *run, digests []image.Digest) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if err := q.shelf.GiveUp(ctx, digests); err != nil {
		q.log.Error("what was fetched is not freed", "job", r.id, "error", err)
	}
	r.lost(q.shelf.HasBlob)
}

func (q *Queue) carryOutReserved(ctx context.Context, r *run, p *plan, begins func()) (shelf.Change, error) {
	for i := range p.images {
		if err := q.proveWanted(ctx, r, p, i); err != nil {
			return shelf.Change{}, err
		}
	}
	layers, byDigest := p.layers()
	r.show(layers)
	begins()
	if err := q.fetchAll(ctx, r, p, byDigest); err != nil {
		return shelf.Change{}, err
	}
	for _, i := range p.images { // the configs have told what the index did not
		for _, d := range i.Document.Manifest.Layers {
			byDigest[d.Digest].usedBy(i.Platform)
		}
	}
	r.dropPassed(p)
	return q.record(ctx, r, p)
}

// proveWanted fetches the config of an image whose platform the index does not say, before its layers, and
// refuses it where it is for another platform than was asked for. Docker pulls it with a warning; here
// somebody chose.
func (q *Queue) proveWanted(ctx context.Context, r *run, p *plan, i int) error {
	img := &p.images[i]
	if len(img.want) == 0 {
		return nil
	}
	if err := q.fetchConfig(ctx, r, p, i); err != nil {
		return err
	}
	if !slices.ContainsFunc(img.want, func(want image.Platform) bool { return runsOn(img.Config, want) }) {
		return noPlatform(p.reference, img.want, []image.Platform{img.Config.Platform()})
	}
	return nil
}

// fetchConfig brings a config onto the shelf and reads it.
func (q *Queue) fetchConfig(ctx context.Context, r *run, p *plan, i int) error {
	img := &p.images[i]
	config := img.Document.Manifest.Config
	if err := q.ensure(ctx, p.blob(config), r.showConfig(config)); err != nil {
		return err
	}
	raw, err := q.shelf.ReadBlob(config.Digest, image.MaxConfigSize)
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
func (q *Queue) ensure(ctx context.Context, b blob, l *layer) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	switch whole, err := q.prove(ctx, b, l); {
	case err != nil:
		return err
	case whole:
		if l != nil {
			l.isStored()
		}
		return nil
	}
	return q.fetcher.get(ctx, b, func(p *progress) {
		if l != nil {
			l.follow(p)
		}
	})
}

// prove reports whether a blob is on the shelf as it should be. It shows the reading where that has to be done.
func (q *Queue) prove(ctx context.Context, b blob, l *layer) (bool, error) {
	p := &progress{state: Verifying}
	var show sync.Once
	whole, err := q.shelf.ProveBlob(ctx, b.Descriptor, func(n int) {
		if l != nil {
			show.Do(func() { l.follow(p) })
		}
		p.bytes.Add(int64(n))
	})
	if err != nil && ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	return whole, err
}

// fetchAll brings every blob of a plan onto the shelf. Configs come first, so that an image whose config
// does not fit its manifest fails before its layers are there.
func (q *Queue) fetchAll(ctx context.Context, r *run, p *plan, byDigest map[image.Digest]*layer) error {
	blobs := p.blobs() // before the configs that are read change the plan
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(q.fetcher.lanes())
	for i := range p.images {
		if p.images[i].Config == nil {
			g.Go(func() error {
				return guard(func() error { return q.fetchConfig(ctx, r, p, i) })
			})
		}
	}
	for _, b := range blobs {
		g.Go(func() error {
			return guard(func() error { return q.ensure(ctx, b, byDigest[b.Digest]) })
		})
	}
	for i := range p.images {
		g.Go(func() error {
			return guard(func() error { return q.fetchAttestations(ctx, p, i, byDigest) })
		})
	}
	return g.Wait()
}

// record makes what a plan brought part of the shelf. From here on a cancel comes too late.
func (q *Queue) record(ctx context.Context, r *run, p *plan) (shelf.Change, error) {
	if ctx.Err() != nil {
		return shelf.Change{}, context.Cause(ctx)
	}
	images := make([]shelf.PulledImage, len(p.images))
	for i := range p.images {
		images[i] = p.images[i].PulledImage
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	return q.shelf.Record(ctx, shelf.Pulled{
		Reference: p.reference, Before: p.stored.Digest, Target: p.Document, Indexes: p.indexes, Images: images, JobID: r.id, By: r.firstRequester(), Asked: p.asked, At: q.now(),
	})
}
