package storage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
)

func TestAFileThatAPullHoldsWaitsForIt(t *testing.T) {
	s, c := newUndoShelf(t)
	s.janitorFails(nil, nil) // tries again at once
	s.pull("redis:7=redis amd64")
	layer, err := s.Layers["redis"].Content()
	if err != nil {
		t.Fatal(err)
	}
	release := s.Blobs.Hold([]image.Digest{layer.Digest})
	done := s.delete(false, "redis:7")
	if stays := done.Plan.Stays; len(stays) != 1 || !stays[0].Held || stays[0].Digest != layer.Digest {
		t.Errorf("the plan keeps %+v, want the layer that is held", stays)
	}
	c.move(testWindow)
	s.checkWaiting(layer.Size)
	if files := s.files(); len(files) != 1 || files[layer.Digest] != layer.Size {
		t.Errorf("files %v, want the one that is held", files)
	}
	release()
	s.check(nil)
}

// A pull took hold of the file after its row was gone, and before the file was.
func TestAFileThatAPullTakesHoldOfAtTheLastMomentStays(t *testing.T) {
	s := newShelf(t)
	s.pull("redis:7=redis amd64")
	layer, err := s.Layers["redis"].Content()
	if err != nil {
		t.Fatal(err)
	}
	real := s.Janitor.persist
	var release func()
	s.janitorFails(nil, func() error {
		if release == nil {
			release = s.Blobs.Hold([]image.Digest{layer.Digest})
		}
		return real()
	})
	s.removeTag("redis:7")
	s.Janitor.Settle()
	s.checkWaiting(layer.Size)
	s.pull("redis:8=redis amd64")
	release()
	s.check([]string{"redis:8=redis amd64"})
}

func TestFilesThatWaitAreNoStrays(t *testing.T) {
	s, _ := newUndoShelf(t)
	s.pull("redis:7=redis amd64")
	s.Janitor.Settle()
	past := time.Now().Add(-48 * time.Hour)
	for d := range s.files() {
		if err := os.Chtimes(filepath.Join(s.dir, "blobs", "sha256", d.Encoded()), past, past); err != nil {
			t.Fatal(err)
		}
	}
	done := s.delete(false, "redis:7")
	s.Janitor.sweepStrays(t.Context())
	s.checkWaiting(done.Plan.Totals.Freed)
	s.undo(done.ID)
	s.check([]string{"redis:7=redis amd64"})
}

// The very last page of the disk: what an undo would need does not fit, and deleting works all the same.
func TestDeletingOnAFullDiskDoesNotKeepWhatAnUndoNeeds(t *testing.T) {
	s, _ := newUndoShelf(t)
	s.fill([]string{"ubuntu:22.04=jammy amd64 arm64", "redis:7=redis amd64"})
	s.settled()
	s.fillDatabase()
	done := s.delete(false, "ubuntu:22.04")
	if done.ID != 0 || !done.Until.IsZero() {
		t.Errorf("removed %+v", done)
	}
	s.check([]string{"redis:7=redis amd64"})
}

// fillDatabase leaves no page for more rows.
func (s *testShelf) fillDatabase() {
	s.t.Helper()
	s.exec(`CREATE TABLE filler (bytes BLOB)`)
	pages, err := writing{s.folder.db}.number(`PRAGMA page_count`)
	if err == nil {
		_, err = writing{s.folder.db}.number(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages))
	}
	if err != nil {
		s.t.Fatal(err)
	}
	for size := 3000; size > 0; size /= 2 { // until not even a small row goes in
		for {
			_, err := writing{s.folder.db}.ExecContext(s.t.Context(), `INSERT INTO filler VALUES (zeroblob(?))`, size)
			if image.KindOf(err) == image.DiskFull {
				break
			}
			if err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// Within the window nothing leaves the disk by itself; on a full one, sweeping is what makes room.
func TestSweepingFreesAFullDisk(t *testing.T) {
	s, _ := newUndoShelf(t)
	s.fill([]string{"redis:7=redis amd64", "ubuntu:22.04=jammy amd64"})
	real := s.Janitor.writeIndex
	redis := s.Build("redis").Digest()
	s.janitorFails(func(ctx context.Context) error {
		if _, there := s.files()[redis]; there {
			return image.Errorf(image.DiskFull, "the server's disk is full")
		}
		return real(ctx)
	}, nil)
	done := s.delete(false, "redis:7")
	files, bytes, err := s.Janitor.Sweep(t.Context(), image.ActorNamed("mira"))
	if err != nil || files == 0 || bytes != done.Plan.Totals.Freed {
		t.Errorf("swept %d files with %d bytes, %v", files, bytes, err)
	}
	s.check([]string{"ubuntu:22.04=jammy amd64"})
}

// A crash between the rows and the files of a sweep leaves files that no row knows, and they go as strays.
func TestASweepThatWasCutOffIsFinishedLater(t *testing.T) {
	s, c := newUndoShelf(t)
	s.fill([]string{"ubuntu:22.04=jammy amd64", "redis:7=redis amd64"})
	s.delete(false, "ubuntu:22.04")
	real, copied := s.Janitor.persist, ""
	s.janitorFails(nil, func() error {
		if copied == "" {
			copied = s.copyFolder() // here the power goes
		}
		return real()
	})
	c.move(testWindow)
	s.check([]string{"redis:7=redis amd64"})
	o := s.options
	o.Dir, o.StrayGrace = copied, time.Nanosecond
	after := *s
	after.dir, after.options = copied, o
	if len(after.files()) == len(s.files()) {
		t.Error("the files went before the rows")
	}
	after.open()
	defer after.Close()
	after.Janitor.awaitFirstSweep(t)
	after.check([]string{"redis:7=redis amd64"})
}

// copyFolder copies the data folder as it is on disk, database and all, as the next start would find it after a crash.
func (s *testShelf) copyFolder() string {
	s.t.Helper()
	to := filepath.Join(s.t.TempDir(), "data")
	if err := os.CopyFS(to, os.DirFS(s.dir)); err != nil {
		s.t.Fatal(err)
	}
	return to
}
