package pull

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stowage/stowage/guard"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull/fetch"
	"github.com/stowage/stowage/pull/resolve"
	"github.com/stowage/stowage/shelf"
)

const recordTimeout = 30 * time.Second // for one Record, which a cancel no longer reaches

// fetching is a plan whose blobs are fetched for a job.
type fetching struct {
	*worker
	plan   *resolve.Plan
	layers map[image.Digest]*layer // that the job shows
	mu     sync.Mutex              // guards plan.Passed
}

// fetch fetches what a plan wants and records it, once the disk has room for all of it. show is called with the layers
// before the first of them is fetched. ErrMoved where the tag was moved on the shelf meanwhile. Where
// the disk is full, what was fetched is given up.
func (w *worker) fetch(ctx context.Context, p *resolve.Plan, show func([]job.Shown)) (shelf.Change, error) {
	digests := p.Digests()
	// Held before anything is looked for, so that what is found stays.
	letGo := w.q.blobs.Hold(digests)
	defer letGo()
	release, err := w.q.space.ReserveBlobs(p.Needs(), w.room)
	var change shelf.Change
	if err == nil {
		defer release()
		f := &fetching{worker: w, plan: p}
		change, err = f.run(ctx, show)
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
	if err := w.q.space.GiveUp(ctx, digests); err != nil {
		w.q.log.Error("what was fetched is not freed", "job", w.job.ID(), "error", err)
	}
	layers, _ := w.job.Shown()
	for _, s := range layers {
		if l, ok := s.(*layer); ok && !w.q.blobs.HasBlob(l.Descriptor) {
			l.givenUp()
		}
	}
}

// run fetches and records the plan, for which there is room.
func (f *fetching) run(ctx context.Context, show func([]job.Shown)) (shelf.Change, error) {
	for i := range f.plan.Images {
		if !f.plan.Unproved(i) {
			continue
		}
		// Before the layers: they are not wanted where the image is for another platform.
		if err := f.fetchConfig(ctx, i); err != nil {
			return shelf.Change{}, err
		}
		if err := f.plan.Prove(i); err != nil {
			return shelf.Change{}, err
		}
	}
	var layers []job.Shown
	layers, f.layers = layersOf(f.plan)
	show(layers)
	if err := f.fetchAll(ctx); err != nil {
		return shelf.Change{}, err
	}
	for _, i := range f.plan.Images { // the configs have told what the index did not
		for _, d := range i.Document.Manifest.Layers {
			f.layers[d.Digest].usedBy(i.Platform)
		}
	}
	f.dropPassed()
	return f.record(ctx)
}

// fetchAll brings every blob of the plan onto the shelf. Configs come first, so that an image whose config does not fit
// its manifest fails before its layers are there.
func (f *fetching) fetchAll(ctx context.Context) error {
	blobs := f.blobs() // before the configs that are read change the plan
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(f.q.fetcher.Lanes())
	for i := range f.plan.Images {
		if f.plan.Images[i].Config == nil {
			g.Go(func() error {
				return guard.Do(func() error { return f.fetchConfig(ctx, i) })
			})
		}
	}
	for _, b := range blobs {
		g.Go(func() error {
			return guard.Do(func() error { return f.fetchBlob(ctx, b, f.layers[b.Digest]) })
		})
	}
	for i := range f.plan.Images {
		g.Go(func() error {
			return guard.Do(func() error { return f.fetchAttestations(ctx, i) })
		})
	}
	return g.Wait()
}

// fetchConfig brings a config onto the shelf and reads it.
func (f *fetching) fetchConfig(ctx context.Context, i int) error {
	img := &f.plan.Images[i]
	config := img.Document.Manifest.Config
	shown := &layer{Descriptor: config}
	f.job.Hide(shown)
	if err := f.fetchBlob(ctx, f.blob(config), shown); err != nil {
		return err
	}
	raw, err := f.q.blobs.ReadBlob(config.Digest, image.MaxConfigSize)
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

// fetchAttestations brings what describes one image onto the shelf. What cannot be brought is taken out of the plan;
// the error is one that hits the image, too.
func (f *fetching) fetchAttestations(ctx context.Context, i int) error {
	img := &f.plan.Images[i]
	var brought []image.Attestation
	for _, a := range img.Attestations {
		err := f.fetchAttestation(ctx, a)
		switch {
		case err == nil:
			brought = append(brought, a)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case image.KindOf(err) == image.DiskFull:
			return err
		default:
			f.pass(image.PassedOver{Digest: a.Digest, Platform: img.Platform, Why: err})
		}
	}
	img.Attestations = brought
	return nil
}

func (f *fetching) fetchAttestation(ctx context.Context, a image.Attestation) error {
	for _, d := range a.Blobs() {
		l := f.layers[d.Digest]
		if l != nil && l.Size != d.Size {
			l = nil // the digest is a layer's, about which this manifest lies
		}
		if err := f.fetchBlob(ctx, f.blob(d), l); err != nil {
			return err
		}
	}
	manifest := f.blob(a.Descriptor())
	manifest.Raw = a.Raw
	return f.fetchBlob(ctx, manifest, nil)
}

// fetchBlob brings one blob onto the shelf unless it is there, and right. l, which may be nil, shows it.
func (f *fetching) fetchBlob(ctx context.Context, b fetch.Blob, l *layer) error {
	stored, err := f.q.fetcher.Fetch(ctx, b, func(p *fetch.Progress) {
		if l != nil {
			l.follow(p)
		}
	})
	if stored && l != nil {
		l.isStored()
	}
	return err
}

// blobs lists what to bring beside the configs, each digest once: the layers, base first, as they are shown; the
// documents, whose bytes are here already, last.
func (f *fetching) blobs() []fetch.Blob {
	var all []fetch.Blob
	listed := make(map[image.Digest]bool)
	for _, d := range f.plan.Layers() {
		listed[d.Digest] = true
		all = append(all, f.blob(d))
	}
	for _, doc := range f.plan.Documents() {
		if !listed[doc.Digest] {
			listed[doc.Digest] = true
			b := f.blob(doc.Descriptor())
			b.Raw = doc.Raw
			all = append(all, b)
		}
	}
	return all
}

// blob returns one blob of the plan as it is fetched.
func (f *fetching) blob(d image.Descriptor) fetch.Blob {
	return fetch.Blob{Descriptor: d, Repository: f.plan.Reference.Repository, By: f.by}
}

// pass notes that the pull goes without something.
func (f *fetching) pass(o image.PassedOver) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan.Passed = append(f.plan.Passed, o)
}

// dropPassed takes layers off the page that belong to nothing any more.
func (f *fetching) dropPassed() {
	if len(f.plan.Passed) == 0 {
		return
	}
	_, left := layersOf(f.plan)
	f.job.Keep(func(s job.Shown) bool {
		l, ok := s.(*layer)
		return ok && left[l.Digest] != nil
	})
}

// record makes what was brought part of the shelf. From here on a cancel comes too late.
func (f *fetching) record(ctx context.Context) (shelf.Change, error) {
	if ctx.Err() != nil {
		return shelf.Change{}, context.Cause(ctx)
	}
	p := f.plan
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	return f.q.recorder.Record(ctx, shelf.Pulled{
		Reference: p.Reference, Before: p.Stored.Digest, Target: p.Document, Indexes: p.Indexes, Images: p.Pulled(),
		JobID: f.job.ID(), By: f.job.By(), Asked: p.Asked, At: f.q.now(),
	})
}
