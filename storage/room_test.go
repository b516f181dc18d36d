package storage

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

// roomForDatabase ends what fillDatabase began.
func (s *testShelf) roomForDatabase() {
	s.t.Helper()
	if _, err := (writing{s.folder.db}).number(`PRAGMA max_page_count = 4294967294`); err != nil {
		s.t.Fatal(err)
	}
}

func TestTheEndOfAPullThatCannotBeWrittenIsKnownAndWrittenLater(t *testing.T) {
	s := newShelf(t)
	long := make([]string, 2000) // more than fits into the last page
	for i := range long {
		long[i] = fmt.Sprintf("line %d", i)
	}
	j := job.Job{Detail: pull.Single{Ref: tagRef(t, "app:1")}, State: job.Pulling}
	lease := s.begin(j)
	j.ID = lease.ID
	s.fillDatabase()
	j.State, j.Outcome.Lines = job.Failed, long
	if err := s.Jobs.Save(t.Context(), lease, j); image.KindOf(err) != image.DiskFull {
		t.Fatalf("saved on a full disk: %v", err)
	}
	over := func(what string) {
		t.Helper()
		one, err := s.Jobs.Job(t.Context(), j.ID)
		if err != nil || one.State != job.Failed {
			t.Errorf("%s the pull is %s, %v", what, one.State, err)
		}
		all, _, err := s.Jobs.Jobs(t.Context(), 0, 10)
		if err != nil || len(all) != 1 || all[0].State != job.Failed {
			t.Errorf("%s the list says %+v, %v", what, all, err)
		}
		if unfinished, err := s.Jobs.Unfinished(t.Context()); err != nil || len(unfinished) != 0 {
			t.Errorf("%s %d pulls are unfinished, %v", what, len(unfinished), err)
		}
	}
	over("unsaved")
	if s.Jobs.unsaved.write(t.Context()) {
		t.Error("it was written although the disk is full")
	}
	s.roomForDatabase()
	if !s.Jobs.unsaved.write(t.Context()) {
		t.Error("it is not written although there is room")
	}
	if _, kept := s.Jobs.unsaved.get(j.ID); kept {
		t.Error("it is still kept beside the database")
	}
	over("saved")
}

func TestAFullDiskIsNotReadyAndReadyAgainOnceThereIsRoom(t *testing.T) {
	const total = 200 << 20
	var others atomic.Int64
	s := newShelfWith(t, Options{DiskReserve: 32 << 20, Volume: func(string) (free, size uint64, err error) {
		return uint64(total - others.Load()), total, nil
	}})
	s.fill([]string{"redis:7=redis amd64", "ubuntu:22.04=jammy amd64"})
	ballast := func() bool {
		_, err := os.Stat(filepath.Join(s.dir, "stowage.reserve"))
		return err == nil
	}
	if err := s.Ready(t.Context()); err != nil || !ballast() {
		t.Fatalf("%v, ballast %v", err, ballast())
	}
	others.Store(total)
	if err := s.Ready(t.Context()); image.KindOf(err) != image.DiskFull {
		t.Errorf("ready on a full disk: %v", err)
	}
	if _, err := s.Blobs.NewBlob(image.Descriptor{Digest: image.DigestOf([]byte("x")), Size: 1}); image.KindOf(err) != image.DiskFull {
		t.Errorf("a blob is begun: %v", err)
	}
	if err := s.Recorder.CheckRoom(-1); image.KindOf(err) != image.DiskFull {
		t.Errorf("an upload of unknown size is begun: %v", err)
	}
	if !ballast() {
		t.Error("the ballast is used for something that takes room")
	}
	s.delete(false, "redis:7")
	if ballast() {
		t.Error("a deletion does not get the ballast")
	}
	others.Store(0)
	if err := s.Ready(t.Context()); err != nil || !ballast() {
		t.Errorf("with room again: %v, ballast %v", err, ballast())
	}
	s.check([]string{"ubuntu:22.04=jammy amd64"})
}

func TestWhatNeedNotBeKeptDoesNotTakeTheReserve(t *testing.T) {
	const total = 200 << 20
	var others atomic.Int64
	s := newShelfWith(t, Options{DiskReserve: 32 << 20, Volume: func(string) (free, size uint64, err error) {
		return uint64(total - others.Load()), total, nil
	}})
	redis, old := s.document(s.Build("redis")), s.document(s.Build("old"))
	kept := func(doc image.Document) error {
		t.Helper()
		if err := s.Images.KeepDocument(t.Context(), doc); err != nil {
			t.Fatal(err)
		}
		_, err := s.Images.KeptDocument(t.Context(), doc.Digest)
		return err
	}
	if err := kept(redis); err != nil {
		t.Error(err)
	}
	others.Store(total - 1<<20)
	if err := kept(old); image.KindOf(err) != image.NotFound {
		t.Errorf("kept at the reserve: %v", err)
	}
	others.Store(0)
	if err := kept(old); err != nil {
		t.Error(err)
	}
}

func TestWhatUnfinishedPullsHaveLeftCanBeFreedAndWhatARunningOneNeedsStays(t *testing.T) {
	s := newShelf(t)
	s.fill([]string{"redis:7=redis amd64"})
	part := func(content string) image.Digest {
		d := image.Descriptor{Digest: image.DigestOf([]byte(content)), Size: int64(len(content))}
		w, err := s.Blobs.NewBlob(d)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content[:3])); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return d.Digest
	}
	left, needed := part("left behind"), part("needed now")
	whole := s.loose("a whole layer of no image")
	letGo := s.Blobs.Hold([]image.Digest{needed})
	parts, all, err := s.Space.Unfinished(t.Context(), 10)
	if err != nil || !slices.Equal(parts, []shelf.PartialBlob{{Digest: left, Bytes: 3}}) || all != (shelf.Freed{Files: 1, Bytes: 3}) {
		t.Errorf("left are %v, %+v, %v", parts, all, err)
	}
	freed, err := s.Space.FreeUnfinished(t.Context(), image.ActorNamed("mira"))
	if err != nil || freed != (shelf.Freed{Files: 2, Bytes: 3 + int64(len("a whole layer of no image"))}) {
		t.Errorf("freed %+v, %v", freed, err)
	}
	if s.Blobs.PartialBlob(left) != 0 || s.Blobs.PartialBlob(needed) != 3 || s.folder.blobs.Has(whole, -1) {
		t.Error("not what was left behind is gone")
	}
	letGo()
	if err := s.Space.GiveUp(t.Context(), append(s.stored(t), needed)); err != nil || s.Blobs.PartialBlob(needed) != 0 {
		t.Errorf("not given up: %v", err)
	}
	s.check([]string{"redis:7=redis amd64"})
}

// A volume that somebody else has filled to the last byte, with the ballast gone as well: the files that wait go first.
func TestSweepingWorksWhereTheDatabaseHasNoRoomToBeTold(t *testing.T) {
	s, _ := newUndoShelf(t)
	s.fill([]string{"redis:7=redis amd64", "ubuntu:22.04=jammy amd64"})
	done := s.delete(false, "redis:7")
	s.settled()
	before := len(s.files())
	s.fillDatabase()
	freed, err := s.Janitor.sweepFirst(t.Context())
	if err != nil || freed.Bytes != done.Plan.Totals.Freed || len(s.files()) != before-freed.Files {
		t.Errorf("freed %+v of %d, %v", freed, done.Plan.Totals.Freed, err)
	}
	s.roomForDatabase()
	if _, err := s.Removals.Undo(t.Context(), done.ID, image.ActorNamed("ann")); image.KindOf(err) != image.Conflict {
		t.Errorf("undone without files: %v", err)
	}
	if _, _, err := s.Janitor.Sweep(t.Context(), image.ActorNamed("mira")); err != nil {
		t.Error(err)
	}
	s.check([]string{"ubuntu:22.04=jammy amd64"})
}

// stored lists the blobs that rows know.
func (s *testShelf) stored(t *testing.T) []image.Digest {
	t.Helper()
	all, err := database.RowsOf(t.Context(), s.folder.db, database.ScanDigest, `SELECT digest FROM blobs`)
	if err != nil || len(all) == 0 {
		t.Fatalf("%d blobs, %v", len(all), err)
	}
	return all
}

// loose stores a blob without a row.
func (s *testShelf) loose(content string) image.Digest {
	s.t.Helper()
	d := image.Descriptor{Digest: image.DigestOf([]byte(content)), Size: int64(len(content))}
	w, err := s.Blobs.NewBlob(d)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		s.t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		s.t.Fatal(err)
	}
	return d.Digest
}
