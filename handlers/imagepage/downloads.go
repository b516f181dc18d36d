package imagepage

import (
	"context"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/imagepage"
)

// downloads returns how often clients were given what the page is of. An ID has no repository: there its manifest
// counts, under all of them.
func (h *Handlers) downloads(ctx context.Context, s *subject) (imagepage.DownloadsView, error) {
	manifest := s.shown.Manifest
	out, err := h.Downloads.DownloadsOf(ctx, s.Ref, []image.Digest{manifest})
	if err != nil {
		return imagepage.DownloadsView{}, err
	}
	v := imagepage.DownloadsView{Download: out.Download, Since: out.Since}
	switch {
	case s.ID != "":
		v.Download, err = h.Downloads.DownloadsOfManifest(ctx, manifest)
		return v, err
	case manifest != "" && manifest != s.target.Digest:
		platform := out.Images[manifest]
		v.Platform = &platform
	}
	return v, nil
}
