package ui

import (
	"context"
	"unicode/utf8"
)

// A page is bounded by what it becomes, not by what was read for it: a byte of foreign text can take twenty of markup,
// and a byte of JSON six.
const (
	MaxForeign  = 2 << 20 // bytes of markup that the foreign texts of one page make together
	leastOfText = 80      // bytes of markup that each text may make when the page has no more room
)

// room is what is left of a page for foreign texts. A page is rendered by one goroutine.
type room struct{ left int }

type roomKey struct{}

// WithRoom returns the context to render one page with: its foreign texts share 2 MiB of markup. Once that is used,
// each further one is cut to its beginning.
func WithRoom(ctx context.Context) context.Context {
	return context.WithValue(ctx, roomKey{}, &room{left: MaxForeign})
}

// roomFor returns how much markup a text may make.
func roomFor(ctx context.Context) int {
	if r, ok := ctx.Value(roomKey{}).(*room); ok {
		return max(leastOfText, min(MaxMarkup, r.left))
	}
	return MaxMarkup
}

// takeRoom counts the markup that a text has made.
func takeRoom(ctx context.Context, n int) {
	if r, ok := ctx.Value(roomKey{}).(*room); ok {
		r.left = max(0, r.left-n)
	}
}

// hasRoom reports whether the page has room for n bytes of markup, and takes it then.
func HasRoom(ctx context.Context, n int) bool {
	if r, ok := ctx.Value(roomKey{}).(*room); ok && n > r.left {
		return false
	}
	takeRoom(ctx, n)
	return true
}

// fullCost is how many bytes of markup a text makes that is shown whole and as it is.
func FullCost(s string) int {
	n := 0
	for _, r := range s {
		n += escapedCost(r, utf8.RuneLen(r))
	}
	return n
}

// fitting returns how many bytes of a text, whole characters only, make at most most bytes of markup. cost gives that
// of one character of size bytes.
func fitting[T []byte | string](text T, most int, cost func(r rune, size int) int) int {
	for i, used := 0, 0; i < len(text); {
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(string(text[i:min(len(text), i+utf8.UTFMax)]))
		}
		if used += cost(r, size); used > most {
			return i
		}
		i += size
	}
	return len(text)
}

// escapedCost is how many bytes of markup a character makes that is shown as it is.
func escapedCost(r rune, size int) int {
	switch r {
	case '"', '\'', '&':
		return len("&#34;")
	case '<', '>':
		return len("&lt;")
	}
	return size
}
