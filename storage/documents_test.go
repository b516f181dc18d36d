package storage

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

// keeping is a store whose clock the test sets.
type keeping struct {
	*Store
	t   *testing.T
	dir string
	at  atomic.Int64 // milliseconds
}

func newKeeping(t *testing.T) *keeping {
	t.Helper()
	k := &keeping{t: t, dir: t.TempDir()}
	k.at.Store(time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC).UnixMilli())
	k.open()
	t.Cleanup(func() { k.close() })
	return k
}

func (k *keeping) open() {
	k.t.Helper()
	var err error
	if k.Store, err = Open(context.Background(), Options{Dir: k.dir, Now: func() time.Time { return database.FromMillis(k.at.Load()) }}); err != nil {
		k.t.Fatal(err)
	}
}

func (k *keeping) close() {
	k.t.Helper()
	if err := k.Close(); err != nil {
		k.t.Error(err)
	}
}

// restart writes what waits, as a server does that stops, and begins anew.
func (k *keeping) restart() {
	k.t.Helper()
	k.close()
	k.open()
}

// manifest makes a manifest of about size bytes.
func (k *keeping) manifest(nth, size int) image.Document {
	k.t.Helper()
	config := fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":2}`, image.DigestOf([]byte("{}")))
	raw := fmt.Appendf(nil, `{"schemaVersion":2,"config":%s,"layers":[],"annotations":{"n":"%d","filler":"%s"}}`, config, nth, bytes.Repeat([]byte("x"), size))
	doc, err := image.ParseDocument("application/vnd.oci.image.manifest.v1+json", raw)
	if err != nil {
		k.t.Fatal(err)
	}
	return doc
}

func (k *keeping) keep(doc image.Document) {
	k.t.Helper()
	if err := k.Images.KeepDocument(k.t.Context(), doc); err != nil {
		k.t.Fatal(err)
	}
}

func (k *keeping) has(doc image.Document) bool {
	k.t.Helper()
	got, err := k.Images.KeptDocument(k.t.Context(), doc.Digest)
	if err != nil {
		if image.KindOf(err) != image.NotFound {
			k.t.Fatal(err)
		}
		return false
	}
	if got.Digest != doc.Digest || got.MediaType != doc.MediaType || !bytes.Equal(got.Raw, doc.Raw) || got.Manifest == nil {
		k.t.Fatalf("kept as %+v", got)
	}
	return true
}

// files counts what is in the folder, and its bytes.
func (k *keeping) files() (n int, sum int64) {
	k.t.Helper()
	files, err := k.Images.kept.files()
	if err != nil {
		k.t.Fatal(err)
	}
	for _, f := range files {
		sum += f.Size()
	}
	return len(files), sum
}

// spoil puts other bytes in the place of a document.
func (k *keeping) spoil(d image.Digest, raw []byte) {
	k.t.Helper()
	if err := os.WriteFile(k.Images.kept.path(d), append([]byte("a/b\n"), raw...), 0o600); err != nil {
		k.t.Fatal(err)
	}
}

func TestDocumentIsKeptFromTheMomentItIsGivenAndOverARestart(t *testing.T) {
	k := newKeeping(t)
	doc := k.manifest(1, 5000)
	if k.has(doc) {
		t.Fatal("found before it was kept")
	}
	k.keep(doc)
	if !k.has(doc) {
		t.Error("not found at once")
	}
	k.restart()
	if !k.has(doc) {
		t.Error("not found after a restart")
	}
}

func TestManifestsOfAttestationsAreKeptToo(t *testing.T) {
	k := newKeeping(t)
	raw := fmt.Appendf(nil, `{"config":{"digest":%q,"size":2},"layers":[{"mediaType":"application/vnd.in-toto+json","digest":%q,"size":9}]}`, image.DigestOf([]byte("{}")), image.DigestOf([]byte("sbom")))
	about, err := image.ParseAttestation("", raw)
	if err != nil {
		t.Fatal(err)
	}
	has := func(when string, want bool) {
		t.Helper()
		got, err := k.Images.KeptAttestation(t.Context(), about.Digest)
		if want && (err != nil || !bytes.Equal(got.Raw, raw) || got.MediaType != about.MediaType || len(got.Statements) != 1) || !want && image.KindOf(err) != image.NotFound {
			t.Errorf("%s: %+v, %v", when, got, err)
		}
	}
	has("before it was kept", false)
	if err := k.Images.KeepAttestation(t.Context(), about); err != nil {
		t.Fatal(err)
	}
	has("at once", true)
	k.restart()
	has("after a restart", true)
	index, err := image.ParseDocument("", []byte(`{"manifests":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	k.keep(index)
	if _, err := k.Images.KeptAttestation(t.Context(), index.Digest); image.KindOf(err) != image.NotFound {
		t.Errorf("an index: %v", err)
	}
	k.restart()
	if _, err := k.Images.KeptDocument(t.Context(), index.Digest); err != nil {
		t.Errorf("asking for an attestation lost an index: %v", err)
	}
	k.spoil(about.Digest, []byte("{}"))
	has("spoiled", false)
	if err := k.Images.KeepAttestation(t.Context(), about); err != nil {
		t.Fatal(err)
	}
	k.restart()
	has("kept anew", true)
}

func TestLargeDocumentIsNotKept(t *testing.T) {
	k := newKeeping(t)
	large := k.manifest(1, keptDocument)
	k.keep(large)
	if k.has(large) {
		t.Error("kept")
	}
}

func TestDocumentWithAnotherDigestIsRefused(t *testing.T) {
	k := newKeeping(t)
	doc := k.manifest(1, 10)
	doc.Digest = k.manifest(2, 10).Digest
	if err := k.Images.KeepDocument(t.Context(), doc); image.KindOf(err) != image.Corrupt {
		t.Errorf("%v, want corrupt", err)
	}
	if _, err := k.Images.KeptDocument(t.Context(), doc.Digest); image.KindOf(err) != image.NotFound {
		t.Errorf("%v, want not found", err)
	}
}

func TestAFileWithOtherBytesThanItsDigestIsDropped(t *testing.T) {
	k := newKeeping(t)
	doc := k.manifest(1, 10)
	k.keep(doc)
	k.restart()
	k.spoil(doc.Digest, k.manifest(2, 10).Raw)
	if k.has(doc) {
		t.Error("the wrong bytes were given")
	}
	k.restart()
	if n, _ := k.files(); n != 0 || k.Images.kept.bytes != 0 {
		t.Errorf("%d files are left, of %d bytes", n, k.Images.kept.bytes)
	}
	k.keep(doc)
	if !k.has(doc) {
		t.Error("not kept anew")
	}
}

// Readers do not wait for who writes, and never see a document that is only half there.
func TestADocumentIsReadWhileOthersAreKept(t *testing.T) {
	k := newKeeping(t)
	doc := k.manifest(0, 200_000)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				if got, err := k.Images.KeptDocument(t.Context(), doc.Digest); err == nil && !bytes.Equal(got.Raw, doc.Raw) ||
					err != nil && image.KindOf(err) != image.NotFound {
					t.Errorf("got %d bytes, %v", len(got.Raw), err)
				}
			}
		})
	}
	for i := range 50 {
		k.keep(doc)
		k.keep(k.manifest(1+i, 200_000))
	}
	all.Wait()
	if !k.has(doc) {
		t.Error("a reader took it for spoilt")
	}
}

func TestTheLongestUnusedDocumentsGoFirst(t *testing.T) {
	k := newKeeping(t)
	const lot = 20
	var docs []image.Document
	for i := range 3 * lot {
		docs = append(docs, k.manifest(i, 1000))
		k.keep(docs[i])
		k.keep(docs[i]) // counts once
		if i%lot == lot-1 {
			k.at.Add((48 * time.Hour).Milliseconds())
		}
	}
	for _, d := range docs[:lot] { // used again, long after
		if !k.has(d) {
			t.Fatal("not kept")
		}
	}
	k.restart()
	k.Images.kept.warm() // which a start does in the background
	n, all := k.files()
	if n != len(docs) || k.Images.kept.bytes != all {
		t.Errorf("%d documents of %d bytes, counted as %d", n, all, k.Images.kept.bytes)
	}
	k.Images.kept.most = all - 1
	k.keep(k.manifest(3*lot, 1000))
	if _, sum := k.files(); sum > all-all/8 || k.Images.kept.bytes != sum {
		t.Errorf("%d bytes of %d are left, counted as %d", sum, all, k.Images.kept.bytes)
	}
	for i, d := range docs {
		if has := k.has(d); !has && i/lot != 1 {
			t.Fatalf("document %d is gone: the second lot was not used for longest", i)
		}
	}
}

func TestStoredDocumentIsGivenAndNotKeptBeside(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	stored := s.Build("jammy")
	doc, err := s.Images.KeptDocument(t.Context(), stored.Digest())
	if err != nil || doc.Index == nil {
		t.Fatalf("%+v, %v", doc, err)
	}
	if err := s.Images.KeepDocument(t.Context(), doc); err != nil {
		t.Fatal(err)
	}
	if kept, err := s.Images.kept.files(); err != nil || len(kept) != 0 {
		t.Errorf("%d are kept, %v", len(kept), err)
	}
}

func TestADocumentNestedTooDeepThatIsStoredAlreadyIsStillReadAndCanBeDeleted(t *testing.T) {
	s := newShelf(t)
	for _, d := range sample.BadDocuments() {
		if d.Name == "too-deep" {
			s.Source["deep"] = d.Source
		}
	}
	b := s.Build("deep")
	if _, err := image.ParseDocument(b.Descriptor.MediaType, b.Body); image.KindOf(err) != image.Corrupt {
		t.Fatalf("it would be taken in today: %v", err)
	}
	s.pull("deep:1=deep amd64")
	doc, err := s.Images.Document(t.Context(), image.Digest(b.Digest()))
	if err != nil || doc.Manifest == nil || len(doc.Manifest.Layers) != 1 {
		t.Errorf("it is read as %+v: %v", doc.Manifest, err)
	}
	if _, err := s.remove(t.Context(), shelf.Remove(shelf.RemovalItem{Reference: tagRef(t, "deep:1")})); err != nil {
		t.Error(err)
	}
	s.Janitor.Settle()
	s.check(nil)
}
