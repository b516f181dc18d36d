package storage

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/blob"
	"github.com/stowage/stowage/storage/database"
)

// cacheDir is the folder, beside the blobs, of the documents that are kept. All of it may go at any time.
const cacheDir = "cache"

// Bounds of the kept documents. An ordinary manifest has 2 to 10 kB.
const (
	keptDocument = 256 << 10      // of one; larger ones are not kept
	keptBytes    = 256 << 20      // of all
	keptStale    = 24 * time.Hour // a use is noted when the last one that was is so old
)

// documents keeps indexes and manifests that were read and are not stored: a file each, named by its digest, of the
// media type in a line of its own and the bytes. When it was used last is the file's time. Safe for concurrent use.
type documents struct {
	dir   string
	now   func() time.Time
	blobs *blob.Store

	mu       sync.Mutex // of those who write or remove; readers prove what they read
	measured bool
	bytes    int64 // of all files, once they are measured
	most     int64
}

func newDocuments(dir string, blobs *blob.Store, now func() time.Time) (*documents, error) {
	k := &documents{dir: filepath.Join(dir, cacheDir), now: now, blobs: blobs, most: keptBytes}
	if err := os.Mkdir(k.dir, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, blob.Unusable(dir, "make the folder for documents that are kept", err)
	}
	return k, nil
}

// warm measures the folder before somebody waits for it: there can be 100,000 files.
func (k *documents) warm() {
	k.mu.Lock()
	defer k.mu.Unlock()
	_ = k.measure() // whoever keeps the next document is told
}

// measure adds up, once, what earlier processes kept. k.mu is held.
func (k *documents) measure() error {
	if k.measured {
		return nil
	}
	files, err := k.files()
	if err != nil {
		return err
	}
	for _, f := range files {
		k.bytes += f.Size()
	}
	k.measured = true
	return nil
}

func (k *documents) path(d image.Digest) string { return filepath.Join(k.dir, d.Encoded()) }

// files lists the files by when they were used last.
func (k *documents) files() (files []fs.FileInfo, err error) {
	entries, err := os.ReadDir(k.dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() { // else it is gone
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	return files, err
}

// put keeps a document. What fails is lost: it will be read from its registry again. So is what the disk has no room
// for beside its reserve, which is for what has to be written.
func (k *documents) put(mediaType string, d image.Digest, raw []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, err := os.Lstat(k.path(d)); err == nil || strings.Contains(mediaType, "\n") {
		return nil
	}
	if room, err := k.blobs.Volume.Room(); err != nil || room.Low() {
		return err
	}
	if err := k.measure(); err != nil {
		return err
	}
	content := slices.Concat([]byte(mediaType+"\n"), raw)
	// Its digest tells whether it came to the disk whole.
	if err := os.WriteFile(k.path(d), content, 0o600); err != nil {
		return errors.Join(err, ignoreGone(os.Remove(k.path(d))))
	}
	now := k.now()
	k.bytes += int64(len(content))
	return cmp.Or(os.Chtimes(k.path(d), now, now), k.trim())
}

// trim removes the longest unused documents where all together take too much, and some more, so that it has not to be
// done for each. k.mu is held.
func (k *documents) trim() error {
	if k.bytes <= k.most {
		return nil
	}
	files, err := k.files()
	for _, f := range files {
		if k.bytes <= k.most-k.most/8 {
			break
		}
		k.remove(f.Name())
	}
	return err
}

// remove removes a file. k.mu is held, and the folder measured.
func (k *documents) remove(name string) {
	info, err := os.Lstat(filepath.Join(k.dir, name))
	if err == nil && os.Remove(filepath.Join(k.dir, name)) == nil {
		k.bytes -= info.Size()
	}
}

// get returns what is kept under a digest, with its bytes proved; NotFound where there is nothing.
func (k *documents) get(d image.Digest) (mediaType string, raw []byte, err error) {
	mediaType, raw, err = k.read(d)
	if errors.Is(err, errSpoilt) { // or it is being written: whoever does that comes first
		k.mu.Lock()
		defer k.mu.Unlock()
		if mediaType, raw, err = k.read(d); errors.Is(err, errSpoilt) && k.measure() == nil {
			k.remove(d.Encoded())
		}
	}
	if err == nil {
		k.used(d)
		return mediaType, raw, nil
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errSpoilt) {
		err = sql.ErrNoRows
	}
	return "", nil, database.NotFound(err, "no index or manifest %s is stored", d)
}

// errSpoilt says that a file does not have the bytes of its digest.
var errSpoilt = errors.New("the file has other bytes than its digest says")

// read returns what the file of a digest has, proved.
func (k *documents) read(d image.Digest) (mediaType string, raw []byte, err error) {
	content, err := os.ReadFile(k.path(d))
	if err != nil {
		return "", nil, err
	}
	line, raw, _ := bytes.Cut(content, []byte("\n"))
	if image.DigestOf(raw) != d {
		return "", nil, errSpoilt
	}
	return string(line), raw, nil
}

// used notes that a document was used. Where that fails it goes earlier.
func (k *documents) used(d image.Digest) {
	now := k.now()
	if info, err := os.Lstat(k.path(d)); err == nil && now.Sub(info.ModTime()) > keptStale {
		_ = os.Chtimes(k.path(d), now, now)
	}
}

// KeptDocument returns an index or a manifest that is stored, or that KeepDocument kept; NotFound else. Its
// bytes have been proved against d.
func (s *Images) KeptDocument(ctx context.Context, d image.Digest) (image.Document, error) {
	doc, err := s.Document(ctx, d)
	if kind := image.KindOf(err); err == nil || kind != image.NotFound && kind != image.Corrupt && kind != image.Damaged {
		return doc, err
	}
	mediaType, raw, err := s.kept.get(d)
	if err != nil {
		return image.Document{}, err
	}
	if doc, err = image.ParseDocument(mediaType, raw); err != nil {
		return image.Document{}, database.NotFound(sql.ErrNoRows, "no index or manifest %s is stored", d)
	}
	return doc, nil
}

// KeepDocument remembers an index or a manifest of at most 256 KiB that was read from a registry, so that it need not
// be read again; nothing happens with a larger one, or with one that is stored. Corrupt where the bytes are not those
// of the digest.
func (s *Images) KeepDocument(ctx context.Context, doc image.Document) error {
	if image.DigestOf(doc.Raw) != doc.Digest {
		return image.Errorf(image.Corrupt, "manifest %s has other bytes than its digest says", doc.Digest)
	}
	if len(doc.Raw) > keptDocument {
		return nil
	}
	var stored bool
	err := s.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM manifests WHERE digest = ?1)
		OR EXISTS (SELECT 1 FROM attestations WHERE digest = ?1)`, doc.Digest).Scan(&stored)
	if err != nil || stored {
		return err
	}
	return s.kept.put(doc.MediaType, doc.Digest, doc.Raw)
}

// KeptAttestation returns the manifest of an attestation that KeepAttestation kept; NotFound else. Its bytes have been
// proved against d.
func (s *Images) KeptAttestation(_ context.Context, d image.Digest) (image.Attestation, error) {
	mediaType, raw, err := s.kept.get(d)
	if err != nil {
		return image.Attestation{}, err
	}
	a, err := image.ParseAttestation(mediaType, raw)
	if err != nil { // an image is kept so
		return image.Attestation{}, database.NotFound(sql.ErrNoRows, "no attestation %s is stored", d)
	}
	return a, nil
}

// KeepAttestation remembers the manifest of an attestation as KeepDocument does.
func (s *Images) KeepAttestation(ctx context.Context, a image.Attestation) error {
	return s.KeepDocument(ctx, image.Document{MediaType: a.MediaType, Digest: a.Digest, Raw: a.Raw})
}
