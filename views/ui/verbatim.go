package ui

import (
	"context"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/a-h/templ"

	"github.com/stowage/stowage/views/text"
)

// Bounds of one foreign text on a page; the rest is counted.
const (
	MaxVerbatim = 16 << 10 // bytes of the text
	MaxMarkup   = 48 << 10 // bytes of markup that it makes
	hiddenMark  = `<span class="text-warning">`
)

// Verbatim shows foreign text so that nothing in it can act on the page: it is escaped, set apart from the
// direction of the text around it, and characters that nobody sees but that could reorder or hide others
// (bidirectional controls, terminal escapes, zero-width spaces) are written as escapes such as \u202e.
// Line breaks and tabs stay. What is over 16 KiB, or makes more markup than the page has room for, is cut off and
// counted.
func Verbatim(s string) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		var b strings.Builder
		shown, rest := text.Cut(s, min(MaxVerbatim,
			fitting(s[:min(len(s), MaxVerbatim+utf8.UTFMax)], roomFor(ctx), verbatimCost)))
		b.WriteString("<bdi>")
		text.EachRun(shown, func(run string, hidden bool) {
			if hidden {
				b.WriteString(hiddenMark + templ.EscapeString(run) + `</span>`)
			} else {
				b.WriteString(templ.EscapeString(run))
			}
		})
		b.WriteString("</bdi>")
		if rest > 0 {
			b.WriteString(` <span class="text-faint">` + templ.EscapeString(text.T(ctx, "verbatim.cut", text.Count, rest)) +
				`</span>`)
		}
		takeRoom(ctx, b.Len())
		_, err := io.WriteString(w, b.String())
		return err
	})
}

// verbatimCost is how many bytes of markup a character makes, at most.
func verbatimCost(r rune, size int) int {
	if r == utf8.RuneError || text.IsHidden(r) {
		return len(hiddenMark) + len(`\U000e0041`) + len(`</span>`)
	}
	return escapedCost(r, size)
}
