// Package marks has what pages and lists say of a stored image: whether it is pinned, how its tag stands to its
// registry's, how often it was given out.
package marks

import (
	"context"

	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/text"
)

// MaxPinNote is how many characters the note of a pin has at most; the server refuses more.
const MaxPinNote = 500

// pinnedBy words who pinned something and when: "Pinned by mira, 3 days ago".
func pinnedBy(ctx context.Context, pin shelf.Pin) string {
	return text.T(ctx, "pins.by", "By", text.Visible(pin.By), "Age", text.AgeInSentence(ctx, pin.At))
}
