package storage

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

// unreadable puts a folder in place of the first pending layer's file, so that it cannot be read, and gives
// what puts the file back.
func (s *testShelf) unreadable(d image.Digest) (repair func()) {
	s.t.Helper()
	path := filepath.Join(s.dir, "blobs", "sha256", d.Encoded())
	aside := filepath.Join(s.t.TempDir(), "aside")
	if err := os.Rename(path, aside); err != nil {
		s.t.Fatal(err)
	}
	return func() {
		if err := os.Rename(aside, path); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *testShelf) pendingLayers() []string {
	s.t.Helper()
	pending, err := database.RowsOf(s.t.Context(), s.folder.db, database.ScanString, `SELECT digest FROM layers WHERE state = 'pending'`)
	if err != nil {
		s.t.Fatal(err)
	}
	return pending
}

func TestALayerThatCannotBeReadHoldsUpNoOther(t *testing.T) {
	s := newShelf(t)
	// All layers pending again, as after a crash right behind the pull.
	s.pull("postgres:15=postgres amd64")
	if err := s.Unpacker.AwaitUnpacked(t.Context()); err != nil {
		t.Fatal(err)
	}
	var layers []image.Digest
	for _, name := range []string{"base-amd64", "jammy-amd64", "postgres-amd64"} {
		c, err := s.Layers[name].Content()
		if err != nil {
			t.Fatal(err)
		}
		layers = append(layers, c.Digest)
	}
	slices.Sort(layers)
	repair := s.unreadable(layers[0])
	if _, err := (writing{s.folder.db}).ExecContext(t.Context(), `UPDATE layers SET state = 'pending', diff_id = ''`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Unpacker.AwaitUnpacked(ctx); err != nil {
		t.Fatalf("waiting for what cannot be read: %v", err)
	}
	if pending := s.pendingLayers(); !slices.Equal(pending, []string{string(layers[0])}) {
		t.Errorf("pending: %q, want %s alone", pending, layers[0])
	}
	repair()
	if err := s.Unpacker.AwaitUnpacked(ctx); err != nil {
		t.Fatal(err)
	}
	if pending := s.pendingLayers(); len(pending) != 0 {
		t.Errorf("after the repair %q is pending", pending)
	}
}

func TestAnImageKnownToBeBrokenIsNotPulledAgain(t *testing.T) {
	s := newShelf(t)
	s.Source["bad"] = sample.NotTar()
	s.pull("bad:1=bad amd64")
	if err := s.Unpacker.AwaitUnpacked(t.Context()); err != nil {
		t.Fatal(err)
	}
	doc := s.document(s.Build("bad"))
	config, err := image.ParseConfig(s.Build("bad").Blobs[0].Data, doc.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Recorder.Record(t.Context(), shelf.Pulled{Reference: tagRef(t, "bad:2"), Target: doc, Images: []shelf.PulledImage{{Document: doc, Config: config}}})
	if image.KindOf(err) != image.Corrupt {
		t.Errorf("pulling it again gave %v", err)
	}
	s.Janitor.Settle()
	if rows := s.rows(); !slices.Equal(rows, []string{"bad:1=bad amd64"}) {
		t.Errorf("rows %q", rows)
	}
}

func TestABlobThatTheDiskHasNoRoomForIsRefusedAtOnce(t *testing.T) {
	s := newShelf(t)
	free, _, err := s.Space.Disk()
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Blobs.NewBlob(image.Descriptor{Digest: image.DigestOf([]byte("huge")), Size: int64(free)})
	if image.KindOf(err) != image.DiskFull {
		t.Errorf("a layer that takes all there is: %v", err)
	}
}

func TestAnImageOf1970HasACreationDate(t *testing.T) {
	s := newShelf(t)
	old := s.NewImage("amd64", "base-amd64")
	old.Created = time.Unix(0, 0).UTC()
	s.Source["old"] = old
	s.pull("old:1=old amd64")
	rows, _, err := s.Lists.List(t.Context(), shelf.Query{Limit: 1})
	if err != nil || len(rows) != 1 || !rows[0].Created.Equal(time.Unix(0, 0)) || rows[0].Created.IsZero() {
		t.Errorf("rows %+v, %v", rows, err)
	}
	if zero := database.FromMillis(database.Millis(time.Time{})); !zero.IsZero() {
		t.Errorf("an unknown time comes back as %v", zero)
	}
}

// A deletion must free the space of a layer that is being unpacked, too: what somebody holds stays until the
// next search for strays.
func TestUnpackingHoldsNoBlob(t *testing.T) {
	s := newShelf(t)
	s.Janitor.Settle()
	s.Blobs.holds.mu.Lock()
	defer s.Blobs.holds.mu.Unlock()
	s.pull("redis:7=redis amd64")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Unpacker.AwaitUnpacked(ctx); err != nil {
		t.Fatalf("unpacking waits for a hold: %v", err)
	}
}
