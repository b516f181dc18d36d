package layer

import (
	"bufio"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
)

// gunzip reads gzip, one member after the other. Zero bytes after the last one count for nothing: some writers pad, and
// gunzip, pigz and what is built on them read over that. Anything else behind the end is gzip.ErrHeader.
type gunzip struct {
	in   *bufio.Reader
	z    *gzip.Reader
	over bool
}

func newGunzip(in *bufio.Reader) (*gunzip, error) {
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &gunzip{in: in, z: z}, nil
}

// Read implements io.Reader.
func (g *gunzip) Read(p []byte) (int, error) {
	for !g.over {
		n, err := g.z.Read(p)
		if n > 0 || err == nil {
			if errors.Is(err, io.EOF) {
				err = nil // the next Read looks at what follows
			}
			return n, err
		}
		if !errors.Is(err, io.EOF) {
			return 0, err
		}
		if err := g.next(); err != nil {
			return 0, err
		}
	}
	return 0, io.EOF
}

// next goes on to the member that follows, or to the end.
func (g *gunzip) next() error {
	start, err := g.in.Peek(1)
	switch {
	case errors.Is(err, io.EOF):
		g.over = true
		return nil
	case err != nil:
		return err
	case start[0] == 0:
		g.over = true
		return g.padding()
	}
	if err := g.z.Reset(g.in); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	g.z.Multistream(false)
	return nil
}

// padding reads zero bytes to the end.
func (g *gunzip) padding() error {
	for {
		b, err := g.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case b != 0:
			return gzip.ErrHeader
		}
	}
}

func (g *gunzip) Close() error { return g.z.Close() }
