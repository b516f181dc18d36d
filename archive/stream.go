package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sort"

	"github.com/stowage/stowage/image"
)

// Blob is a blob opened for reading. What is copied to a socket from one that is an *os.File the kernel can send.
type Blob interface {
	io.ReadSeeker
	io.Closer
}

// ErrBlob is in the chain of every error that comes of a blob which cannot be opened or read whole.
var ErrBlob = errors.New("a blob cannot be read")

// Stream reads an archive. Blobs are opened when their turn comes, one at a time. Not safe for concurrent use.
type Stream struct {
	archive *Archive
	open    func(image.Digest) (Blob, error)

	at    int64 // offset of the next byte
	entry int   // where that was found last

	blob   Blob // open, or nil
	digest image.Digest
	blobAt int64 // where blob is; -1 where nobody knows
}

// Stream begins to read the archive. Its blobs come from open. Close ends it.
func (a *Archive) Stream(open func(image.Digest) (Blob, error)) *Stream {
	return &Stream{archive: a, open: open}
}

// Read implements io.Reader. A blob that cannot be read whole is an error, never the end.
func (s *Stream) Read(p []byte) (int, error) {
	if s.at >= s.archive.size {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	e, at, ok := s.locate()
	switch {
	case !ok: // the two blocks that end it
		return s.zeros(p, s.archive.size-s.at), nil
	case at < e.header:
		head, err := e.head()
		if err != nil {
			return 0, err
		}
		return s.advance(copy(p, head[at:])), nil
	case at >= e.header+e.size:
		return s.zeros(p, e.end()-s.at), nil
	case e.digest == "":
		return s.advance(copy(p, e.made[at-e.header:])), nil
	}
	b, err := s.blobFrom(e, at-e.header)
	if err != nil {
		return 0, err
	}
	n, err := b.Read(p[:min(int64(len(p)), e.header+e.size-at)])
	s.blobAt += int64(n)
	s.advance(n)
	if n > 0 {
		return n, nil // an error comes again
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return 0, blobError(e, err)
}

// small is up to how many bytes are rather copied than handed on: handing on takes system calls of its own.
const small = 32 << 10

// CopyN writes the next n bytes to w: fewer only with an error, io.EOF at the end. To a w that takes a file as the file
// it is (io.ReaderFrom) a large blob goes so.
func (s *Stream) CopyN(w io.Writer, n int64) (written int64, err error) {
	var buffer []byte
	for written < n {
		e, at, ok := s.locate()
		if rest := e.header + e.size - at; ok && e.digest != "" && at >= e.header && rest > small {
			k, err := s.handOn(w, e, at-e.header, min(rest, n-written))
			if written += k; err != nil {
				return written, err
			}
			continue
		}
		if buffer == nil {
			buffer = make([]byte, small)
		}
		k, err := s.Read(buffer[:min(small, n-written)])
		if err != nil {
			return written, err
		}
		k, err = w.Write(buffer[:k])
		if written += int64(k); err != nil {
			return written, err
		}
	}
	return written, nil
}

// handOn copies a part of a blob from its file.
func (s *Stream) handOn(w io.Writer, e entry, from, n int64) (int64, error) {
	b, err := s.blobFrom(e, from)
	if err != nil {
		return 0, err
	}
	k, err := io.CopyN(w, b, n)
	s.at += k
	s.blobAt = -1 // it may have been read further than w took
	var path *fs.PathError
	var ours *image.Error
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	} else if !errors.As(err, &path) && !errors.As(err, &ours) {
		return k, err
	}
	return k, blobError(e, err)
}

// Seek implements io.Seeker. Nothing is read or opened by it.
func (s *Stream) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += s.at
	case io.SeekEnd:
		offset += s.archive.size
	default:
		return 0, fmt.Errorf("seek in an archive: there is no whence %d", whence)
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek in an archive: %d is before its beginning", offset)
	}
	s.at = offset
	return offset, nil
}

// Close closes the blob that is open. It may be called more than once.
func (s *Stream) Close() error {
	if s.blob == nil {
		return nil
	}
	err := s.blob.Close()
	s.blob, s.digest = nil, ""
	return err
}

// locate returns the entry that the next byte is of, and its offset there. There is none after the last one.
func (s *Stream) locate() (e entry, at int64, ok bool) {
	entries := s.archive.entries
	here := func(i int) bool { return i < len(entries) && s.at >= entries[i].offset && s.at < entries[i].end() }
	if !here(s.entry) {
		if s.entry++; !here(s.entry) {
			s.entry = sort.Search(len(entries), func(i int) bool { return entries[i].end() > s.at })
		}
	}
	if s.entry >= len(entries) {
		return entry{}, 0, false
	}
	e = entries[s.entry]
	return e, s.at - e.offset, true
}

// blobFrom returns an entry's blob, open and at an offset.
func (s *Stream) blobFrom(e entry, from int64) (Blob, error) {
	if s.digest != e.digest {
		if err := s.Close(); err != nil {
			return nil, blobError(e, err)
		}
		b, err := s.open(e.digest)
		if err != nil {
			return nil, blobError(e, err)
		}
		s.blob, s.digest, s.blobAt = b, e.digest, -1
		if size, err := b.Seek(0, io.SeekEnd); err != nil || size != e.size {
			return nil, blobError(e, fmt.Errorf("it has %d bytes instead of %d: %w", size, e.size, errors.Join(err, s.Close())))
		}
	}
	if s.blobAt != from {
		if _, err := s.blob.Seek(from, io.SeekStart); err != nil {
			return nil, blobError(e, err)
		}
		s.blobAt = from
	}
	return s.blob, nil
}

func blobError(e entry, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrBlob, e.digest, err)
}

func (s *Stream) advance(n int) int {
	s.at += int64(n)
	return n
}

// zeros returns up to n bytes of padding.
func (s *Stream) zeros(p []byte, n int64) int {
	p = p[:min(int64(len(p)), n)]
	clear(p)
	return s.advance(len(p))
}
