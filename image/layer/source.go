package layer

import (
	"context"
	"fmt"
	"io"
)

// maxEmptyReads is how often a reader may answer with no bytes and no error, as in bufio.
const maxEmptyReads = 100

// source is the caller's reader. It remembers why it failed, because the decompressors above it may hide that, and a
// disk that fails must never be taken for a damaged layer. It also ends the work when ctx ends.
type source struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	for range maxEmptyReads {
		if err := s.ctx.Err(); err != nil {
			s.err = err
			return 0, err
		}
		n, err := s.r.Read(p)
		if err != nil && err != io.EOF {
			s.err = fmt.Errorf("%w: %w", ErrSource, err)
			return n, s.err
		}
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
	s.err = fmt.Errorf("%w: %w", ErrSource, io.ErrNoProgress)
	return 0, s.err
}
