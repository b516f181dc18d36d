package ui

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/a-h/templ"

	"github.com/stowage/stowage/views/text"
)

// Every coloured token and every link costs the browser an element, and the page some bytes, so larger texts are shown
// plain, and what comes after the most of either too.
const (
	maxHighlighted = 1 << 20 // bytes
	maxTokens      = 50_000
	maxLinked      = 5_000
)

// digestPattern finds digests inside strings.
var digestPattern = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

// HighlightedJSON shows raw as it is, byte for byte, with keys, strings, numbers and literals coloured by
// class: k, s, n, l, and p for punctuation. Each digest in a string for which link gives an address becomes
// a link; link may be nil. What is not JSON, is over 1 MiB or comes after 50,000 tokens is shown plain, and
// digests after 5,000 links too. The caller bounds raw, see showJSON. It stands in a CodeBlock.
func HighlightedJSON(raw []byte, link func(digest string) string) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		h := highlighter{link: link}
		if len(raw) > maxHighlighted || !json.Valid(raw) {
			h.text(raw)
		} else {
			h.json(raw)
		}
		_, err := w.Write(h.out.Bytes())
		return err
	})
}

// highlighter collects the markup.
type highlighter struct {
	out  bytes.Buffer
	link func(digest string) string

	linked int // links so far
}

// text writes b escaped.
func (h *highlighter) text(b []byte) { h.out.WriteString(templ.EscapeString(string(b))) }

// span writes b escaped in an element of a class.
func (h *highlighter) span(class string, b []byte) {
	h.out.WriteString(`<span class="` + class + `">`)
	h.text(b)
	h.out.WriteString(`</span>`)
}

// json writes raw, which must be valid JSON, token by token.
func (h *highlighter) json(raw []byte) {
	for i, tokens := 0, 0; i < len(raw); tokens++ {
		if tokens == maxTokens {
			h.text(raw[i:])
			return
		}
		end := tokenEnd(raw, i)
		token := raw[i:end]
		switch c := raw[i]; {
		case c == '"' && isKey(raw, end):
			h.span("k", token)
		case c == '"':
			h.str(token)
		case c == '-' || c >= '0' && c <= '9':
			h.span("n", token)
		case c >= 'a' && c <= 'z':
			h.span("l", token)
		case isSpace(c):
			h.text(token)
		default:
			h.span("p", token)
		}
		i = end
	}
}

// tokenEnd returns the end of the token of valid JSON that begins at i. Runs of white space are one token, and
// so are runs of punctuation.
func tokenEnd(raw []byte, i int) int {
	c := raw[i]
	j := i + 1
	switch {
	case c == '"':
		for j < len(raw) && raw[j] != '"' {
			if raw[j] == '\\' {
				j++
			}
			j++
		}
		return min(j+1, len(raw))
	case isSpace(c):
		for j < len(raw) && isSpace(raw[j]) {
			j++
		}
	case isPunctuation(c):
		for j < len(raw) && isPunctuation(raw[j]) {
			j++
		}
	default:
		for j < len(raw) && !isSpace(raw[j]) && !isPunctuation(raw[j]) && raw[j] != '"' {
			j++
		}
	}
	return j
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func isPunctuation(c byte) bool {
	return c == '{' || c == '}' || c == '[' || c == ']' || c == ',' || c == ':'
}

// isKey reports whether the string that ended before i is followed by a colon.
func isKey(raw []byte, i int) bool {
	for ; i < len(raw); i++ {
		if !isSpace(raw[i]) {
			return raw[i] == ':'
		}
	}
	return false
}

// str writes a string with its digests linked.
func (h *highlighter) str(token []byte) {
	h.out.WriteString(`<span class="s">`)
	defer h.out.WriteString(`</span>`)
	if h.link == nil {
		h.text(token)
		return
	}
	from := 0
	for _, at := range digestPattern.FindAllIndex(token, -1) {
		digest := string(token[at[0]:at[1]])
		address := h.link(digest)
		if address == "" || h.linked == maxLinked {
			continue
		}
		h.linked++
		h.text(token[from:at[0]])
		h.out.WriteString(`<a href="` + templ.EscapeString(string(templ.URL(address))) + `">` + digest + `</a>`)
		from = at[1]
	}
	h.text(token[from:])
}

// visibleJSON writes hidden characters inside the strings of JSON as escapes, which mean the same. changed
// tells whether there were any.
func visibleJSON(raw []byte) (out []byte, changed bool) {
	var b strings.Builder
	for _, r := range string(raw) {
		switch {
		case r == '\r' || !text.IsHidden(r): // a carriage return can stand between tokens only
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
