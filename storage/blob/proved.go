package blob

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/stowage/stowage/image"
)

// Unproved is how much of a blob's end is held back until its digest is proved: nobody is handed a whole blob that is
// not what it should be.
const Unproved = 64 << 10

// OpenProved opens a stored blob to be handed out, and gives its size. Where it was proved since the start it is the
// file itself, which the kernel can send. Else it is proved by reading: from beginning to end at no cost but the
// digest's, the last Unproved bytes being held back; from anywhere else after it has been read whole. Reading, and
// waiting for that, ends with ctx. NotFound, and Damaged where it is known to be or where that is found; a Read gives
// Damaged, too. The file stays readable when the blob is removed meanwhile. The caller closes it.
func (s *Store) OpenProved(ctx context.Context, d image.Digest) (io.ReadSeekCloser, int64, error) {
	f, st, proved, err := s.open(d)
	if err != nil {
		return nil, 0, err
	}
	if proved {
		return f, st.Size, nil
	}
	r := &reader{ctx: ctx, store: s, digest: d, file: f, stamp: st, hash: sha256.New()}
	if st.Size > Unproved {
		return r, st.Size, nil
	}
	if err := r.end(); err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return r, st.Size, nil
}

// reader reads a blob that is not proved yet. It is used by one goroutine.
type reader struct {
	ctx    context.Context
	store  *Store
	digest image.Digest
	file   *os.File
	stamp  stamp
	hash   hash.Hash
	hashed int64  // bytes from the beginning that are counted in hash
	at     int64  // where the next Read is
	tail   []byte // the last bytes, once they are proved
	proved bool
	err    error // of the last Read that failed
}

// Err returns why reading failed, to whoever does not see the errors of Read.
func (r *reader) Err() error { return r.err }

// Read implements io.Reader.
func (r *reader) Read(p []byte) (n int, err error) {
	if r.err == nil {
		n, r.err = r.read(p)
	}
	if errors.Is(r.err, io.EOF) { // which is no failure
		r.err = nil
		return n, io.EOF
	}
	return n, r.err
}

func (r *reader) read(p []byte) (int, error) {
	size := r.stamp.Size
	if r.at >= size {
		return 0, io.EOF
	}
	if err := r.ctx.Err(); err != nil {
		return 0, context.Cause(r.ctx)
	}
	if !r.proved && r.at != r.hashed {
		if err := r.store.Prove(r.ctx, r.digest, nil); err != nil {
			return 0, err
		}
		if r.proved, _ = r.store.proofs.of(keyOf(r.digest.Encoded()), r.stamp); !r.proved {
			return 0, damagedBlob(r.digest) // another file has taken its place, and that one was proved
		}
	}
	held := size - Unproved
	if !r.proved && r.at >= held {
		if err := r.end(); err != nil {
			return 0, err
		}
	}
	if from := size - int64(len(r.tail)); r.at >= from {
		n := copy(p, r.tail[r.at-from:])
		r.at += int64(n)
		return n, nil
	}
	if !r.proved {
		p = p[:min(int64(len(p)), held-r.at)]
	}
	n, err := r.file.ReadAt(p, r.at)
	if !r.proved {
		r.hash.Write(p[:n])
		r.hashed += int64(n)
	}
	r.at += int64(n)
	if n > 0 {
		return n, nil // an error comes again
	}
	return 0, r.unread(err)
}

// end reads what is not counted in the digest yet, at most Unproved bytes, and proves it.
func (r *reader) end() error {
	tail := make([]byte, r.stamp.Size-r.hashed)
	if n, err := r.file.ReadAt(tail, r.hashed); n < len(tail) {
		return r.unread(err)
	}
	r.hash.Write(tail)
	if err := r.store.proofs.judge(r.digest, r.stamp, r.hash); err != nil {
		return err
	}
	r.tail, r.proved = tail, true
	return nil
}

func (r *reader) unread(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return r.store.proofs.unread(r.digest, r.stamp, err)
}

// Seek implements io.Seeker. Nothing is read by it.
func (r *reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.stamp.Size
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek to %d: %w", offset, os.ErrInvalid)
	}
	r.at = offset
	return offset, nil
}

// Close implements io.Closer.
func (r *reader) Close() error { return r.file.Close() }
