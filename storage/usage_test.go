package storage

import (
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/shelf"
)

// patience is how long these tests wait for a count.
const usagePatience = time.Minute

// counted returns the count of the shelf as it is now.
func (s *testShelf) counted() shelf.Usage {
	s.t.Helper()
	u, current, err := s.Usage.Usage(s.t.Context(), usagePatience)
	if err != nil || !current {
		s.t.Fatalf("current: %v, %v", current, err)
	}
	return u
}

// blobsOf returns the blobs that rows, as the tables word them, lead to.
func (s *testShelf) blobsOf(rows ...string) map[image.Digest]int64 {
	s.t.Helper()
	blobs := map[image.Digest]int64{}
	for _, words := range rows {
		h := s.Read(words)
		for _, m := range h.Whole(s.Build(h.Source)) {
			blobs[m.Digest()] = m.Descriptor.Size
			for _, b := range m.Blobs {
				blobs[b.Descriptor.Digest] = b.Descriptor.Size
			}
		}
	}
	return blobs
}

func sumOf(blobs map[image.Digest]int64) (n int64) {
	for _, size := range blobs {
		n += size
	}
	return n
}

// du adds up the files of the data folder.
func (s *testShelf) du() (n int64) {
	s.t.Helper()
	err := filepath.WalkDir(s.dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// sumsAreThoseOfTheDisk holds the sums of the Storage page against the files of the data folder.
func (s *testShelf) sumsAreThoseOfTheDisk() {
	s.t.Helper()
	var u shelf.Usage
	var d shelf.DiskUse
	for tries := 20; ; tries-- {
		var err error
		if u, err = s.Usage.countUsage(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
		d, err = s.Usage.DiskUse(s.t.Context(), u)
		du := s.du()
		if err == nil && d.All() == du && u.Files.All() == du {
			break
		}
		if tries == 0 { // the database's files grow by themselves, but not for ever
			s.t.Errorf("the files have %d bytes; %d by the sums, %d by the count: %+v, %v", du, d.All(), u.Files.All(), d, err)
			break
		}
	}
	parts := u.OtherBytes + u.Shared + u.Dangling + u.Waiting
	for _, r := range u.Repositories {
		parts += r.Own
	}
	if parts+u.Files.Loose+u.Files.Partial != d.Blobs() {
		s.t.Errorf("the parts have %d bytes, the blobs %d: %+v", parts, d.Blobs(), u)
	}
}

func TestEachBlobIsCountedForTheRepositoryThatAloneLeadsToIt(t *testing.T) {
	s := newShelf(t)
	for _, words := range []string{"ubuntu:22.04=jammy amd64 arm64", "postgres:15=postgres amd64 arm64", "redis:7=redis amd64", "mirror/redis:7=redis amd64",
		"nested:1=nested amd64 arm64 arm", "odd:1=odd amd64", "told:1=told amd64 arm64", "mirror/told:1=told amd64", "strange:1=strange arm64"} {
		s.pull(words)
	}
	rows := map[image.Repository][]string{
		"docker.io/library/ubuntu": {"ubuntu:22.04=jammy amd64 arm64"}, "docker.io/library/postgres": {"postgres:15=postgres amd64 arm64"},
		"docker.io/library/redis": {"redis:7=redis amd64"}, "docker.io/mirror/redis": {"mirror/redis:7=redis amd64"},
		"docker.io/library/nested": {"nested:1=nested amd64 arm64 arm"}, "docker.io/library/odd": {"odd:1=odd amd64"},
		"docker.io/library/told": {"told:1=told amd64 arm64"}, "docker.io/mirror/told": {"mirror/told:1=told amd64 arm64"}, "docker.io/library/strange": {"strange:1=strange amd64 arm64"},
	}
	leads := map[image.Digest]int{}
	blobs := map[image.Digest]int64{}
	for _, words := range rows {
		for d, size := range s.blobsOf(words...) {
			leads[d]++
			blobs[d] = size
		}
	}
	var shared int64
	want := map[image.Repository]shelf.RepositoryUsage{}
	for name, words := range rows {
		r := shelf.RepositoryUsage{Repository: name, Tags: 1}
		for d, size := range s.blobsOf(words...) {
			if leads[d] == 1 {
				r.Own += size
			} else {
				r.Shared += size
			}
		}
		want[name] = r
	}
	for d, size := range blobs {
		if leads[d] > 1 {
			shared += size
		}
	}

	u := s.counted()
	if u.Blobs != sumOf(blobs) || u.Shared != shared || u.Dangling != 0 || u.OtherBytes != 0 {
		t.Errorf("blobs %d, shared %d, dangling %d, others %d; want %d, %d, 0, 0", u.Blobs, u.Shared, u.Dangling, u.OtherBytes, sumOf(blobs), shared)
	}
	sum := u.Shared
	for _, r := range u.Repositories {
		if r != want[r.Repository] {
			t.Errorf("%+v, want %+v", r, want[r.Repository])
		}
		delete(want, r.Repository)
		sum += r.Own
	}
	for name, r := range want {
		if r.Own != 0 {
			t.Errorf("%s with %d bytes of its own is not there", name, r.Own)
		}
	}
	if u.Others != len(want) {
		t.Errorf("%d others, want %d", u.Others, len(want))
	}
	if sum != u.Blobs {
		t.Errorf("the parts have %d bytes, all blobs %d", sum, u.Blobs)
	}
	if !slices.IsSortedFunc(u.Repositories, func(a, b shelf.RepositoryUsage) int { return int(b.Own - a.Own) }) {
		t.Errorf("not by size: %+v", u.Repositories)
	}
}

func TestWhatOnlyADanglingDigestLeadsToIsDangling(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64 arm64")
	s.pull("ubuntu:22.04=jammy-next amd64")
	s.pull("redis@=redis amd64")
	kept, old := s.blobsOf("ubuntu:22.04=jammy-next amd64 arm64", "redis@=redis amd64"), s.blobsOf("ubuntu@=jammy amd64 arm64")
	for d := range kept {
		delete(old, d)
	}
	u := s.counted()
	if len(old) == 0 || u.Dangling != sumOf(old) {
		t.Errorf("dangling %d, want %d", u.Dangling, sumOf(old))
	}
}

func TestCopiesAreWhatEachImageWouldTakeByItself(t *testing.T) {
	s := newShelf(t)
	rows := []string{"ubuntu:22.04=jammy amd64 arm64", "postgres:15=postgres amd64 arm64", "redis:7=redis amd64", "cache:7=redis amd64", "app:1=told amd64 arm64"}
	want := map[image.Digest]int64{}
	var images int64
	for _, words := range rows {
		s.pull(words)
		h := s.Read(words)
		indexes, platforms := h.Wants(s.Build(h.Source))
		for _, m := range indexes {
			want[m.Digest()] = m.Descriptor.Size
		}
		for _, m := range platforms {
			if _, again := want[m.Digest()]; again {
				continue // the same image under another name
			}
			want[m.Digest()] = m.Descriptor.Size
			for _, b := range m.Blobs {
				images += b.Descriptor.Size
			}
			for _, a := range h.About(s.Build(h.Source), m.Digest()) {
				images += a.Descriptor.Size
				for _, b := range a.Blobs {
					images += b.Descriptor.Size
				}
			}
		}
	}
	u := s.counted()
	if u.Copies != images+sumOf(want) || u.Copies <= u.Blobs {
		t.Errorf("copies %d, want %d; blobs %d", u.Copies, images+sumOf(want), u.Blobs)
	}
}

func TestUnpackedCountsEachLayerOnceAndSaysHowManyAreNotKnown(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64 arm64")
	s.pull("postgres:15=postgres amd64")
	if err := s.Unpacker.AwaitUnpacked(t.Context()); err != nil {
		t.Fatal(err)
	}
	var want int64
	for _, name := range []string{"base-amd64", "jammy-amd64", "base-arm64", "jammy-arm64", "postgres-amd64"} {
		want += int64(2000 + 100*len(name))
	}
	u := s.counted()
	if (u.Layers != shelf.LayerCount{All: 5}) || u.Unpacked != want {
		t.Errorf("%+v unpack to %d, want 5 to %d", u.Layers, u.Unpacked, want)
	}
	s.exec(`UPDATE layers SET state = 'pending', unpacked = NULL WHERE digest = (SELECT min(digest) FROM layers)`)
	s.exec(`UPDATE layers SET state = 'broken', unpacked = NULL WHERE digest = (SELECT max(digest) FROM layers)`)
	if u = s.counted(); (u.Layers != shelf.LayerCount{All: 5, Pending: 1, Broken: 1}) || u.Unpacked >= want {
		t.Errorf("%+v unpack to %d", u.Layers, u.Unpacked)
	}
}

// exec changes rows as another process would.
func (s *testShelf) exec(query string) {
	s.t.Helper()
	if _, err := (writing{s.folder.db}).ExecContext(s.t.Context(), nextChange+"; "+query); err != nil {
		s.t.Fatal(err)
	}
}

func TestTheLargestLayersAreNamedWithWhoHasThem(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	s.pull("postgres:15=postgres amd64")
	s.pull("postgres:latest=postgres amd64")
	s.pull("redis:7=redis amd64")
	u := s.counted()
	if len(u.Largest) != 4 || !slices.IsSortedFunc(u.Largest, func(a, b shelf.LayerUsage) int { return int(b.Size - a.Size) }) {
		t.Fatalf("%+v", u.Largest)
	}
	base, err := s.Layers["base-amd64"].Content()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range u.Largest {
		if l.CreatedBy != "COPY "+s.NameOf(l.Digest) {
			t.Errorf("%s is made by %q", s.NameOf(l.Digest), l.CreatedBy)
		}
		if l.Digest == base.Digest && (l.Images != 3 || len(l.References) != maxLayerRefs || l.Size != base.Size) {
			t.Errorf("base layer: %+v", l)
		}
	}
}

func TestTheSumsOfTheDiskAreThoseOfTheDataFolder(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64 arm64")
	s.pull("postgres:15=postgres amd64 arm64")
	// What a pull that failed has left: a whole layer, and a part of one.
	loose, err := sample.NewLayer(sample.Gzip, sample.Data("usr/loose", "loose", 5000)).Content()
	if err != nil {
		t.Fatal(err)
	}
	s.put(loose.Digest, loose.Blob)
	part := image.DigestOf([]byte("never whole"))
	w, err := s.folder.blobs.Partials.Writer(part, 9000)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 4321)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	// And what is not Stowage's.
	if err := os.MkdirAll(filepath.Join(s.dir, "lost+found"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, bytes := range map[string]int{"lost+found/a": 100, "notes.txt": 20, "blobs/sha256/not-a-digest": 3} {
		if err := os.WriteFile(filepath.Join(s.dir, name), make([]byte, bytes), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.Janitor.Settle()
	if err := s.Unpacker.AwaitUnpacked(t.Context()); err != nil {
		t.Fatal(err)
	}
	u := s.counted()
	d, err := s.Usage.DiskUse(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	if d.Unfinished != loose.Size+4321 || d.Other != 123 || d.Images != sumOf(s.blobsOf("ubuntu:22.04=jammy amd64 arm64", "postgres:15=postgres amd64 arm64")) {
		t.Errorf("%+v, want %d unfinished and 123 others", d, loose.Size+4321)
	}
	if d.All() != s.du() || u.Files.All() != s.du() {
		t.Errorf("%d by sums, %d by the count, %d bytes of files", d.All(), u.Files.All(), s.du())
	}
	if d.Free == 0 || d.Volume < d.Free {
		t.Errorf("%d of %d bytes are free", d.Free, d.Volume)
	}
}

func TestACountIsKeptUntilSomethingChanges(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	if err := s.Unpacker.AwaitUnpacked(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := s.counted()
	if second := s.counted(); second.At != first.At {
		t.Errorf("counted again at %s, after %s", second.At, first.At)
	}
	for _, step := range []struct {
		what   string
		change func()
	}{
		{"a pull", func() { s.pull("redis:7=redis amd64") }},
		{"a tag", func() { s.pull("redis:latest=redis amd64") }},
		{"a pin", func() { s.pin("redis:7") }},
		{"an unpin", func() { s.unpin("redis:7") }},
		{"a deletion", func() { s.exec(`INSERT INTO waiting_blobs VALUES ('sha256:x', 1, 1)`) }},
		{"a sweep", func() { s.exec(`DELETE FROM waiting_blobs`) }},
	} {
		if err := s.Unpacker.AwaitUnpacked(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := s.counted()
		step.change()
		if u, current, err := s.Usage.Usage(t.Context(), 0); current || err != nil || u.At != before.At {
			t.Errorf("after %s: current %v, %v", step.what, current, err)
		}
		if u := s.counted(); !u.At.After(before.At) {
			t.Errorf("after %s it was not counted again", step.what)
		}
	}
}

func (s *testShelf) pin(name string) {
	s.t.Helper()
	if _, err := s.Tags.Pin(s.t.Context(), s.Read(name+"=").Ref, "", image.ActorNamed("mira")); err != nil {
		s.t.Fatal(err)
	}
}

func (s *testShelf) unpin(name string) {
	s.t.Helper()
	if err := s.Tags.Unpin(s.t.Context(), s.Read(name+"=").Ref, image.ActorNamed("mira")); err != nil {
		s.t.Fatal(err)
	}
}

func TestACountThatFailsSaysSoAndKeepsTheOneBefore(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	before := s.counted()
	s.exec(`DROP INDEX image_layers_layer`)
	s.pull("redis:7=redis amd64")
	u, current, err := s.Usage.Usage(t.Context(), usagePatience)
	if err == nil || current || u.At != before.At || u.Blobs != before.Blobs {
		t.Errorf("current %v, %v, of %s", current, err, u.At)
	}
}

func TestCountingKeepsNobodyFromWriting(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	err := s.folder.db.Scratch(t.Context(), func(tx *sql.Tx) error {
		c := usageCount{ctx: t.Context(), tx: tx}
		if err := c.count(); err != nil {
			return err
		}
		s.pull("redis:7=redis amd64") // the count's transaction is still open
		again := usageCount{ctx: t.Context(), tx: tx}
		err := tx.QueryRowContext(t.Context(), `SELECT blob_bytes FROM totals`).Scan(&again.u.Blobs)
		if again.u.Blobs != c.u.Blobs {
			t.Errorf("the snapshot has moved from %d to %d", c.u.Blobs, again.u.Blobs)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnEmptyShelfIsCounted(t *testing.T) {
	s := newShelf(t)
	u := s.counted()
	if u.Blobs != 0 || u.Copies != 0 || u.Shared != 0 || u.Dangling != 0 || u.Others != 0 || len(u.Repositories)+len(u.Largest) != 0 || u.Reclaimable.Unpinned != 0 {
		t.Errorf("%+v", u)
	}
}

func TestWhatPruningDanglingDigestsFreesIsReclaimableToTheByte(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64 arm64")
	s.pull("postgres:15=postgres amd64") // built on jammy's image, which stays for it
	s.pull("ubuntu:22.04=jammy-next amd64")
	s.pull("redis:7=redis amd64")
	s.pull("redis:7=odd amd64")
	plan, err := s.Removals.PlanPrune(t.Context(), shelf.Prune{})
	if err != nil {
		t.Fatal(err)
	}
	u := s.counted()
	if u.Reclaimable.Dangling != plan.Totals.Freed || u.Reclaimable.Images != plan.Totals.Images || plan.Totals.Freed == 0 {
		t.Errorf("%+v, the plan frees %d by %d images", u.Reclaimable, plan.Totals.Freed, plan.Totals.Images)
	}
	// By the sums alone it is the same, but for a base that stays.
	c := usageCount{ctx: t.Context()}
	err = s.folder.db.Scratch(t.Context(), func(tx *sql.Tx) error { c.tx = tx; return c.count() })
	if kept := c.u.Reclaimable.Dangling - plan.Totals.Freed; err != nil || kept < 0 || kept > 10_000 || c.u.Dangling != c.u.Reclaimable.Dangling || c.dangling != 2 {
		t.Errorf("by the sums %d of %d, planned %d, of %d digests: %v", c.u.Reclaimable.Dangling, c.u.Dangling, plan.Totals.Freed, c.dangling, err)
	}
}

func TestWhatNobodyPinnedIsReclaimable(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64 arm64")
	s.pull("postgres:15=postgres amd64")
	s.pull("redis:7=redis amd64")
	all := s.blobsOf("ubuntu:22.04=jammy amd64 arm64", "postgres:15=postgres amd64", "redis:7=redis amd64")
	if u := s.counted(); u.Reclaimable.Unpinned != sumOf(all) {
		t.Errorf("%d, want all %d", u.Reclaimable.Unpinned, sumOf(all))
	}
	s.pin("postgres:15")
	for d := range s.blobsOf("postgres:15=postgres amd64") {
		delete(all, d)
	}
	u := s.counted()
	if u.Reclaimable.Unpinned != sumOf(all) {
		t.Errorf("%d, want %d", u.Reclaimable.Unpinned, sumOf(all))
	}
	if r := s.Usage.Reclaimable(); r != u.Reclaimable {
		t.Errorf("%+v, want %+v", r, u.Reclaimable)
	}
}
