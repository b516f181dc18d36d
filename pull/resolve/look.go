package resolve

import (
	"context"
	"slices"

	"github.com/stowage/stowage/image"
)

// Finding is what a digest turned out to be.
type Finding struct {
	Offered []image.Platform   // that there are
	Layers  []image.Descriptor // of the images that a pull would bring, and what describes them
}

// Look reads an index and those of its manifests that a pull would, or one manifest. Requests are tried briefly:
// somebody looks at what is found. Where there is no image for the platforms the error is of kind NoPlatform.
func (s *Resolver) Look(ctx context.Context, head image.Descriptor, w Want) (f Finding, err error) {
	repo := w.Repository
	doc, err := s.docs.document(ctx, repo, head, s.brief)
	if err != nil {
		return f, err
	}
	all, err := s.docs.entries(ctx, repo, doc, s.brief)
	if err != nil {
		return f, err
	}
	entries, choices, missing, err := s.chooseOf(ctx, w, all, s.brief)
	if err != nil {
		return f, err
	}
	f.Offered = present(entries)
	if len(choices) == 0 {
		return f, lacking(w.Reference, missing, entries)
	}
	for _, c := range choices {
		entry := all[c.Entry].Entry
		m, err := s.docs.manifest(ctx, repo, entry.Descriptor, s.brief)
		if err != nil {
			return f, err
		}
		if !entry.Platform.Known() {
			config, err := s.docs.config(ctx, repo, m.Manifest)
			if err != nil {
				return f, err
			}
			if p := config.Platform(); p.Known() && !slices.Contains(f.Offered, p) {
				f.Offered = append(f.Offered, p)
			}
			// As a pull does: an image that is for none of the platforms fails its tag.
			want := w.wants(c)
			if len(want) > 0 && !slices.ContainsFunc(want, func(p image.Platform) bool { return runsOn(config, p) }) {
				return f, noPlatform(w.Reference, want, f.Offered)
			}
		}
		f.Layers = append(f.Layers, m.Manifest.Layers...)
		for _, a := range s.docs.attestations(ctx, repo, all, all[c.Entry]).Found {
			f.Layers = append(f.Layers, a.Statements...)
		}
	}
	return f, nil
}
