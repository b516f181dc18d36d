package resolve

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/stowage/stowage/guard"
	"github.com/stowage/stowage/image"
)

// Resolution is what a reference points to, and what pulling it would cost.
type Resolution struct {
	Reference    image.Reference
	Target       image.Document // an index or a manifest
	Stored       image.Digest   // what the shelf holds under the reference; empty if nothing
	Offers       []Offer        // the platforms, in the index's order
	Attestations int            // entries that describe images: SBOMs, provenance
	Others       int            // entries that are neither images nor attestations
}

// Offer is one platform that can be pulled. Sizes are compressed bytes, each layer counted once.
type Offer struct {
	Entry    image.Entry
	Platform image.Platform  // as the index says, or else the config; zero where neither is known
	Manifest *image.Manifest // nil where it was not read: see Err, or there are very many platforms
	Layers   []OfferedLayer
	Size     int64 // of all layers
	Here     int64 // of those that are here already, for whatever image, half-fetched ones included
	Fetch    int64 // of those that would be downloaded
	Stored   bool  // this image is stored under this reference
	Default  bool  // is pulled when nobody chooses
	Err      error // why the manifest could not be read
}

// OfferedLayer is a layer of an offer.
type OfferedLayer struct {
	image.Descriptor
	Stored bool
}

// Resolve is ResolveSome of the first platforms.
func (s *Resolver) Resolve(ctx context.Context, ref image.Reference) (Resolution, error) {
	return s.ResolveSome(ctx, ref, func(r Resolution) []int {
		first := make([]int, len(r.Offers))
		for i := range first {
			first[i] = i
		}
		return first
	})
}

// ResolveSome asks the registry what a reference points to and reads the manifest of each platform that choose gives
// the places of, a few at once and MaxOffers at most. Nothing is tried twice: somebody is waiting. An offer whose
// manifest cannot be read has an Err; the error of ResolveSome is for what prevents all of it.
func (s *Resolver) ResolveSome(ctx context.Context, ref image.Reference, choose func(Resolution) []int) (
	Resolution, error) {
	t, err := s.Follow(ctx, ref, Once)
	if err != nil {
		return Resolution{}, err
	}
	all, err := s.docs.entries(ctx, ref.Repository, t.Document, Once)
	if err != nil {
		return Resolution{}, err
	}
	r := Resolution{Reference: ref, Target: t.Document, Stored: t.Stored.Digest}
	held := make(map[image.Digest]bool)
	if t.Stored.Digest == t.Digest {
		for _, i := range t.Stored.Images {
			held[i.Manifest] = true
		}
	}
	for _, l := range all {
		switch l.Kind {
		case image.EntryImage:
			r.Offers = append(r.Offers, Offer{Entry: l.Entry, Platform: l.Platform, Stored: held[l.Digest]})
		case image.EntryAttestation:
			r.Attestations++
		case image.EntryOther:
			if l.Problem != nil && l.Platform.Known() {
				r.Offers = append(r.Offers, Offer{Entry: l.Entry, Platform: l.Platform, Err: l.Problem})
				continue
			}
			r.Others++
		default:
			r.Others++
		}
	}
	s.markDefault(&r)
	var g errgroup.Group
	g.SetLimit(manifestsAtOnce)
	chosen := choose(r)
	for _, i := range chosen[:min(len(chosen), MaxOffers)] {
		g.Go(func() error {
			o := &r.Offers[i]
			if o.Entry.Problem != nil {
				return nil
			}
			o.Err = guard.Do(func() error { return s.price(ctx, ref.Repository, o) })
			return nil
		})
	}
	_ = g.Wait() // each offer has its own error
	s.markDefault(&r)
	return r, ctx.Err()
}

// markDefault finds what is pulled when nobody chooses, as far as is known yet; there may be nothing.
func (s *Resolver) markDefault(r *Resolution) {
	entries := make([]image.Entry, len(r.Offers))
	for i, o := range r.Offers {
		entries[i] = o.Entry
		r.Offers[i].Default = false
	}
	choices, missing := choose(entries, nil, s.standard)
	if guessed(entries, choices) {
		for i, o := range r.Offers {
			entries[i].Platform = o.Platform // the config's, where it was read
		}
		choices, missing = choose(entries, nil, s.standard)
	}
	if len(missing) > 0 {
		return // no platform for nobody's choice: the form has nothing ticked
	}
	for _, c := range choices {
		r.Offers[c.Entry].Default = true
	}
}

// price reads an offer's manifest and counts what it costs.
func (s *Resolver) price(ctx context.Context, repo image.Repository, o *Offer) error {
	doc, err := s.docs.manifest(ctx, repo, o.Entry.Descriptor, Once)
	if err != nil {
		return err
	}
	o.Manifest = doc.Manifest
	counted := make(map[image.Digest]bool, len(doc.Manifest.Layers))
	for _, d := range doc.Manifest.Layers {
		l := OfferedLayer{Descriptor: d, Stored: s.blobs.HasBlob(d)}
		o.Layers = append(o.Layers, l)
		if counted[d.Digest] {
			continue
		}
		counted[d.Digest] = true
		o.Size += d.Size
		o.Here += s.Here(d)
	}
	o.Fetch = o.Size - o.Here
	if o.Platform.Known() {
		return nil
	}
	c, err := s.docs.config(ctx, repo, doc.Manifest)
	if err != nil {
		return err
	}
	o.Platform = c.Platform()
	return nil
}

// Here returns how many bytes of a layer need not be downloaded: all, or those that an unfinished pull left.
func (s *Resolver) Here(d image.Descriptor) int64 {
	if s.blobs.HasBlob(d) {
		return d.Size
	}
	left := s.blobs.PartialBlob(d.Digest)
	if left > d.Size { // of another size than announced, so it will be begun anew
		return 0
	}
	return left
}
