package ui

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/text"
)

// maxShownJSON bounds what a page shows of a document, in bytes of markup without colours.
const maxShownJSON = 2 << 20

// shownJSON is what a page shows of a document.
type ShownJSON struct {
	Text     []byte
	Indented bool // its lines are ours
	Escaped  bool // it has characters that nobody sees, written as escapes
	Rest     int  // bytes of the text that are left out
}

// showJSON makes a document fit for a page: indented where it is on one line, if asked for, hidden characters
// escaped, and cut where it would fill the page.
func ShowJSON(raw []byte, indent bool) ShownJSON {
	s := ShownJSON{Text: raw}
	if indent {
		s.Text, s.Indented = readable(raw)
	}
	n := fitting(s.Text, maxShownJSON, jsonCost)
	s.Rest = len(s.Text) - n
	s.Text, s.Escaped = visibleJSON(s.Text[:n])
	return s
}

// jsonCost is how many bytes of markup a character of JSON makes.
func jsonCost(r rune, size int) int {
	switch {
	case r == '\r' || !text.IsHidden(r):
		if r == utf8.RuneError {
			return utf8.UTFMax // a byte that is no text becomes a character
		}
		return escapedCost(r, size)
	case r > 0xffff:
		return len(`\ud83d\ude00`)
	}
	return len(`\u202e`)
}

// readable returns a document as it is when it has lines, otherwise indented by two spaces. Indenting changes white
// space only: the order of keys, numbers and escapes stay. What indenting would make too large stays as it is.
func readable(raw []byte) (text []byte, indented bool) {
	if bytes.Contains(bytes.TrimSpace(raw), []byte("\n")) || image.IndentedSize(raw) > maxShownJSON {
		return raw, false
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil { // not JSON: there is nothing to indent
		return raw, false
	}
	return b.Bytes(), true
}
