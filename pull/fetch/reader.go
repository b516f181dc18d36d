package fetch

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
)

// unproved is how much of a blob's end is held back until its digest is proved: nobody is handed a whole blob that is
// not what it should be, and what somebody has whole is on the shelf's disk. The shelf does so with what it hands out.
const unproved = 64 << 10

// Reader reads a blob while a transfer brings it: its bytes are there as soon as they are on disk. It is an
// io.ReadSeeker of the blob's size; reading waits for bytes. A blob that has to be begun anew cannot be read on
// (Corrupt): what was handed out may have been wrong. It is used by one goroutine.
type Reader struct {
	ctx  context.Context
	f    *Fetcher
	t    *transfer
	file Partial
	size int64
	at   int64
	turn int64 // of the file that is read
	end  int64 // up to which it can be read, as far as is known
	err  error // of the transfer
	over bool  // the transfer has ended
}

// Open begins to read a blob that is not stored, and to bring it where nobody else does. It returns when the first
// bytes are there. Reading ends with ctx. The caller closes it, after which the blob is fetched on only if others wait.
func (f *Fetcher) Open(ctx context.Context, b Blob) (*Reader, error) {
	for {
		t, joined, began := f.join(ctx, b)
		if !joined { // it is in the way: see get
			select {
			case <-t.done:
				continue
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
		t.hurry.Do(func() { close(t.urgent) })
		s := &Reader{ctx: ctx, f: f, t: t, size: b.Size}
		err := s.await()
		if err == nil {
			return s, nil
		}
		failed := s.err != nil
		_ = s.Close() // nothing was read
		if f.base.Err() != nil {
			return nil, job.Stopping()
		}
		if ctx.Err() != nil || !failed {
			return nil, err
		}
		if err, final := f.outcome(t, b.Repository, began); final {
			return nil, err
		}
	}
}

// Seek implements io.Seeker. Any place of the blob can be sought; reading from it waits until it is there.
func (s *Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.at
	case io.SeekEnd:
		offset += s.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek to %d: %w", offset, os.ErrInvalid)
	}
	s.at = offset
	return offset, nil
}

// Read implements io.Reader.
func (s *Reader) Read(p []byte) (int, error) {
	if s.at >= s.size {
		return 0, io.EOF
	}
	if s.at >= s.end {
		if err := s.await(); err != nil {
			return 0, err
		}
	}
	n, err := s.file.ReadAt(p[:min(int64(len(p)), s.end-s.at)], s.at)
	s.at += int64(n)
	if n > 0 {
		// What was just read may have been thrown away under us.
		return n, s.unchanged()
	}
	return 0, fmt.Errorf("read the partial blob: %w", err)
}

// await waits until there is more to read than was known.
func (s *Reader) await() error {
	for {
		news := s.t.progress.next() // before looking, so that nothing is missed
		if ready, err := s.look(); ready || err != nil {
			return err
		}
		select {
		case <-news:
		case <-s.t.done:
			s.over, s.err = true, s.t.err
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
	}
}

// look reports whether there is something to read at the place where the stream stands.
func (s *Reader) look() (ready bool, err error) {
	turn := s.t.progress.turns.Load()
	there := s.t.progress.bytes.Load()
	switch {
	case s.over && s.err != nil:
		return false, s.err
	case s.over: // proved, and on disk under its own name; a writer that found it there never had a partial
		there = s.size
	case turn%2 == 1: // being begun anew
		return false, s.unchanged()
	default:
		there = min(there, s.size-unproved)
	}
	if s.at >= there && s.size > 0 {
		return false, s.unchanged()
	}
	if s.file == nil {
		file, err := s.f.shelf.OpenPartial(s.t.Descriptor)
		switch {
		case err == nil:
		case image.KindOf(err) == image.NotFound && !s.over:
			return false, nil // found wrong this very moment: it will be begun anew
		default:
			return false, err
		}
		s.file, s.turn = file, turn
	}
	s.end = there
	return true, s.unchanged()
}

// unchanged fails where the file that is read is not the one that is written any more.
func (s *Reader) unchanged() error {
	if s.file == nil || s.t.progress.turns.Load() == s.turn {
		return nil
	}
	return image.Errorf(image.Corrupt, "blob %s had to be fetched anew while it was handed on",
		image.ShortDigest(s.t.Digest))
}

// Close implements io.Closer.
func (s *Reader) Close() error {
	if !s.over {
		s.f.leave(s.ctx, s.t)
		s.over = true
	}
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}
