// Package response reads what other hosts answer, which is hostile: within bounds, with its encoding undone, and what
// its status, its challenges and its links say.
package response

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode"

	"github.com/stowage/stowage/image"
)

// ErrTooLarge says that an answer is longer than is read.
var ErrTooLarge = errors.New("the answer is too large")

// ReadBody reads an answer of at most limit bytes whole, closes it, and puts a reader of those bytes in its place. The
// error is ErrTooLarge for more, whatever Content-Length claims, and image.Corrupt for JSON that is nested too deep:
// nothing of ours or of regclient's reads that.
func ReadBody(resp *http.Response, limit int64) ([]byte, error) {
	defer resp.Body.Close()
	if resp.ContentLength > limit {
		return nil, ErrTooLarge
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > limit {
		return nil, ErrTooLarge
	}
	if Coding(resp.Header) == "" { // else it is for those who undo that
		if err := image.CheckNesting(raw); err != nil {
			return nil, err
		}
	}
	SetBody(resp, raw)
	return raw, nil
}

// SetBody puts bytes in the place of an answer's body.
func SetBody(resp *http.Response, raw []byte) {
	resp.Body = io.NopCloser(bytes.NewReader(raw))
	resp.ContentLength = int64(len(raw))
	resp.Header.Del("Content-Length") // regclient goes by it
}

// MediaType returns the Content-Type without its parameters, in lower case.
func MediaType(h http.Header) string {
	t, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}

// RedirectedFrom returns the request that a chain of redirects began with, and the chain's length.
func RedirectedFrom(req *http.Request) (origin *http.Request, hops int) {
	for req.Response != nil && req.Response.Request != nil {
		req = req.Response.Request
		hops++
	}
	return req, hops
}

// Clean makes hostile text fit for a message: one line, printable, short. Unprintable are also the format
// characters that turn the direction of writing.
func Clean(s string) string { return cleanTo(s, 200) }

// cleanTo is Clean for a text of at most so many characters.
func cleanTo(s string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range strings.TrimSpace(s) {
		if n++; n > most {
			b.WriteRune('…')
			break
		}
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			r = ' '
		}
		b.WriteRune(r)
	}
	return b.String()
}
