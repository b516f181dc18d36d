package sample

import (
	"encoding/binary"
	"hash/fnv"
	"io"
)

// noise is an endless reader of pseudo-random bytes that depend on the seed alone and do not compress.
type noise struct{ state uint64 }

func newNoise(seed string) *noise {
	h := fnv.New64a()
	_, _ = io.WriteString(h, seed) // a hash takes everything
	return &noise{state: h.Sum64()}
}

// next is SplitMix64: small, fast and the same on every platform and in every Go version.
func (z *noise) next() uint64 {
	z.state += 0x9e3779b97f4a7c15
	v := z.state
	v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9
	v = (v ^ (v >> 27)) * 0x94d049bb133111eb
	return v ^ (v >> 31)
}

// Read fills p. The rest of a last word is thrown away, so only equal sequences of reads give equal bytes.
func (z *noise) Read(p []byte) (int, error) {
	n := len(p)
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, z.next())
		p = p[8:]
	}
	if len(p) > 0 {
		var last [8]byte
		binary.LittleEndian.PutUint64(last[:], z.next())
		copy(p, last[:])
	}
	return n, nil
}

// cycle is how many bytes a piece of content has; fresh is how many thousandths of each piece do not repeat.
const (
	cycle = 320 << 10
	fresh = 310
)

// content is a reader of n pseudo-random bytes that depend on the seed alone and compress to roughly 40 %, as programs
// and libraries do: the first part of each piece is noise, the rest repeats one page of it. Long runs of one kind
// are what compressors are quickest with.
type content struct {
	noise *noise
	left  int64
	rest  []byte // of the current piece
	piece []byte
}

func newContent(seed string, n int64) *content { return &content{noise: newNoise(seed), left: n} }

// Read fails only with io.EOF at the end.
func (c *content) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		if c.left == 0 {
			return 0, io.EOF
		}
		c.fill(int(min(c.left, cycle)))
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// fill makes the next piece, of n bytes.
func (c *content) fill(n int) {
	if c.piece == nil {
		c.piece = make([]byte, n)
	}
	c.piece = c.piece[:n]
	own := (n*fresh + 999) / 1000
	_, _ = c.noise.Read(c.piece[:own]) // it does not fail
	page := min(own, 4096)
	for at := own; at < n; at += page {
		copy(c.piece[at:], c.piece[:page])
	}
	c.rest = c.piece
	c.left -= int64(n)
}

// zeros is an endless reader of zero bytes.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
