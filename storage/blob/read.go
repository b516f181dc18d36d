package blob

import (
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/stowage/stowage/image"
)

// noFollow keeps a link that somebody put into the data folder from leading out of it.
const noFollow = syscall.O_NOFOLLOW

// Has tells whether the blob is stored: verified, whole, durable, not known to be damaged and of exactly size bytes, or
// of any size where size is negative. It does not read the bytes.
func (s *Store) Has(d image.Digest, size int64) bool {
	hex, err := hexOf(d)
	if err != nil {
		return false
	}
	s.mu.Lock()
	_, unsynced := s.unsynced[hex]
	s.mu.Unlock()
	if unsynced {
		return false
	}
	info, err := os.Lstat(s.blobPath(hex))
	if err != nil || !info.Mode().IsRegular() || size >= 0 && info.Size() != size {
		return false
	}
	_, damaged := s.proofs.of(keyOf(hex), stampOf(info))
	return !damaged
}

// Size gives the bytes of a stored blob; NotFound where there is none.
func (s *Store) Size(d image.Digest) (int64, error) {
	hex, err := hexOf(d)
	if err != nil {
		return 0, err
	}
	info, err := os.Lstat(s.blobPath(hex))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return 0, notStored(d)
	}
	if err != nil {
		return 0, failure("look up blob "+string(d), err)
	}
	return info.Size(), nil
}

// Open opens a stored blob for reading, proved or not; NotFound where there is none, Damaged where it is known to be. The
// file stays readable when the blob is removed meanwhile. The caller closes it.
func (s *Store) Open(d image.Digest) (*os.File, error) {
	f, _, _, err := s.open(d)
	return f, err
}

// OpenPartial opens what a Writer has written of a blob so far, for reading; the blob itself where it has been committed
// meanwhile. NotFound where there is neither. The caller closes it.
func (s *Store) OpenPartial(d image.Digest) (*os.File, error) {
	hex, err := hexOf(d)
	if err != nil {
		return nil, err
	}
	// In this order, because a commit moves the one to the other.
	f, _, err := openFile(d, s.partialPath(hex))
	if image.KindOf(err) == image.NotFound {
		return s.Open(d)
	}
	return f, err
}

func openFile(d image.Digest, path string) (*os.File, fs.FileInfo, error) {
	// Non-blocking, so that opening something that is no file (a named pipe) does not wait for ever.
	f, err := os.OpenFile(path, os.O_RDONLY|noFollow|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP) {
		return nil, nil, notStored(d)
	}
	if err != nil {
		return nil, nil, failure("open blob "+string(d), err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, nil, failure("open blob "+string(d), errors.Join(err, f.Close()))
	}
	if !info.Mode().IsRegular() {
		_ = f.Close() // nothing was read
		return nil, nil, notStored(d)
	}
	return f, info, nil
}

// ReadAll reads a small blob whole and proves its digest again: NotFound, TooLarge over limit bytes,
// Damaged where the disk does not give back what was stored, which is remembered.
func (s *Store) ReadAll(d image.Digest, limit int64) ([]byte, error) {
	f, st, _, err := s.open(d)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st.Size > limit {
		return nil, image.Errorf(image.TooLarge, "blob %s has %d bytes, at most %d are read", d, st.Size, limit)
	}
	raw := make([]byte, st.Size)
	if _, err := io.ReadFull(f, raw); err != nil {
		return nil, s.unread(d, st, err)
	}
	sum := sha256.New()
	sum.Write(raw)
	if err := s.judge(d, st, sum); err != nil {
		return nil, err
	}
	return raw, nil
}

// Remove removes a blob and gives the bytes freed; removing what is not there frees 0. It does not wait for
// the disk: after a crash the blob may be back, whole.
func (s *Store) Remove(d image.Digest) (freed int64, err error) {
	hex, err := hexOf(d)
	if err != nil {
		return 0, err
	}
	if freed, err = removeFile(s.blobPath(hex), "remove blob "+string(d)); err == nil {
		s.unmark(hex)
	}
	return freed, err
}

// removeFile removes a regular file and leaves anything else alone.
func removeFile(path, operation string) (freed int64, err error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return 0, nil
	}
	if err == nil {
		err = os.Remove(path)
	}
	if errors.Is(err, fs.ErrNotExist) { // somebody else was faster, and frees it
		return 0, nil
	}
	if err != nil {
		return 0, failure(operation, err)
	}
	return info.Size(), nil
}

func notStored(d image.Digest) error {
	return image.Errorf(image.NotFound, "blob %s is not stored", d)
}
