package views

import (
	"bytes"
	"encoding/json"
)

const (
	maxShownJSON = 4 << 20   // larger texts are offered as a file only
	maxIndented  = 512 << 10 // larger documents stay on the lines that they have
)

// readable gives a document as it is when it has lines, otherwise indented by two spaces. Indenting changes
// white space only: the order of keys, numbers and escapes stay.
func readable(raw []byte) (text []byte, indented bool) {
	if bytes.Contains(bytes.TrimSpace(raw), []byte("\n")) || len(raw) > maxIndented {
		return raw, false
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil { // not JSON: there is nothing to indent
		return raw, false
	}
	return b.Bytes(), true
}
