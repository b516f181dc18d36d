package views

import (
	"context"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// MaxPinNote is how many characters the note of a pin has at most; the server refuses more.
const MaxPinNote = 500

// PinView is what the page of an image says of its pins.
type PinView struct {
	Pins    []shelf.Pin
	Choices []image.Reference // what can be pinned: the page's own reference, or the names of an ID
	ByID    bool              // the page is of an image ID
	Back    string            // the page that the forms lead back to
}

// PinnedText tells that something has been pinned. A tag was pinned by the digest that it pointed to.
func PinnedText(ctx context.Context, ref image.Reference) string {
	if ref.Tag != "" {
		return text.T(ctx, "pins.done_tag", "Name", ui.ShortReference(ref))
	}
	return text.T(ctx, "pins.done", "Name", ui.ShortReference(ref))
}

// UnpinnedText tells that something is no longer pinned.
func UnpinnedText(ctx context.Context, ref image.Reference) string {
	return text.T(ctx, "pins.undone", "Name", ui.ShortReference(ref))
}

// note is the note to change, where there is one pin.
func (v PinView) note() string {
	if len(v.Pins) == 1 && !v.ByID {
		return v.Pins[0].Note
	}
	return ""
}

// pinned tells whether the page's own reference is pinned, so that the form changes the note.
func (v PinView) pinned() bool { return !v.ByID && len(v.Pins) > 0 }

// pinnedBy words who pinned something and when: "Pinned by mira, 3 days ago".
func pinnedBy(ctx context.Context, pin shelf.Pin) string {
	return text.T(ctx, "pins.by", "By", text.Visible(pin.By), "Age", text.AgeInSentence(ctx, pin.At))
}
