package blob

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/stowage/stowage/image"
)

// MarksDir is the folder, beside the blobs, of a file for each blob that was found damaged. It is there once one was.
const MarksDir = "damaged"

// maxMark bounds what is read of such a file; a real one has some 70 bytes.
const maxMark = 1 << 10

// found notes that a blob is damaged, durably, and gives that in words. Where the mark cannot be written it holds until the
// next start.
func (s *Store) found(d image.Digest, st stamp) error {
	s.proofs.mu.Lock()
	delete(s.proofs.proved, keyOf(d.Encoded()))
	s.proofs.damaged[keyOf(d.Encoded())] = st
	s.proofs.mu.Unlock()
	s.onDamage(d, s.mark(d, st))
	return damagedBlob(d)
}

// mark writes the mark of a damaged blob, durably.
func (s *Store) mark(d image.Digest, st stamp) error {
	s.marking.Lock()
	defer s.marking.Unlock()
	err := s.makeDir(s.marks)
	if err == nil {
		err = s.replaceFile(filepath.Join(MarksDir, d.Encoded()), func(w io.Writer) error { return json.NewEncoder(w).Encode(st) })
	}
	if err == nil {
		err = s.syncDir(s.marks)
	}
	return err
}

// Damage notes that the file of a blob is not what it should be, or not there, as whoever wanted it has seen.
func (s *Store) Damage(d image.Digest) error {
	name, err := hexOf(d)
	if err != nil {
		return err
	}
	return s.found(d, s.isThere(name))
}

// OnDamage has f called with each blob that is found damaged, and with why that could not be noted for the next start. It
// is called before anything else is done with the store.
func (s *Store) OnDamage(f func(d image.Digest, mark error)) { s.onDamage = f }

// unmark forgets that a blob was damaged, whose file is another one now.
func (s *Store) unmark(hexDigits string) {
	s.proofs.mu.Lock()
	_, marked := s.proofs.damaged[keyOf(hexDigits)]
	delete(s.proofs.damaged, keyOf(hexDigits))
	s.proofs.mu.Unlock()
	if marked {
		_ = os.Remove(filepath.Join(s.marks, hexDigits)) // a mark that stays is of another file
	}
}

// Damaged lists the blobs that were found damaged and not mended, in the order of their digests.
func (s *Store) Damaged() []image.Digest {
	s.proofs.mu.Lock()
	marked := make(map[image.Digest]stamp, len(s.proofs.damaged))
	for k, st := range s.proofs.damaged {
		marked[k.digest()] = st
	}
	s.proofs.mu.Unlock()
	var all []image.Digest
	for d, st := range marked {
		if s.isThere(d.Encoded()) == st {
			all = append(all, d)
		}
	}
	slices.Sort(all)
	return all
}

// IsDamaged reports whether a blob was found damaged and not mended.
func (s *Store) IsDamaged(d image.Digest) bool {
	name, err := hexOf(d)
	if err != nil {
		return false
	}
	s.proofs.mu.Lock()
	st, marked := s.proofs.damaged[keyOf(name)]
	s.proofs.mu.Unlock()
	return marked && s.isThere(name) == st
}

// readMarks reads what an earlier process has found damaged.
func (s *Store) readMarks() error {
	err := eachEntry(context.Background(), s.marks, func(e fs.DirEntry) error {
		d, ok := digestOfName(e.Name(), "")
		if !ok || !e.Type().IsRegular() {
			return nil
		}
		f, err := os.OpenFile(filepath.Join(s.marks, e.Name()), os.O_RDONLY|noFollow, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		var st stamp
		if json.NewDecoder(io.LimitReader(f, maxMark)).Decode(&st) == nil {
			s.proofs.damaged[keyOf(d.Encoded())] = st
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failure("read what is damaged", err)
	}
	return nil
}
