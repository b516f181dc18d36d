package storage

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/stowage/stowage/image"
)

// Bounds of the kept documents. An ordinary manifest has 2 to 10 kB.
const (
	keptDocument = 256 << 10              // of one; larger ones are not kept
	keptBytes    = 256 << 20              // of all, their rows included
	keptPending  = 16 << 20               // of those that wait to be written; more are not kept
	keptDelay    = 200 * time.Millisecond // how long a document waits for others to be written with it
	keptDropped  = 64                     // the longest unused that go in one transaction
	keptStale    = 24 * time.Hour         // a use is noted when the last one that was is so old
)

// documents writes what KeepDocument is given, off the path of whoever waits: what comes together is written
// in one transaction. Safe for concurrent use.
type documents struct {
	store *Store
	kick  chan struct{}
	most  int64 // bytes that are kept in all

	mu      sync.Mutex
	pending map[image.Digest]keptRow // not written yet
	bytes   int                      // of pending
	used    map[image.Digest]int64   // when those were used whose row says otherwise
	wrong   []image.Digest           // whose rows do not hold what they say
}

// keptRow is one kept document.
type keptRow struct {
	mediaType string
	raw       []byte
	read      int64
}

func newDocuments(s *Store) *documents {
	return &documents{store: s, kick: make(chan struct{}, 1), most: keptBytes, pending: map[image.Digest]keptRow{}, used: map[image.Digest]int64{}}
}

// KeptDocument gives an index or a manifest that is stored, or that KeepDocument kept; NotFound else. Its
// bytes have been proved against d.
func (s *Store) KeptDocument(ctx context.Context, d image.Digest) (image.Document, error) {
	doc, err := s.Document(ctx, d)
	if kind := image.KindOf(err); err == nil || kind != image.NotFound && kind != image.Corrupt && kind != image.Damaged {
		return doc, err
	}
	return s.documents.get(ctx, d)
}

// KeepDocument remembers an index or a manifest of at most 256 KiB that was read from a registry, so that it
// need not be read again; nothing happens with a larger one. It returns at once: the document is written a
// little later, and is lost with a server that is killed before. Corrupt where the bytes are not those of
// the digest.
func (s *Store) KeepDocument(_ context.Context, doc image.Document) error {
	if image.DigestOf(doc.Raw) != doc.Digest {
		return image.Errorf(image.Corrupt, "manifest %s has other bytes than its digest says", doc.Digest)
	}
	if len(doc.Raw) <= keptDocument {
		s.documents.put(doc)
	}
	return nil
}

// KeptAttestation gives the manifest of an attestation that KeepAttestation kept; NotFound else. Its bytes have been
// proved against d.
func (s *Store) KeptAttestation(ctx context.Context, d image.Digest) (image.Attestation, error) {
	row, err := s.documents.row(ctx, d)
	if err != nil {
		return image.Attestation{}, err
	}
	a, err := image.ParseAttestation(row.mediaType, row.raw)
	if err != nil || a.Digest != d { // an image is kept so, or the row does not hold what it says
		if image.DigestOf(row.raw) != d {
			s.documents.note(func() { s.documents.wrong = append(s.documents.wrong, d) })
		}
		return image.Attestation{}, notFound(sql.ErrNoRows, "no attestation %s is stored", d)
	}
	return a, nil
}

// KeepAttestation remembers the manifest of an attestation as KeepDocument does.
func (s *Store) KeepAttestation(ctx context.Context, a image.Attestation) error {
	return s.KeepDocument(ctx, image.Document{MediaType: a.MediaType, Digest: a.Digest, Raw: a.Raw})
}

func (k *documents) put(doc image.Document) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.pending[doc.Digest]; ok || k.bytes+len(doc.Raw) > keptPending {
		return
	}
	k.pending[doc.Digest] = keptRow{mediaType: doc.MediaType, raw: doc.Raw, read: millis(k.store.now())}
	k.bytes += len(doc.Raw)
	k.wake()
}

func (k *documents) wake() {
	select {
	case k.kick <- struct{}{}:
	default:
	}
}

// row gives what is kept under a digest.
func (k *documents) row(ctx context.Context, d image.Digest) (keptRow, error) {
	k.mu.Lock()
	row, waiting := k.pending[d]
	k.mu.Unlock()
	if waiting {
		return row, nil
	}
	var used int64
	err := k.store.read.QueryRowContext(ctx, `SELECT media_type, raw, used_at FROM kept_documents WHERE digest = ?`, d).Scan(&row.mediaType, &row.raw, &used)
	if err != nil {
		return row, notFound(err, "no index or manifest %s is stored", d)
	}
	if now := millis(k.store.now()); now-used > keptStale.Milliseconds() {
		k.note(func() { k.used[d] = now })
	}
	return row, nil
}

func (k *documents) get(ctx context.Context, d image.Digest) (image.Document, error) {
	row, err := k.row(ctx, d)
	if err != nil {
		return image.Document{}, err
	}
	doc, err := image.ParseDocument(row.mediaType, row.raw)
	if err != nil || doc.Digest != d {
		k.note(func() { k.wrong = append(k.wrong, d) })
		return image.Document{}, notFound(sql.ErrNoRows, "no index or manifest %s is stored", d)
	}
	return doc, nil
}

// note remembers something to be written.
func (k *documents) note(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
	k.wake()
}

// run writes what comes until ctx ends.
func (k *documents) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			k.write(context.WithoutCancel(ctx))
			return
		case <-k.kick:
		}
		wait := time.NewTimer(keptDelay)
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
		k.write(context.WithoutCancel(ctx))
		k.trim(ctx)
	}
}

// write puts what waits into the database. A document that was stored meanwhile is not kept beside. What
// fails is lost: it will be read from its registry again. So is what the disk has no room for beside its reserve, which
// is for what has to be written.
func (k *documents) write(ctx context.Context) {
	k.mu.Lock()
	pending, used, wrong := maps.Clone(k.pending), k.used, k.wrong
	k.used, k.wrong = map[image.Digest]int64{}, nil
	k.mu.Unlock()
	if len(pending)+len(used)+len(wrong) == 0 {
		return
	}
	keeping := pending
	if room, err := k.store.blobs.Volume.Room(); err == nil && room.Low() {
		keeping = nil
	}
	err := k.store.note(ctx, func(tx *sql.Tx) error {
		for _, d := range wrong {
			if _, err := tx.ExecContext(ctx, `DELETE FROM kept_documents WHERE digest = ?`, d); err != nil {
				return err
			}
		}
		for d, at := range used {
			if _, err := tx.ExecContext(ctx, `UPDATE kept_documents SET used_at = ? WHERE digest = ?`, at, d); err != nil {
				return err
			}
		}
		for d, row := range keeping {
			_, err := tx.ExecContext(ctx, `INSERT INTO kept_documents (digest, media_type, raw, read_at, used_at) SELECT ?1, ?2, ?3, ?4, ?4
				WHERE NOT EXISTS (SELECT 1 FROM manifests WHERE digest = ?1) AND NOT EXISTS (SELECT 1 FROM attestations WHERE digest = ?1) ON CONFLICT DO NOTHING`, d, row.mediaType, row.raw, row.read)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		k.store.log.Warn("keep manifests that were read", "error", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	// Only now, so that what is kept is found at every moment; what was added meanwhile is still to be written.
	for d, row := range pending {
		delete(k.pending, d)
		k.bytes -= len(row.raw)
	}
}

// trim removes the longest unused documents while all together take too much, a few at a time so that
// nobody waits long for the one writer.
func (k *documents) trim(ctx context.Context) {
	for {
		var bytes int64
		err := k.store.read.QueryRowContext(ctx, `SELECT bytes FROM kept_total`).Scan(&bytes)
		if err == nil && bytes <= k.most {
			return
		}
		if err == nil {
			err = k.store.note(ctx, func(tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, `DELETE FROM kept_documents WHERE rowid IN (SELECT rowid FROM kept_documents ORDER BY used_at LIMIT ?)`, keptDropped)
				return err
			})
		}
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				k.store.log.Warn("trim the kept manifests", "error", err)
			}
			return
		}
	}
}
