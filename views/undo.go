package views

import (
	"context"
	"strings"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// Removal is a deletion or a prune that can still be undone.
type Removal struct {
	ID        int64
	At, Until time.Time
	By        string
	Prune     bool
	Names     []image.Reference // a few of what went, tags first
	IDs       []image.Digest    // a few of the image IDs that were asked for
	Items     int               // things that went
	Images    int               // platform images that went
	Freed     int64             // bytes that wait to be swept because of it
}

// UndoneText tells what came back, and which tags were pulled again meanwhile and stay where they point.
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

// title is what a removal was.
func (r Removal) title(ctx context.Context) string {
	if r.Prune {
		return text.T(ctx, "undo.pruned", text.Count, r.Items)
	}
	return text.T(ctx, "undo.deleted", text.Count, r.Items)
}

// detail says by whom, and what waits because of it.
func (r Removal) detail(ctx context.Context) string {
	return strings.Join([]string{text.T(ctx, "undo.by", "By", text.Visible(r.By)), text.T(ctx, "delete.images", text.Count, r.Images)}, " · ")
}
