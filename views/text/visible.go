package text

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxVisible is how many bytes of a foreign text stand in an attribute or a sentence, hidden characters escaped.
const MaxVisible = 4 << 10

// Visible is the text of Verbatim without markup, for attributes and components that take a string. What is over 4 KiB
// is cut off.
func Visible(s string) string {
	var b strings.Builder
	shown, rest := Cut(s, MaxVisible)
	EachRun(shown, func(run string, _ bool) {
		shown, more := Cut(run, MaxVisible-b.Len())
		rest += more
		b.WriteString(shown)
	})
	if rest > 0 {
		b.WriteString("…")
	}
	return b.String()
}

// cut returns the first most bytes of s, whole characters only, and how many bytes are left out.
func Cut(s string, most int) (shown string, rest int) {
	if len(s) <= most {
		return s, 0
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most], len(s) - most
}

// eachRun calls f for the runs of s that are shown as they are and of those that are written as escapes.
func EachRun(s string, f func(run string, hidden bool)) {
	var run strings.Builder
	state := false
	for i, r := range s {
		bad := r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError))
		hidden := bad || IsHidden(r)
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

// isHidden reports whether it is one of the characters that are not seen themselves and can change how others look. The
// joiners that emoji and some scripts need are not among them.
func IsHidden(r rune) bool {
	switch r {
	case '\n', '\t', '\u200c', '\u200d':
		return false
	case '\u2028', '\u2029':
		return true
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co)
}
