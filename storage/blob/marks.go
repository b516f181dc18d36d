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
	"sync"

	"github.com/stowage/stowage/image"
)

// MarksDir is the folder, beside the blobs, of a file for each blob that was found damaged. It is there once one was.
const MarksDir = "damaged"

// maxMark bounds what is read of such a file; a real one has some 70 bytes.
const maxMark = 1 << 10

// Marks is which blobs were found damaged and not mended. A mark holds for as long as the file has the stamp that it
// had then; the zero stamp is that of a file that was missing.
type Marks struct {
	folder *Folder
	dir    string
	tell   func(d image.Digest, mark error) // see OnDamage

	writing sync.Mutex // one mark at a time: several may find the same blob damaged

	mu     sync.Mutex
	stamps map[key]stamp
}

func newMarks(folder *Folder) *Marks {
	return &Marks{folder: folder, dir: filepath.Join(folder.dir, MarksDir), tell: func(image.Digest, error) {},
		stamps: map[key]stamp{}}
}

// OnDamage has f called with each blob that is found damaged, and with why that could not be noted for the next start.
// It is called before anything else is done with the store.
func (m *Marks) OnDamage(f func(d image.Digest, mark error)) { m.tell = f }

// add notes that a blob is damaged, durably. Where the mark cannot be written it holds until the next start.
func (m *Marks) add(d image.Digest, st stamp) {
	m.mu.Lock()
	m.stamps[keyOf(d.Encoded())] = st
	m.mu.Unlock()
	m.tell(d, m.write(d, st))
}

// write writes the mark of a damaged blob, durably.
func (m *Marks) write(d image.Digest, st stamp) error {
	m.writing.Lock()
	defer m.writing.Unlock()
	err := m.folder.makeDir(m.dir)
	if err == nil {
		err = m.folder.replaceFile(filepath.Join(MarksDir, d.Encoded()),
			func(w io.Writer) error { return json.NewEncoder(w).Encode(st) })
	}
	if err == nil {
		err = m.folder.syncDir(m.dir)
	}
	return err
}

// remove forgets that a blob was damaged, whose file is another one now.
func (m *Marks) remove(hexDigits string) {
	m.mu.Lock()
	_, marked := m.stamps[keyOf(hexDigits)]
	delete(m.stamps, keyOf(hexDigits))
	m.mu.Unlock()
	if marked {
		_ = os.Remove(filepath.Join(m.dir, hexDigits)) // a mark that stays is of another file
	}
}

// of reports whether the file of a blob that has the stamp st is marked.
func (m *Marks) of(k key, st stamp) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	was, marked := m.stamps[k]
	return marked && was == st
}

// All lists the blobs that were found damaged and not mended, in the order of their digests.
func (m *Marks) All() []image.Digest {
	m.mu.Lock()
	marked := make(map[image.Digest]stamp, len(m.stamps))
	for k, st := range m.stamps {
		marked[k.digest()] = st
	}
	m.mu.Unlock()
	var all []image.Digest
	for d, st := range marked {
		if m.folder.stampOf(d.Encoded()) == st {
			all = append(all, d)
		}
	}
	slices.Sort(all)
	return all
}

// Has reports whether a blob was found damaged and not mended.
func (m *Marks) Has(d image.Digest) bool {
	name, err := hexOf(d)
	return err == nil && m.of(keyOf(name), m.folder.stampOf(name))
}

// read reads what an earlier process has found damaged.
func (m *Marks) read() error {
	err := eachEntry(context.Background(), m.dir, func(e fs.DirEntry) error {
		d, ok := digestOfName(e.Name(), "")
		if !ok || !e.Type().IsRegular() {
			return nil
		}
		f, err := os.OpenFile(filepath.Join(m.dir, e.Name()), os.O_RDONLY|noFollow, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		var st stamp
		if json.NewDecoder(io.LimitReader(f, maxMark)).Decode(&st) == nil {
			m.stamps[keyOf(d.Encoded())] = st
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failure("read what is damaged", err)
	}
	return nil
}

func damagedBlob(d image.Digest) error {
	return image.Errorf(image.Damaged, "blob %s is damaged on the server's disk", image.ShortDigest(d)).
		Suggest("Pull the image again: that fetches it anew.")
}
