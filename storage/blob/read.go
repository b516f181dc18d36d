package blob

import (
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/stowage/stowage/image"
)

// Has reports whether the blob is stored: verified, whole, durable, not known to be damaged and of exactly size bytes,
// or of any size where size is negative. It does not read the bytes.
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
	info, err := os.Lstat(s.Folder.blobPath(hex))
	if err != nil || !info.Mode().IsRegular() || size >= 0 && info.Size() != size {
		return false
	}
	_, damaged := s.proofs.of(keyOf(hex), stampOf(info))
	return !damaged
}

// Size returns the bytes of a stored blob; NotFound where there is none.
func (s *Store) Size(d image.Digest) (int64, error) {
	hex, err := hexOf(d)
	if err != nil {
		return 0, err
	}
	info, err := os.Lstat(s.Folder.blobPath(hex))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return 0, notStored(d)
	}
	if err != nil {
		return 0, failure("look up blob "+string(d), err)
	}
	return info.Size(), nil
}

// Open opens a stored blob for reading, proved or not; NotFound where there is none, Damaged where it is known to be.
// What it returns stays readable when the blob is removed meanwhile. The caller closes it.
func (s *Store) Open(d image.Digest) (Reader, error) {
	f, st, _, err := s.open(d)
	if err != nil {
		return nil, err
	}
	return file{f, st.Size}, nil
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
		return nil, s.proofs.unread(d, st, err)
	}
	sum := sha256.New()
	sum.Write(raw)
	if err := s.proofs.judge(d, st, sum); err != nil {
		return nil, err
	}
	return raw, nil
}

// Remove removes a blob and returns the bytes freed; removing what is not there frees 0. It does not wait for
// the disk: after a crash the blob may be back, whole.
func (s *Store) Remove(d image.Digest) (freed int64, err error) {
	hex, err := hexOf(d)
	if err != nil {
		return 0, err
	}
	if freed, err = removeFile(s.Folder.blobPath(hex), "remove blob "+string(d)); err == nil {
		s.Marks.remove(hex)
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
