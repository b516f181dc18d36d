package views

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/a-h/templ"
)

// Bounds of one foreign text on a page; the rest is counted.
const (
	maxVerbatim = 16 << 10 // bytes of the text
	maxMarkup   = 48 << 10 // bytes of markup that it makes
	maxVisible  = 4 << 10  // bytes of a text in an attribute or a sentence, hidden characters escaped
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
		shown, rest := cut(s, min(maxVerbatim, fitting(s[:min(len(s), maxVerbatim+utf8.UTFMax)], roomFor(ctx), verbatimCost)))
		b.WriteString("<bdi>")
		eachRun(shown, func(run string, hidden bool) {
			if hidden {
				b.WriteString(hiddenMark + templ.EscapeString(run) + `</span>`)
			} else {
				b.WriteString(templ.EscapeString(run))
			}
		})
		b.WriteString("</bdi>")
		if rest > 0 {
			b.WriteString(` <span class="text-faint">` + templ.EscapeString(T(ctx, "verbatim.cut", Count, rest)) + `</span>`)
		}
		takeRoom(ctx, b.Len())
		_, err := io.WriteString(w, b.String())
		return err
	})
}

// verbatimCost is how many bytes of markup a character makes, at most.
func verbatimCost(r rune, size int) int {
	if r == utf8.RuneError || isHidden(r) {
		return len(hiddenMark) + len(`\U000e0041`) + len(`</span>`)
	}
	return escapedCost(r, size)
}

// Visible is the text of Verbatim without markup, for attributes and components that take a string. What is over 4 KiB is
// cut off.
func Visible(s string) string {
	var b strings.Builder
	shown, rest := cut(s, maxVisible)
	eachRun(shown, func(run string, _ bool) {
		shown, more := cut(run, maxVisible-b.Len())
		rest += more
		b.WriteString(shown)
	})
	if rest > 0 {
		b.WriteString("…")
	}
	return b.String()
}

// visibleJSON writes hidden characters inside the strings of JSON as escapes, which mean the same. changed
// tells whether there were any.
func visibleJSON(raw []byte) (out []byte, changed bool) {
	var b strings.Builder
	for _, r := range string(raw) {
		switch {
		case r == '\r' || !isHidden(r): // a carriage return can stand between tokens only
			b.WriteRune(r)
		case r > 0xffff:
			hi, lo := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
			changed = true
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
			changed = true
		}
	}
	if !changed {
		return raw, false
	}
	return []byte(b.String()), true
}

// cut gives the first most bytes of s, whole characters only, and how many bytes are left out.
func cut(s string, most int) (shown string, rest int) {
	if len(s) <= most {
		return s, 0
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most], len(s) - most
}

// eachRun calls f for the runs of s that are shown as they are and of those that are written as escapes.
func eachRun(s string, f func(run string, hidden bool)) {
	var run strings.Builder
	state := false
	for i, r := range s {
		bad := r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError))
		hidden := bad || isHidden(r)
		if hidden != state && run.Len() > 0 {
			f(run.String(), state)
			run.Reset()
		}
		state = hidden
		switch {
		case bad:
			fmt.Fprintf(&run, `\x%02x`, s[i])
		case hidden:
			run.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			run.WriteRune(r)
		}
	}
	if run.Len() > 0 {
		f(run.String(), state)
	}
}

// isHidden tells characters that are not seen themselves and can change how others look. The joiners that
// emoji and some scripts need are not among them.
func isHidden(r rune) bool {
	switch r {
	case '\n', '\t', '\u200c', '\u200d':
		return false
	case '\u2028', '\u2029':
		return true
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co)
}
