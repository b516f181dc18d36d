package pull

import (
	"context"
	"slices"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull/fetch"
	"github.com/stowage/stowage/shelf"
)

const maxBlobs = 8192 // different blobs of one plan

// want is what one reference is asked for.
type want struct {
	image.Reference
	platforms []image.Platform // empty where nobody chose
	partly    bool             // what it has of the platforms will do, where it has any
	target    image.Digest     // where a tag points to, if that need not be asked
	asked     time.Time        // when that was found out
}

// plan is what pulling one reference brings.
type plan struct {
	target
	reference image.Reference
	by        string           // in whose share of the downloads it is fetched
	indexes   []image.Document // nested ones that lead to the images
	images    []planned
	missing   error // which of the platforms it lacks, where part of them will do
	passing
}

// planned is one platform of a plan.
type planned struct {
	shelf.PulledImage
	want []image.Platform // one of them is to be proved by the config, where the index does not say; empty if any will do
}

// plan reads what a reference points to and chooses. resolved, which may be nil, is told what it points to
// as soon as that is known.
func (q *Queue) plan(ctx context.Context, w want, ask retrier, resolved func(image.Digest)) (*plan, error) {
	t, err := q.resolver.wished(ctx, w, ask)
	if err != nil {
		return nil, err
	}
	if resolved != nil {
		resolved(t.Digest)
	}
	all, err := q.resolver.leaves(ctx, w.Repository, t.Document, ask)
	if err != nil {
		return nil, err
	}
	p := &plan{target: t, reference: w.Reference}
	entries, choices, missing, err := q.chooseOf(ctx, w, all, ask)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		p.missing = lacking(w.Reference, missing, entries)
		if !w.partly || len(choices) == 0 {
			return nil, p.missing
		}
	}
	chosen := make([]leaf, len(choices))
	for i, c := range choices {
		chosen[i] = all[c.Entry]
	}
	manifests, about, err := q.read(ctx, w.Repository, all, chosen, ask)
	if err != nil {
		return nil, err
	}
	for i, l := range chosen {
		img := planned{PulledImage: shelf.PulledImage{Document: manifests[i], Platform: l.Platform}}
		if !l.Platform.Known() {
			img.Platform, img.want = image.Platform{}, w.wants(choices[i])
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
	p.attest(about)
	return p, nil
}

// wants gives the platforms one of which an image must be for whose platform the index does not say; none
// where any will do.
func (w want) wants(c Choice) []image.Platform {
	switch {
	case c.Want == (image.Platform{}):
		return nil
	case w.partly && len(w.platforms) > 0:
		return w.platforms
	}
	return []image.Platform{c.Want}
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
		all = append(all, i.Digests()...)
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

// layers lists the layers to show, each digest once, in the order of the manifests, and after them what describes the
// images.
func (p *plan) layers() ([]job.Shown, map[image.Digest]*layer) {
	var all []job.Shown
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
	for _, i := range p.images {
		for _, a := range i.Attestations {
			for _, d := range a.Statements {
				l := byDigest[d.Digest]
				if l == nil {
					l = &layer{Descriptor: d, attests: true}
					byDigest[d.Digest] = l
					all = append(all, l)
				}
				l.usedBy(i.Platform)
			}
		}
	}
	return all, byDigest
}

// needs lists every blob of the plan with its size.
func (p *plan) needs() []image.Descriptor {
	var all []image.Descriptor
	for _, b := range p.blobs() {
		all = append(all, b.Descriptor)
	}
	for _, i := range p.images {
		all = append(all, i.Document.Manifest.Config)
		for _, a := range i.Attestations {
			all = append(append(all, a.Descriptor()), a.Blobs()...)
		}
	}
	return all
}

// blobs lists what to bring beside the configs, each digest once: the layers, base first, as they are shown;
// the documents, whose bytes are here already, last.
func (p *plan) blobs() []fetch.Blob {
	var all []fetch.Blob
	listed := make(map[image.Digest]bool)
	add := func(b fetch.Blob) {
		if !listed[b.Digest] {
			listed[b.Digest] = true
			all = append(all, b)
		}
	}
	for _, i := range p.images {
		for _, d := range i.Document.Manifest.Layers {
			add(p.blob(d))
		}
	}
	for _, doc := range p.documents() {
		b := p.blob(doc.Descriptor())
		b.Raw = doc.Raw
		add(b)
	}
	return all
}

// blob gives one blob as it is brought.
func (p *plan) blob(d image.Descriptor) fetch.Blob {
	return fetch.Blob{Descriptor: d, Repository: p.reference.Repository, By: p.by}
}
