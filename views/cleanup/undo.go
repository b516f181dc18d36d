package cleanup

import (
	"context"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// UndoneText words what came back, and which tags were pulled again meanwhile and stay where they point.
func UndoneText(ctx context.Context, restored, kept []image.Reference) string {
	var parts []string
	switch {
	case len(restored) == 1:
		parts = append(parts, text.T(ctx, "undo.done_one", "Name", ui.ShortReference(restored[0])))
	case len(restored) > 0:
		parts = append(parts, text.T(ctx, "undo.done", text.Count, len(restored), "Names", ui.NameFew(ctx, restored)))
	default:
		parts = append(parts, text.T(ctx, "undo.done_images"))
	}
	if len(kept) > 0 {
		parts = append(parts, text.T(ctx, "undo.kept", text.Count, len(kept), "Names", ui.NameFew(ctx, kept)))
	}
	return strings.Join(parts, " ")
}

// deletionTitle is what a deletion was.
func deletionTitle(ctx context.Context, r shelf.Deletion) string {
	if r.Prune {
		return text.T(ctx, "undo.pruned", text.Count, r.Items)
	}
	return text.T(ctx, "undo.deleted", text.Count, r.Items)
}

// deletionDetail says by whom, and what waits because of it.
func deletionDetail(ctx context.Context, r shelf.Deletion) string {
	return strings.Join([]string{text.T(ctx, "undo.by", "By", text.Visible(r.By)),
		text.T(ctx, "delete.images", text.Count, r.Images)}, " · ")
}
