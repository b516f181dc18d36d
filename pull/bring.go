package pull

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stowage/stowage/image"
)

const (
	maxBlobs      = 8192             // different blobs of one job
	maxMoves      = 3                // times that a job begins again because its tag moved under it
	recordTimeout = 30 * time.Second // for one Record, which a cancel no longer reaches
)

// bring resolves what a job asks for, fetches it and records it.
func (q *Queue) bring(ctx context.Context, r *run) error {
	for range maxMoves {
		if err := q.bringOnce(ctx, r); !errors.Is(err, ErrMoved) {
			return err
		}
		r.change(func(j *Job) { j.State, r.layers, r.configs = Resolving, nil, nil })
	}
	return image.Errorf(image.Unavailable, "%s kept moving while it was pulled", r.reference.Familiar()).Suggest("Pull it again.")
}

func (q *Queue) bringOnce(ctx context.Context, r *run) error {
	p, err := q.plan(ctx, r)
	if err != nil {
		return err
	}
	// Held before anything is looked for, so that what is found stays.
	letGo := q.shelf.Hold(p.digests())
	defer letGo()
	for i := range p.images {
		if err := q.proveWanted(ctx, r, p, i); err != nil {
			return err
		}
	}
	layers, byDigest := p.layers()
	r.change(func(j *Job) {
		j.Pulled = p.platforms()
		r.layers, r.meter = layers, meter{}
	})
	q.advance(r, Pulling, func(*Job) {})
	if err := q.fetchAll(ctx, r, p, byDigest); err != nil {
		return err
	}
	for _, i := range p.images { // the configs have told what the index did not
		for _, d := range i.Document.Manifest.Layers {
			byDigest[d.Digest].usedBy(i.Platform)
		}
	}
	return q.record(ctx, r, p)
}

// plan is what one job brings.
type plan struct {
	target
	repository image.Repository
	indexes    []image.Document // nested ones that lead to the images
	images     []planned
}

// planned is one platform of a plan.
type planned struct {
	PulledImage
	want image.Platform // to be proved by the config, where the index does not say; zero if any will do
}

// plan reads what the reference points to and chooses.
func (q *Queue) plan(ctx context.Context, r *run) (*plan, error) {
	ask, ref := q.asker(r), r.reference
	t, err := q.resolver.target(ctx, ref, ask)
	if err != nil {
		return nil, err
	}
	r.change(func(j *Job) { j.Digest, j.Lines = t.Digest, []string{pullingFrom(ref)} })
	all, err := q.resolver.leaves(ctx, ref.Repository, t.Document, ask)
	if err != nil {
		return nil, err
	}
	choices, err := Choose(ref, entriesOf(all), r.platforms, q.standard)
	if err != nil {
		return nil, err
	}
	chosen := make([]leaf, len(choices))
	for i, c := range choices {
		chosen[i] = all[c.Entry]
	}
	manifests, err := q.resolver.manifests(ctx, ref.Repository, chosen, ask)
	if err != nil {
		return nil, err
	}
	p := &plan{target: t, repository: ref.Repository}
	for i, l := range chosen {
		img := planned{PulledImage: PulledImage{Document: manifests[i], Platform: l.Platform}}
		if !l.Platform.Known() {
			img.Platform, img.want = image.Platform{}, choices[i].Want
		}
		p.images = append(p.images, img)
		for _, x := range l.path {
			if !slices.ContainsFunc(p.indexes, func(have image.Document) bool { return have.Digest == x.Digest }) {
				p.indexes = append(p.indexes, x)
			}
		}
	}
	if n := len(p.digests()); n > maxBlobs {
		return nil, image.Errorf(image.TooLarge, "the pull has %d different blobs, more than %d", n, maxBlobs).Suggest("Pull fewer platforms at once.")
	}
	return p, nil
}

// documents lists the indexes and manifests, each once.
func (p *plan) documents() []image.Document {
	docs := append([]image.Document{p.Document}, p.indexes...)
	for _, i := range p.images {
		if i.Document.Digest != p.Digest {
			docs = append(docs, i.Document)
		}
	}
	return docs
}

// digests lists every blob of the plan, each once.
func (p *plan) digests() []image.Digest {
	var all []image.Digest
	for _, d := range p.documents() {
		all = append(all, d.Digest)
	}
	for _, i := range p.images {
		all = append(all, i.Document.Manifest.Config.Digest)
		for _, l := range i.Document.Manifest.Layers {
			all = append(all, l.Digest)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (p *plan) platforms() []image.Platform {
	var ps []image.Platform
	for _, i := range p.images {
		if i.Platform.Known() {
			ps = append(ps, i.Platform)
		}
	}
	return ps
}

// layers lists the layers to show, each digest once, in the order of the manifests.
func (p *plan) layers() ([]*layer, map[image.Digest]*layer) {
	var all []*layer
	byDigest := make(map[image.Digest]*layer)
	for _, i := range p.images {
		for _, d := range i.Document.Manifest.Layers {
			l := byDigest[d.Digest]
			if l == nil {
				l = &layer{Descriptor: d}
				byDigest[d.Digest] = l
				all = append(all, l)
			}
			l.usedBy(i.Platform)
		}
	}
	return all, byDigest
}

// proveWanted fetches the config of an image whose platform the index does not say, before its layers, and
// refuses it where it is for another platform than was asked for. Docker pulls it with a warning; here
// somebody chose.
func (q *Queue) proveWanted(ctx context.Context, r *run, p *plan, i int) error {
	img := &p.images[i]
	if img.want == (image.Platform{}) {
		return nil
	}
	if err := q.fetchConfig(ctx, r, p, i); err != nil {
		return err
	}
	if !runsOn(img.Config, img.want) {
		return noPlatform(r.reference, []image.Platform{img.want}, []image.Platform{img.Config.Platform()})
	}
	return nil
}

// fetchConfig brings a config onto the shelf and reads it.
func (q *Queue) fetchConfig(ctx context.Context, r *run, p *plan, i int) error {
	img := &p.images[i]
	config := img.Document.Manifest.Config
	if err := q.ensure(ctx, blob{Descriptor: config, repository: p.repository}, r.showConfig(config)); err != nil {
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

// ensure brings one blob onto the shelf unless it is there. l, which may be nil, shows it.
func (q *Queue) ensure(ctx context.Context, b blob, l *layer) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if q.shelf.HasBlob(b.Descriptor) {
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

// blobs lists what to bring beside the configs, each digest once: the layers, base first, as they are shown;
// the documents, whose bytes are here already, last.
func (p *plan) blobs() []blob {
	var all []blob
	listed := make(map[image.Digest]bool)
	add := func(b blob) {
		if !listed[b.Digest] {
			listed[b.Digest] = true
			all = append(all, b)
		}
	}
	for _, i := range p.images {
		for _, d := range i.Document.Manifest.Layers {
			add(blob{Descriptor: d, repository: p.repository})
		}
	}
	for _, doc := range p.documents() {
		add(blob{Descriptor: doc.Descriptor(), repository: p.repository, raw: doc.Raw})
	}
	return all
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
	return g.Wait()
}

// record makes the pull part of the shelf. From here on a cancel comes too late.
func (q *Queue) record(ctx context.Context, r *run, p *plan) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	images := make([]PulledImage, len(p.images))
	for i := range p.images {
		images[i] = p.images[i].PulledImage
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	change, err := q.shelf.Record(ctx, Pulled{
		Reference: r.reference, Before: p.stored.Digest, Target: p.Document, Indexes: p.indexes, Images: images, JobID: r.id, By: r.firstRequester(), At: q.now(),
	})
	if err != nil {
		return err
	}
	r.change(func(j *Job) {
		j.Pulled, j.Newer = p.platforms(), change.Newer
		j.Lines = append(j.Lines, outcome(r.reference, p.Digest, images, change.Newer)...)
	})
	return nil
}
