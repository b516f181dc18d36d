package blob

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"

	"github.com/stowage/stowage/image"
)

// rehashBuffer bounds the memory for reading back what an earlier attempt left.
const rehashBuffer = 256 << 10

// Writer receives one blob into a partial file, which outlives the Writer and the process until it is
// committed or found wrong. It is used by one goroutine. After an error of kind Corrupt what was fetched is
// gone: Offset is 0, and only Restart or Close make sense.
type Writer struct {
	store  *Store
	hex    string // of the digest that the bytes must have
	size   int64  // that they must have
	path   string
	file   *os.File // nil after Corrupt and when done
	done   bool     // committed or closed
	hash   hash.Hash
	offset int64
	flush  writeback
}

// Writer opens the partial of a blob of size bytes, where an earlier attempt ended; its bytes are hashed
// again, which takes as long as reading them. A partial with more bytes than size is discarded. A second
// Writer for a digest is refused (Conflict) until the first is committed or closed. Where nobody has reserved
// room for the blob, the Writer does; DiskFull where there is none.
func (p *Partials) Writer(d image.Digest, size int64) (*Writer, error) {
	name, err := hexOf(d)
	if err != nil {
		return nil, err
	}
	if size < 0 {
		return nil, image.Errorf(image.Invalid, "blob %s has a negative size: %d", d, size)
	}
	if size > image.MaxBlobSize {
		return nil, image.Errorf(image.TooLarge, "blob %s is too large: %d bytes, at most %d are stored", d, size,
			int64(image.MaxBlobSize))
	}
	if err := p.claim(name); err != nil {
		return nil, err
	}
	s := p.store
	if err := s.Volume.claim(map[string]*claim{name: {size: size, there: min(p.Size(d), size)}}, nil); err != nil {
		p.release(name)
		return nil, err
	}
	w := &Writer{store: s, hex: name, size: size, path: s.Folder.partialPath(name), hash: sha256.New()}
	if err := w.open(); err != nil {
		if w.file != nil {
			_ = w.file.Close() // the first error says more
		}
		w.over()
		return nil, failure("open the partial of blob sha256:"+name, err)
	}
	s.Volume.at(name, w.offset)
	return w, nil
}

// over gives up the partial, and the room that is set aside for what is missing of it.
func (w *Writer) over() {
	w.store.Volume.letGo(w.hex)
	w.store.Partials.release(w.hex)
}

// open continues the partial that is there, or begins one.
func (w *Writer) open() error {
	info, err := os.Lstat(w.path)
	if errors.Is(err, fs.ErrNotExist) {
		return w.create()
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() > w.size {
		if err := os.Remove(w.path); err != nil {
			return err
		}
		return w.create()
	}
	// A crash between making it read-only and renaming it leaves a partial that cannot be opened.
	if info.Mode().Perm() != partialMode {
		if err := os.Chmod(w.path, partialMode); err != nil {
			return err
		}
	}
	if w.file, err = os.OpenFile(w.path, os.O_RDWR|noFollow, 0); err != nil {
		return err
	}
	// Only the bytes that are counted are kept: the next one is written where the reading ended.
	w.offset, err = io.CopyBuffer(w.hash, onlyReader{io.LimitReader(w.file, w.size)}, make([]byte, rehashBuffer))
	if err != nil {
		// A disk that does not give the bytes back must not stand in the way of fetching them again.
		return errors.Join(w.discard(), w.create())
	}
	w.flush.start(w.offset)
	return nil
}

// onlyReader hides what would make io.CopyBuffer ignore the buffer.
type onlyReader struct{ io.Reader }

// create begins an empty partial.
func (w *Writer) create() (err error) {
	w.hash.Reset()
	w.offset = 0
	w.flush.start(0)
	w.file, err = os.OpenFile(w.path, os.O_RDWR|os.O_CREATE|os.O_EXCL|noFollow, partialMode)
	return err
}

// discard removes the partial. It unlinks instead of truncating, so that no other name of the file can
// lose its bytes.
func (w *Writer) discard() error {
	if w.file != nil {
		_ = w.file.Close() // nothing of it is kept
		w.file = nil
	}
	w.hash.Reset()
	w.offset = 0
	err := ignoreMissing(os.Remove(w.path))
	w.store.Volume.at(w.hex, 0)
	return err
}

// corrupt discards the partial and says why.
func (w *Writer) corrupt(format string, args ...any) error {
	found := image.Errorf(image.Corrupt, format, args...)
	if err := w.discard(); err != nil {
		return found.Because(err)
	}
	return found
}

// Write adds bytes at Offset. Bytes beyond the blob's size are refused with Corrupt. After DiskFull or
// Internal, Offset says what was written, and the rest may be tried again. DiskFull is also the answer where
// less would stay free on the volume than is to.
func (w *Writer) Write(p []byte) (int, error) {
	if w.file == nil {
		return 0, w.unusable("write")
	}
	if int64(len(p)) > w.size-w.offset {
		return 0, w.corrupt("blob sha256:%s has more than the %d bytes that were announced", w.hex, w.size)
	}
	if err := w.store.Volume.mayWrite(len(p)); err != nil {
		return 0, err
	}
	n, err := w.store.Folder.sys.write(w.file, p)
	w.hash.Write(p[:n])
	w.offset += int64(n)
	w.store.Volume.at(w.hex, w.offset)
	if err != nil {
		return n, failure("write blob sha256:"+w.hex, err)
	}
	w.flush.wrote(w.file, w.offset)
	return n, nil
}

// Offset returns the bytes that are in the partial and counted in the digest.
func (w *Writer) Offset() int64 { return w.offset }

// Restart forgets what is there and begins at 0.
func (w *Writer) Restart() error {
	if w.done {
		return w.unusable("restart")
	}
	err := w.discard()
	if err == nil {
		err = w.create()
	}
	if err != nil {
		return failure("restart blob sha256:"+w.hex, err)
	}
	return nil
}

// Commit proves size and digest (else Corrupt) and makes the blob durable, under its own name and
// read-only. After success the Writer is done. When the disk fails to take the bytes they are discarded,
// because nothing can be said about them any more.
func (w *Writer) Commit() error {
	if w.file == nil {
		return w.unusable("commit")
	}
	if w.offset != w.size {
		return w.corrupt("blob sha256:%s ended after %d of %d bytes", w.hex, w.offset, w.size)
	}
	if got := hex.EncodeToString(w.hash.Sum(nil)); got != w.hex {
		return w.corrupt("blob sha256:%s is not what was received: the bytes have the digest sha256:%s", w.hex, got)
	}
	operation := "commit blob sha256:" + w.hex
	if err := w.store.Folder.settle(w.file); err != nil {
		return failure(operation, errors.Join(err, w.discard()))
	}
	w.file = nil
	if err := w.store.publish(w.path, w.hex); err != nil {
		return failure(operation, err)
	}
	w.done = true
	w.over()
	return nil
}

// Close gives the writer up. What was written stays for the next Writer unless it was committed. Closing
// twice, or after Commit, does nothing.
func (w *Writer) Close() error {
	if w.done {
		return nil
	}
	w.done = true
	defer w.over()
	if w.file == nil {
		return nil
	}
	var err error
	if w.offset == 0 {
		err = w.discard()
	} else {
		err = w.file.Close()
		w.file = nil
	}
	if err != nil {
		return failure("close the partial of blob sha256:"+w.hex, err)
	}
	return nil
}

// unusable is the answer to a call that comes too late. It is a mistake of the program, not of a person.
func (w *Writer) unusable(operation string) error {
	return image.Errorf(image.Internal, "%s blob sha256:%s: %w", operation, w.hex, fs.ErrClosed)
}

// publish gives a settled file, which was proved while it was written, its name under blobs, durably. It takes the
// place of one that was damaged. Until the name is durable, Has denies it.
func (s *Store) publish(path, hex string) error {
	s.setUnsynced(hex, true)
	if err := os.Rename(path, s.Folder.blobPath(hex)); err != nil {
		s.setUnsynced(hex, false)
		return err
	}
	if err := s.commits.Sync(); err != nil {
		return err
	}
	s.proofs.written(hex)
	s.setUnsynced(hex, false)
	return nil
}

func (s *Store) setUnsynced(hex string, unsynced bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if unsynced {
		s.unsynced[hex] = struct{}{}
	} else {
		delete(s.unsynced, hex)
	}
}
