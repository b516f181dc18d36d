package cleanup

import (
	"context"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// PinnedText words that something has been pinned. A tag was pinned by the digest that it pointed to.
func PinnedText(ctx context.Context, ref image.Reference) string {
	if ref.Tag != "" {
		return text.T(ctx, "pins.done_tag", "Name", ui.ShortReference(ref))
	}
	return text.T(ctx, "pins.done", "Name", ui.ShortReference(ref))
}

// UnpinnedText words that something is no longer pinned.
func UnpinnedText(ctx context.Context, ref image.Reference) string {
	return text.T(ctx, "pins.undone", "Name", ui.ShortReference(ref))
}
