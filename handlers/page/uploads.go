package page

import (
	"context"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/ui"
)

// WithUploads has the pages of a context say of names that an archive which somebody sent is stored under them.
func (h *Site) WithUploads(ctx context.Context) context.Context {
	return ui.WithUploads(ctx, func(ref image.Reference) bool { return h.uploaded(ctx, ref) })
}

// uploaded reports whether a name was uploaded. What cannot be looked up is logged, and not said.
func (h *Site) uploaded(ctx context.Context, ref image.Reference) bool {
	is, err := h.serving.Uploaded(ctx, ref)
	if err != nil && ctx.Err() == nil {
		h.log.Warn("look up whether a name was uploaded", "reference", ref.String(), "error", err)
	}
	return is
}
