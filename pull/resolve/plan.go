package resolve

import (
	"context"
	"slices"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

const maxBlobs = 8192 // different blobs of one plan

// Plan is what pulling one reference brings.
type Plan struct {
	Resolved
	Reference image.Reference
	Indexes   []image.Document // nested ones that lead to the images
	Images    []Planned
	Missing   error              // which of the platforms it lacks, where part of them will do
	Passed    []image.PassedOver // what it goes without
}

// Planned is one platform of a plan.
type Planned struct {
	shelf.PulledImage
	want []image.Platform // one of them is to be proved by the config, where the index does not say; empty if any will do
}

// Plan reads what a reference points to and chooses. resolved, which may be nil, is told what it points to
// as soon as that is known.
func (s *Resolver) Plan(ctx context.Context, w Want, retry Retrier, resolved func(image.Digest)) (*Plan, error) {
	t, err := s.wanted(ctx, w, retry)
	if err != nil {
		return nil, err
	}
	if resolved != nil {
		resolved(t.Digest)
	}
	all, err := s.docs.entries(ctx, w.Repository, t.Document, retry)
	if err != nil {
		return nil, err
	}
	p := &Plan{Resolved: t, Reference: w.Reference}
	entries, choices, missing, err := s.chooseOf(ctx, w, all, retry)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		p.Missing = lacking(w.Reference, missing, entries)
		if !w.Partly || len(choices) == 0 {
			return nil, p.Missing
		}
	}
	chosen := make([]leaf, len(choices))
	for i, c := range choices {
		chosen[i] = all[c.Entry]
	}
	manifests, about, err := s.docs.readAll(ctx, w.Repository, all, chosen, retry)
	if err != nil {
		return nil, err
	}
	for i, l := range chosen {
		img := Planned{PulledImage: shelf.PulledImage{Document: manifests[i], Platform: l.Platform}}
		if !l.Platform.Known() {
			img.Platform, img.want = image.Platform{}, w.wants(choices[i])
		}
		p.Images = append(p.Images, img)
		for _, x := range l.path {
			if !slices.ContainsFunc(p.Indexes, func(have image.Document) bool { return have.Digest == x.Digest }) {
				p.Indexes = append(p.Indexes, x)
			}
		}
	}
	if n := len(p.Digests()); n > maxBlobs {
		return nil, image.Errorf(image.TooLarge, "the pull has %d different blobs, more than %d", n, maxBlobs).
			Suggest("Pull fewer platforms at once.")
	}
	p.attest(about)
	return p, nil
}

// Documents lists the indexes and manifests, each once.
func (p *Plan) Documents() []image.Document {
	docs := append([]image.Document{p.Document}, p.Indexes...)
	for _, i := range p.Images {
		if i.Document.Digest != p.Digest {
			docs = append(docs, i.Document)
		}
	}
	return docs
}

// Digests lists every blob of the plan, each once.
func (p *Plan) Digests() []image.Digest {
	var all []image.Digest
	for _, d := range p.Documents() {
		all = append(all, d.Digest)
	}
	for _, i := range p.Images {
		all = append(all, i.Digests()...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// KnownPlatforms lists the platforms of the images, as far as they are known.
func (p *Plan) KnownPlatforms() []image.Platform {
	var ps []image.Platform
	for _, i := range p.Images {
		if i.Platform.Known() {
			ps = append(ps, i.Platform)
		}
	}
	return ps
}

// Pulled lists the images as the shelf takes them.
func (p *Plan) Pulled() []shelf.PulledImage {
	images := make([]shelf.PulledImage, len(p.Images))
	for i := range p.Images {
		images[i] = p.Images[i].PulledImage
	}
	return images
}

// Layers lists the layers, base first, each once.
func (p *Plan) Layers() []image.Descriptor {
	var all []image.Descriptor
	listed := make(map[image.Digest]bool)
	for _, i := range p.Images {
		for _, d := range i.Document.Manifest.Layers {
			if !listed[d.Digest] {
				listed[d.Digest] = true
				all = append(all, d)
			}
		}
	}
	return all
}

// Needs lists every blob of the plan with its size.
func (p *Plan) Needs() []image.Descriptor {
	all := p.Layers()
	for _, doc := range p.Documents() {
		all = append(all, doc.Descriptor())
	}
	for _, i := range p.Images {
		all = append(all, i.Document.Manifest.Config)
		for _, a := range i.Attestations {
			all = append(append(all, a.Descriptor()), a.Blobs()...)
		}
	}
	return all
}

// Unproved reports whether the config of an image has to say that it is for what was asked for, as its index does not.
func (p *Plan) Unproved(i int) bool { return len(p.Images[i].want) > 0 }

// Prove refuses an image whose config, which has been read, says that it is for another platform than was asked for.
// Docker pulls it with a warning; here somebody chose.
func (p *Plan) Prove(i int) error {
	img := &p.Images[i]
	if len(img.want) == 0 || slices.ContainsFunc(img.want,
		func(want image.Platform) bool { return runsOn(img.Config, want) }) {
		return nil
	}
	return noPlatform(p.Reference, img.want, []image.Platform{img.Config.Platform()})
}

// attest makes what was found about the images part of the plan, as far as it has room for that.
func (p *Plan) attest(about []image.Attested) {
	for i := range p.Images {
		p.Passed = append(p.Passed, about[i].Passed...)
		for _, a := range about[i].Found {
			img := &p.Images[i]
			img.Attestations = append(img.Attestations, a)
			if len(p.Digests()) > maxBlobs {
				img.Attestations = img.Attestations[:len(img.Attestations)-1]
				p.Passed = append(p.Passed, image.PassedOver{Digest: a.Digest, Platform: img.Platform,
					Why: image.Errorf(image.TooLarge, "the pull has more than %d different blobs", maxBlobs)})
			}
		}
	}
}
