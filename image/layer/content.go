package layer

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
)

// chunkSize is how much is decompressed, hashed and walked at a time.
const chunkSize = 64 << 10

// content is the uncompressed tar: it serves the tar reader, and counts, bounds and hashes every byte that comes
// out of the decompressor, whether the tar reader wants it or not.
type content struct {
	ctx   context.Context
	src   io.Reader // the decompressor
	limit int64

	hash hash.Hash
	buf  []byte
	rest []byte // what is left of the current chunk, within buf
	size int64  // bytes seen so far
	err  error  // why the content ended; io.EOF at its true end
}

func newContent(ctx context.Context, src io.Reader, limit int64) *content {
	return &content{ctx: ctx, src: src, limit: limit, hash: sha256.New(), buf: make([]byte, chunkSize)}
}

func (c *content) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// Seek implements io.Seeker as far as archive/tar needs it to skip what an entry holds without copying it: it goes
// forward only, and ends at the end of the content at the latest.
func (c *content) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekCurrent || offset < 0 {
		return 0, errors.New("the content is read once, front to back")
	}
	for offset > 0 {
		if len(c.rest) == 0 {
			if err := c.next(); err == io.EOF { //nolint:errorlint // set by next itself
				break // reading on tells where it ends
			} else if err != nil {
				return 0, err
			}
		}
		n := min(offset, int64(len(c.rest)))
		c.rest = c.rest[n:]
		offset -= n
	}
	return c.size - int64(len(c.rest)), nil
}

// drain reads to the end what follows the tar's end marker: padding, as a rule, and part of the diff ID.
func (c *content) drain() error {
	for {
		if err := c.next(); err == io.EOF { //nolint:errorlint // set by next itself
			return nil
		} else if err != nil {
			return err
		}
	}
}

// next replaces the current chunk by the next one.
func (c *content) next() error {
	c.rest = nil
	if c.err != nil {
		return c.err
	}
	if err := c.ctx.Err(); err != nil {
		c.err = err
		return err
	}
	n := 0
	for n < len(c.buf) && c.err == nil {
		var m int
		m, c.err = c.src.Read(c.buf[n:])
		n += m
	}
	if c.err != nil && c.err != io.EOF { //nolint:errorlint // the io.Reader contract
		c.err = DecompressError(c.err)
	}
	c.size += int64(n)
	if c.size > c.limit {
		c.err = tooLarge(c.limit)
		return c.err
	}
	if n == 0 {
		return c.err
	}
	c.rest = c.buf[:n]
	c.hash.Write(c.rest)
	return nil
}
