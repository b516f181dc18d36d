package saved

import (
	"errors"
	"io"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/image/layer"
)

// source is what the sender gives. It remembers why it failed, because the readers above it may hide that, and bounds
// how much is sent.
type source struct {
	r     io.Reader
	n     int64
	limit int64
	err   error
}

func (s *source) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(p)
	s.n += int64(n)
	if s.limit > 0 && s.n > s.limit {
		err = tooLarge(s.limit)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// startSize is how much of what is no tar is looked at to tell what it is.
const startSize = 16

// unpacked is the tar. It bounds what comes out of the decompressor.
type unpacked struct {
	r          io.Reader
	src        *source
	compressed bool
	start      []byte // the first bytes
	n          int64
	limit      int64
	err        error // why it ended, but for its true end
	ended      bool  // somebody has read beyond the last byte
}

func (u *unpacked) Read(p []byte) (int, error) {
	if u.err != nil {
		return 0, u.err
	}
	n, err := u.r.Read(p)
	u.n += int64(n)
	u.start = append(u.start, p[:min(n, startSize-len(u.start))]...)
	u.ended = u.ended || n == 0 && errors.Is(err, io.EOF)
	switch {
	case u.compressed && u.n > unpackFloor && u.n/unpackRatio > u.src.n:
		u.err = image.Errorf(image.TooLarge,
			"the archive unpacks to more than %d times its size, as a decompression bomb does", unpackRatio).
			Suggest("Unpack it yourself and send it plain, if it is what it should be.")
	case u.limit > 0 && u.n > u.limit:
		u.err = tooLarge(u.limit)
	case err != nil && !errors.Is(err, io.EOF) && u.compressed:
		u.err = unpackError(layer.DecompressError(err))
	}
	if u.err != nil {
		return n, u.err
	}
	return n, err
}

// rest reads what follows the end of the tar, so that a checksum behind it is proved.
func (u *unpacked) rest() error {
	n, err := io.Copy(io.Discard, io.LimitReader(u, maxRest+1))
	if err != nil {
		return err
	}
	if n > maxRest {
		return image.Errorf(image.Invalid, "more than %d bytes follow the end of the archive", maxRest).
			Suggest("Send one archive at a time.")
	}
	return nil
}
