package handlers

import (
	"context"
	"slices"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/cleanup"
)

const (
	shownDamaged     = 50 // blobs that the Storage page names
	shownDamagedUses = 5  // references of each
)

// damaged lists the blobs that are damaged on the disk, for the Storage page.
func (h *Handlers) damaged(ctx context.Context) (v cleanup.DamagedView, err error) {
	v.Blobs, v.Total, err = h.store.Damaged(ctx, shownDamaged, shownDamagedUses)
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
