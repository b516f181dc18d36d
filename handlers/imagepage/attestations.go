package imagepage

import (
	"context"
	"slices"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/imagepage"
)

// readAttestations reads what is stored about the platforms of the subject.
func (h *Handlers) readAttestations(ctx context.Context, s *subject) (err error) {
	var manifests []image.Digest
	for _, i := range s.target.Images {
		manifests = append(manifests, i.Manifest)
	}
	s.attestations, err = h.Images.Attestations(ctx, manifests...)
	return err
}

// attested says what is stored about the platform shown; nil where nothing is, and the index lists nothing.
func (s *subject) attested() *imagepage.Attested {
	v := imagepage.Attested{URL: s.url(address.SectionManifest) + "#entries"}
	for _, a := range s.attestations {
		if a.Of != s.shown.Manifest {
			continue
		}
		if !v.Stored {
			v.Stored, v.URL = true, s.documentURL(string(a.Digest), false)
		}
		v.Kinds = appendKinds(v.Kinds, a)
	}
	if v.Stored || listsAttestation(s.target.Entries, s.shown.Manifest) {
		return &v
	}
	return nil
}

// listsAttestation reports whether an index lists an attestation of a manifest.
func listsAttestation(entries []shelf.IndexEntry, manifest image.Digest) bool {
	return slices.ContainsFunc(entries,
		func(e shelf.IndexEntry) bool { return e.Kind == image.EntryAttestation && e.Describes == manifest })
}

// appendKinds adds what an attestation's statements tell, each kind once.
func appendKinds(kinds []image.PredicateKind, a shelf.StoredAttestation) []image.PredicateKind {
	for _, p := range a.Predicates {
		if kind := image.PredicateKindOf(p); !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// attestations are what is stored about the platforms of a subject.
type attestations []shelf.StoredAttestation

// find returns what is stored under a digest.
func (all attestations) find(d image.Digest) (shelf.StoredAttestation, bool) {
	i := slices.IndexFunc(all, func(a shelf.StoredAttestation) bool { return a.Digest == d })
	if i < 0 {
		return shelf.StoredAttestation{}, false
	}
	return all[i], true
}
