package sample

import (
	"hash/fnv"
	"io"
)

// phrase is the length in bytes of the pieces that file contents are made of.
const phrase = 32

// content is a reader of n pseudo-random bytes that depend on seed alone and that compress to roughly 40 %,
// as programs and libraries do: a third of the phrases is new, the rest repeats earlier ones.
type content struct {
	state uint64
	left  int64
	known [64][phrase]byte
	rest  []byte
}

func newContent(seed string, n int64) *content {
	h := fnv.New64a()
	_, _ = io.WriteString(h, seed)
	c := &content{state: h.Sum64(), left: n}
	for i := range c.known {
		c.fresh(i)
	}
	return c
}

// next is SplitMix64: small, fast and the same on every platform and in every Go version.
func (c *content) next() uint64 {
	c.state += 0x9e3779b97f4a7c15
	z := c.state
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

func (c *content) fresh(slot int) {
	for i := 0; i < phrase; i += 8 {
		v := c.next()
		for j := range 8 {
			c.known[slot][i+j] = byte(v >> (8 * j))
		}
	}
}

// Read fills p; it fails only with io.EOF at the end.
func (c *content) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && c.left > 0 {
		if len(c.rest) == 0 {
			v := c.next()
			slot := int(v>>8) % len(c.known)
			if v%3 == 0 {
				c.fresh(slot)
			}
			c.rest = c.known[slot][:]
		}
		k := copy(p[n:], c.rest[:min(int64(len(c.rest)), c.left)])
		c.rest = c.rest[k:]
		c.left -= int64(k)
		n += k
	}
	return n, nil
}

// zeros is an endless reader of zero bytes.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// noise is a reader of bytes that do not compress at all.
type noise struct{ content }

func newNoise(seed string) *noise { return &noise{content: *newContent(seed, 0)} }

// Read fills p.
func (z *noise) Read(p []byte) (int, error) {
	for i := 0; i < len(p); i += 8 {
		v := z.next()
		for j := range min(8, len(p)-i) {
			p[i+j] = byte(v >> (8 * j))
		}
	}
	return len(p), nil
}
