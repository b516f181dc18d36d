package storage

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

// janitorFails puts what is given in place of the janitor's steps and lets it try again at once.
func (s *testShelf) janitorFails(writeIndex func(context.Context) error, persist func() error) {
	s.Janitor.Settle()
	k := s.Janitor
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waits.again = time.Millisecond
	if writeIndex != nil {
		k.writeIndex = writeIndex
	}
	if persist != nil {
		k.persist = persist
	}
}

func (s *testShelf) removeTag(name string) {
	s.t.Helper()
	if _, err := s.remove(s.t.Context(), shelf.Remove(shelf.RemovalItem{Reference: tagRef(s.t, name)})); err != nil {
		s.t.Fatal(err)
	}
}

func TestAnIndexThatCouldNotBeWrittenIsTriedAgain(t *testing.T) {
	s := newShelf(t)
	s.pull("redis:7=redis amd64")
	real, tries := s.Janitor.writeIndex, 0
	s.janitorFails(func(ctx context.Context) error {
		if tries++; tries == 1 {
			if len(s.files()) == 0 {
				t.Error("files went before index.json was written")
			}
			return errors.New("the disk is slow to wake")
		}
		return real(ctx)
	}, nil)
	s.removeTag("redis:7")
	s.check(nil)
}

func TestDeletingFreesAFullDisk(t *testing.T) {
	s := newShelf(t)
	s.pull("redis:7=redis amd64")
	s.pull("ubuntu:22.04=jammy amd64")
	real := s.Janitor.writeIndex
	redis := s.Build("redis").Digest()
	s.janitorFails(func(ctx context.Context) error {
		if _, there := s.files()[redis]; there {
			return image.Errorf(image.DiskFull, "the server's disk is full")
		}
		return real(ctx)
	}, nil)
	s.removeTag("redis:7")
	s.check([]string{"ubuntu:22.04=jammy amd64"})
}

// A power cut must not bring rows back whose files are gone.
func TestFilesStayUntilTheirRowsAreSurelyGone(t *testing.T) {
	s := newShelf(t)
	s.pull("redis:7=redis amd64")
	real, tries := s.Janitor.persist, 0
	s.janitorFails(nil, func() error {
		if len(s.files()) == 0 {
			t.Error("files went first")
		}
		if tries++; tries < 3 {
			return errors.New("no sync yet")
		}
		return real()
	})
	s.removeTag("redis:7")
	s.check(nil)
	if tries != 3 {
		t.Errorf("%d tries to make the rows durable", tries)
	}
}

func TestAFolderOfBlobsWithoutADatabaseIsLeftAlone(t *testing.T) {
	s := newShelf(t)
	s.pull("redis:7=redis amd64")
	s.Janitor.Settle()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before, names := len(s.files()), s.layoutNames()
	hidden := filepath.Join(t.TempDir(), database.Name)
	database := filepath.Join(s.dir, database.Name)
	if err := os.Rename(database, hidden); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Options{Dir: s.dir, StrayGrace: time.Nanosecond})
	if image.KindOf(err) != image.Invalid || !strings.Contains(err.Error(), database) {
		t.Errorf("opening it gave %v", err)
	}
	if after := s.layoutNames(); len(s.files()) != before || len(after) != len(names) {
		t.Errorf("%d files of %d and %q of %q are left", len(s.files()), before, after, names)
	}
	if err := os.Rename(hidden, database); err != nil {
		t.Fatal(err)
	}
	if s.Store, err = Open(t.Context(), Options{Dir: s.dir}); err != nil {
		t.Fatal(err)
	}
	s.check([]string{"redis:7=redis amd64"})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Rows may go while strays are looked for: their files must not go before index.json is written anew.
func TestSweepingStraysNeverLeavesTheIndexNamingThem(t *testing.T) {
	s := newShelf(t)
	s.pull("redis:7=redis amd64")
	s.Janitor.Settle()
	past := time.Now().Add(-48 * time.Hour)
	for d := range s.files() {
		if err := os.Chtimes(filepath.Join(s.dir, "blobs", "sha256", d.Encoded()), past, past); err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	// As Remove does, and nobody told the janitor yet.
	plan, change, err := s.Removals.plan(ctx, s.Removals.planningRemoval(shelf.Remove(shelf.RemovalItem{Reference: tagRef(t, "redis:7")})))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Removals.carryOut(ctx, plan, change, image.ActorNamed("noa")); err != nil {
		t.Fatal(err)
	}
	s.Janitor.sweepStrays(ctx)
	s.check(nil)
}

// However long the server was down: what an unfinished pull has fetched is not fetched again.
func TestWhatAnUnfinishedPullFetchedOutlivesARestart(t *testing.T) {
	s := newShelf(t)
	fetched := []byte("a finished layer of a pull that goes on")
	s.put(image.DigestOf(fetched), fetched)
	j := job.Job{Detail: pull.Single{Ref: tagRef(t, "ubuntu:22.04")}, State: job.Pulling}
	lease := s.begin(j)
	for _, c := range []struct {
		state job.State
		there bool
	}{{job.Pulling, true}, {job.Failed, false}} {
		j.ID, j.State = lease.ID, c.state
		if err := s.Jobs.Save(t.Context(), lease, j); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		later := func() time.Time { return time.Now().Add(48 * time.Hour) }
		var err error
		if s.Store, err = Open(t.Context(), Options{Dir: s.dir, Now: later}); err != nil {
			t.Fatal(err)
		}
		lease.Epoch = 0 // the process that had claimed it has gone
		s.Janitor.awaitFirstSweep(t)
		if _, there := s.files()[image.DigestOf(fetched)]; there != c.there {
			t.Errorf("with the pull %s: the layer is there %v", c.state, there)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// awaitFirstSweep waits until the janitor has done what it does at the start: the signal that it takes after
// that is the second one in a channel of one.
func (k *Janitor) awaitFirstSweep(t *testing.T) {
	t.Helper()
	for range 2 {
		select {
		case k.kick <- struct{}{}:
		case <-time.After(10 * time.Second):
			t.Fatal("the janitor does not begin to listen")
		}
	}
}

// The largest index that a pull takes, its image at the very end: it is found, and goes with the tag.
func TestAnImageAtTheEndOfAHugeIndexIsReached(t *testing.T) {
	s := newShelf(t)
	b := s.Build("redis")
	manifest := s.document(b)
	for _, blob := range b.Blobs {
		s.put(blob.Descriptor.Digest, blob.Data)
	}
	config, err := image.ParseConfig(b.Blobs[0].Data, manifest.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	index := func(entries ...image.Descriptor) image.Document {
		raw, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": image.MediaTypeDockerManifestList, "manifests": entries})
		if err != nil {
			t.Fatal(err)
		}
		s.put(image.DigestOf(raw), raw)
		doc, err := image.ParseDocument("", raw)
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	nested := index(manifest.Descriptor())
	entries := make([]image.Descriptor, image.MaxEntries-1)
	for i := range entries {
		entries[i] = image.Descriptor{MediaType: image.MediaTypeDockerManifest, Digest: image.DigestOf([]byte{byte(i), byte(i >> 8)}), Size: 2}
	}
	target := index(append(entries, nested.Descriptor())...)
	_, err = s.Recorder.Record(t.Context(), shelf.Pulled{Reference: tagRef(t, "huge:1"), Target: target, Indexes: []image.Document{nested},
		Images: []shelf.PulledImage{{Document: manifest, Config: config, Platform: config.Platform()}}})
	if err != nil {
		t.Fatal(err)
	}
	if rows, _, err := s.Lists.List(t.Context(), shelf.Query{Limit: 1}); err != nil || len(rows) != 1 || rows[0].ImageID == "" {
		t.Errorf("rows %+v, %v", rows, err)
	}
	s.removeTag("huge:1")
	s.check(nil)
}
