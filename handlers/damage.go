package handlers

import (
	"context"
	"slices"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views"
	"github.com/stowage/stowage/views/address"
)

const (
	shownDamaged     = 50 // blobs that the Storage page names
	shownDamagedUses = 5  // references of each
)

// damaged lists the blobs that are damaged on the disk, for the Storage page.
func (h *Handlers) damaged(ctx context.Context) (v views.DamagedView, err error) {
	all, total, err := h.store.Damaged(ctx, shownDamaged, shownDamagedUses)
	v.Total = total
	for _, b := range all {
		d := views.DamagedBlob{Digest: b.Digest, Size: b.Size, More: b.More}
		if b.Layer {
			d.URL = address.Layer(b.Digest)
		}
		for _, u := range b.Needs {
			var platforms []string
			for _, p := range u.Platforms {
				platforms = append(platforms, p.String())
			}
			d.Needs = append(d.Needs, views.Link{Label: u.Reference.Familiar(), URL: address.PullFormOf(u.Reference, u.Platforms...).String(), Note: strings.Join(platforms, " ")})
		}
		v.Blobs = append(v.Blobs, d)
	}
	return v, err
}

// damaged gives the parts of what the page is about that are damaged on the disk.
func (s *subject) damaged(h *Handlers) (parts []image.Digest) {
	look := func(d image.Digest) {
		if d != "" && h.store.IsDamaged(d) && !slices.Contains(parts, d) {
			parts = append(parts, d)
		}
	}
	look(s.target.Digest)
	if !s.stored {
		return parts
	}
	look(s.shown.Manifest)
	look(s.shown.ID)
	for _, l := range s.layers {
		look(l.Digest)
	}
	for _, a := range s.attestations {
		if a.Of == s.shown.Manifest {
			look(a.Digest)
		}
	}
	return parts
}
