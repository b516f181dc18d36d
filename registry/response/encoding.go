package response

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/stowage/stowage/image"
)

// A digest is of the bytes as they are, and no request here asks for an encoding. Servers name one all the same: for a
// layer that is a gzip file, or because a proxy compresses whatever passes. The digest decides which of the two it is.

// codings give readers of the encodings that are undone. Whatever else a server writes there, such as a character set
// or a bucket's aws-chunked, says nothing of the bytes.
var codings = map[string]func(io.Reader) (io.Reader, error){
	"gzip":    func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
	"deflate": func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) },
	"br":      func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil },
	"zstd": func(r io.Reader) (io.Reader, error) { // with one at a time it has no goroutines, and need not be closed
		return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
	},
}

// zstdWindow bounds the memory of one stream (RFC 9659 allows zstd 8 MB).
const zstdWindow = 8 << 20

// Coding returns the one encoding of an answer that can be undone; empty where there is none, or several.
func Coding(h http.Header) string {
	var known []string
	for _, one := range strings.Split(strings.Join(h.Values("Content-Encoding"), ","), ",") {
		one = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(one)), "x-")
		if codings[one] != nil {
			known = append(known, one)
		}
	}
	if len(known) != 1 {
		return ""
	}
	return known[0]
}

// Inflated undoes the encoding of an answer that was read whole, as far as limit bytes. False where there is none, or
// the bytes are not in it.
func Inflated(h http.Header, raw []byte, limit int64) ([]byte, bool) {
	open := codings[Coding(h)]
	if open == nil {
		return nil, false
	}
	r, err := open(bytes.NewReader(raw))
	if err != nil {
		return nil, false
	}
	plain, err := io.ReadAll(io.LimitReader(r, limit+1))
	return plain, err == nil && int64(len(plain)) <= limit && image.CheckNesting(plain) == nil
}

// PlainDocument returns the bytes of an answer that were meant: as they came where they have the digest or, where that
// is empty, begin as JSON does, else with their encoding undone as far as limit bytes.
func PlainDocument(h http.Header, raw []byte, want image.Digest, limit int64) []byte {
	if Coding(h) == "" {
		return raw
	}
	asSent := bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{"))
	if want != "" {
		asSent = image.DigestOf(raw) == want
	}
	if asSent {
		return raw
	}
	if plain, ok := Inflated(h, raw, limit); ok {
		return plain
	}
	return raw
}

// compressedMagic are the first bytes of what layers are compressed to.
var compressedMagic = [][]byte{{0x1f, 0x8b}, {0x28, 0xb5, 0x2f, 0xfd}}

// EncodedBlob reports whether the encoding of a blob of so many bytes was put on for the way. What has the blob's size
// is the blob. Where no size is said, a layer whose media type says that it is compressed is itself what is
// compressed, once; anything else was not before.
func EncodedBlob(resp *http.Response, length int64, mediaType string) bool {
	if Coding(resp.Header) == "" || resp.ContentLength == length {
		return false
	}
	if resp.ContentLength >= 0 {
		return true
	}
	body := bufio.NewReaderSize(resp.Body, peeked)
	resp.Body = struct {
		io.Reader
		io.Closer
	}{body, resp.Body}
	head, _ := body.Peek(peeked) // an error comes again with the bytes
	inner := firstBytes(resp.Header, head)
	switch {
	case inner == nil:
		return false
	case strings.HasSuffix(mediaType, "gzip"), strings.HasSuffix(mediaType, "zstd"):
		return slices.ContainsFunc(compressedMagic, func(m []byte) bool { return bytes.HasPrefix(inner, m) })
	}
	return true
}

// peeked is how much of a body is looked at before it is read.
const peeked = 4 << 10

// firstBytes returns the first bytes of what a body is when its encoding is undone; nil where it is not in that
// encoding.
func firstBytes(h http.Header, head []byte) []byte {
	r, err := codings[Coding(h)](bytes.NewReader(head))
	if err != nil {
		return nil
	}
	inner := make([]byte, 8)
	n, err := io.ReadAtLeast(r, inner, 1)
	if err != nil {
		return nil
	}
	return inner[:n]
}

// Decode undoes the encoding of an answer as it is read.
func Decode(resp *http.Response) error {
	r, err := codings[Coding(resp.Header)](resp.Body)
	if err != nil {
		return err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{r, resp.Body}
	resp.ContentLength = -1
	resp.Header.Del("Content-Length")
	return nil
}
