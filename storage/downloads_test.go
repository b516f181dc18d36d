package storage

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// handedRows returns the list's rows with how often and when they were handed out, as days after the start: "redis:7 3 at 2".
func (s *testShelf) handedRows(start time.Time) []string {
	s.t.Helper()
	if err := s.Downloads.WriteDownloads(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	rows, _, err := s.Lists.List(s.t.Context(), shelf.Query{Limit: 100})
	if err != nil {
		s.t.Fatal(err)
	}
	var words []string
	for _, r := range rows {
		word := fmt.Sprintf("%s %d", s.Word(r.Reference), r.Downloads.Count)
		if !r.Downloads.Last.IsZero() {
			word += fmt.Sprintf(" at %d", int(r.Downloads.Last.Sub(start).Hours()/24))
		}
		words = append(words, word)
	}
	slices.Sort(words)
	return words
}

func (s *testShelf) isHanded(start time.Time, want ...string) {
	s.t.Helper()
	if got := s.handedRows(start); !slices.Equal(got, want) {
		s.t.Errorf("handed out\n got %q\nwant %q", got, want)
	}
}

func TestWhatIsHandedOutCountsForItsRow(t *testing.T) {
	s, c := newUndoShelf(t)
	start := c.now()
	s.fill([]string{"redis:7=redis amd64", "redis:latest=redis amd64", "ubuntu:22.04=jammy amd64 arm64"})
	s.isHanded(start, "redis:7 0", "redis:latest 0", "ubuntu:22.04 0")
	c.move(24 * time.Hour)
	s.hand("redis:7")
	s.hand("redis:7")
	s.isHanded(start, "redis:7 2 at 1", "redis:latest 0", "ubuntu:22.04 0")
	c.move(24 * time.Hour)
	s.hand("redis@=redis") // which of the tags was meant, nobody knows
	s.isHanded(start, "redis:7 3 at 2", "redis:latest 1 at 2", "ubuntu:22.04 0")
	c.move(24 * time.Hour)
	s.hand("ubuntu:22.04")
	s.hand("ubuntu:22.04/arm64") // as docker asks after the index
	s.isHanded(start, "redis:7 3 at 2", "redis:latest 1 at 2", "ubuntu:22.04 1 at 3")

	s.pull("redis:7=ci amd64") // moves
	s.isHanded(start, "redis:7 2 at 1", "redis:latest 1 at 2", "ubuntu:22.04 1 at 3")
	s.delete(false, "redis:latest") // what it pointed to goes with it
	s.isHanded(start, "redis:7 2 at 1", "ubuntu:22.04 1 at 3")
	s.pull("redis:7=redis amd64")
	s.isHanded(start, "redis:7 2 at 1", "redis@ci 0", "ubuntu:22.04 1 at 3")
}

func TestOfADigestEverythingCounts(t *testing.T) {
	s, c := newUndoShelf(t)
	start := c.now()
	s.pull("redis:7=redis amd64")
	s.hand("redis:7")
	s.hand("redis@=redis")
	s.hand("redis@=redis")
	s.pull("redis:7=ci amd64")
	s.isHanded(start, "redis:7 1 at 0", "redis@redis 3 at 0")
	out, err := s.Downloads.DownloadsOf(t.Context(), s.Read("redis@=redis").Ref, []image.Digest{s.Build("redis").Digest()})
	if err != nil || out.Count != 3 || !out.Last.Equal(start) || !out.Since.Equal(start) || out.Images[s.Build("redis").Digest()].Count != 3 {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestTheImagesOfAnArchiveCountByTheirDigests(t *testing.T) {
	s, _ := newUndoShelf(t)
	s.pull("ubuntu:22.04=jammy amd64 arm64")
	ref := s.Read("ubuntu:22.04=jammy").Ref
	target := s.target(ref)
	amd64, arm64 := target.Images[0].Manifest, target.Images[1].Manifest
	s.Downloads.Downloaded(ref, target.Digest, amd64)
	s.Downloads.Downloaded(ref.WithTag("").WithDigest(amd64), amd64, amd64) // of one platform, which is itself
	if err := s.Downloads.WriteDownloads(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, err := s.Downloads.DownloadsOf(t.Context(), ref, []image.Digest{amd64, arm64})
	if err != nil || out.Count != 1 || out.Images[amd64].Count != 2 || out.Images[arm64].Count != 0 {
		t.Errorf("%+v, %v", out, err)
	}
	if h, err := s.Downloads.DownloadsOfManifest(t.Context(), amd64); err != nil || h.Count != 2 || h.Last.IsZero() {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestRepositoriesAddUpWhatIsHandedOutOnce(t *testing.T) {
	s, c := newUndoShelf(t)
	s.fill([]string{"redis:7=redis amd64", "redis:latest=redis amd64", "redis@=ci amd64", "ubuntu:22.04=jammy amd64 arm64"})
	for range 3 {
		s.hand("redis:7")
	}
	s.hand("redis:latest")
	c.move(time.Hour)
	s.hand("redis@=redis")
	s.hand("redis@=ci")
	if err := s.Downloads.WriteDownloads(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, _, err := s.Lists.ListRepositories(t.Context(), shelf.Query{Sort: shelf.SortDownloads, Descending: true, Limit: 10})
	if err != nil || len(rows) != 2 || rows[0].Downloads.Count != 6 || !rows[0].Downloads.Last.Equal(c.now()) || rows[1].Downloads.Count != 0 || !rows[1].Downloads.Last.IsZero() {
		t.Errorf("%+v, %v", rows, err)
	}
}

func TestWhatIsHandedOutIsWrittenAtTheEndAndSurvivesARestart(t *testing.T) {
	s, c := newUndoShelf(t)
	start := c.now()
	s.pull("redis:7=redis amd64")
	s.hand("redis:7")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c.move(48 * time.Hour)
	s.open()
	defer s.Close()
	s.isHanded(start, "redis:7 1 at 0")
	out, err := s.Downloads.DownloadsOf(t.Context(), s.Read("redis:7=redis").Ref, nil)
	if err != nil || !out.Since.Equal(start) {
		t.Errorf("counted since %s (%v), want %s: the first start", out.Since, err, start)
	}
}

func TestCountsComeBackWithWhatWasDeleted(t *testing.T) {
	s, c := newUndoShelf(t)
	s.fill([]string{"redis:7=redis amd64", "redis:latest=redis amd64", "ubuntu:22.04=jammy amd64 arm64", "mirror.example.com/ubuntu:22.04=jammy amd64 arm64"})
	for _, name := range []string{"redis:7", "redis:latest", "redis@=redis", "ubuntu:22.04", "ubuntu:22.04/amd64", "ubuntu:22.04/arm64"} {
		c.move(time.Second)
		s.hand(name)
	}
	if err := s.Downloads.WriteDownloads(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Unpacker.AwaitUnpacked(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := s.dump(dumpQueries...)
	for _, names := range [][]string{{"redis:latest"}, {"redis:7", "redis:latest"}, {"ubuntu:22.04"}, {"redis:7", "ubuntu:22.04", "redis:latest"}} {
		removed := s.delete(true, names...)
		if slices.Equal(s.dump(dumpQueries...), before) {
			t.Fatalf("%q: nothing was deleted", names)
		}
		s.undo(removed.ID)
		s.same(fmt.Sprintf("%q undone", names), s.dump(dumpQueries...), before)
	}
}

func TestCountsComeBackToWhatWasPulledAgain(t *testing.T) {
	s, c := newUndoShelf(t)
	start := c.now()
	s.pull("redis:7=redis amd64")
	for range 3 {
		s.hand("redis@=redis")
	}
	s.isHanded(start, "redis:7 3 at 0")
	removed := s.delete(false, "redis:7")
	c.move(time.Second)
	s.pull("redis:7=redis amd64")
	s.hand("redis@=redis")
	s.isHanded(start, "redis:7 1 at 0")
	s.undo(removed.ID)
	s.isHanded(start, "redis:7 3 at 0")
}

// Serving looks up the same few again and again: that one of them was handed out must not make it forget them.
func TestCountingForgetsNoLookUp(t *testing.T) {
	s := newShelf(t)
	s.pull("redis:7=redis amd64")
	if err := s.Unpacker.AwaitUnpacked(t.Context()); err != nil {
		t.Fatal(err)
	}
	ref := s.Read("redis:7=redis").Ref
	m, err := s.Serving.Served(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	s.Downloads.Downloaded(ref, m.Digest)
	if err := s.Downloads.WriteDownloads(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Serving.manifests.Get(ref, s.folder.db.Changes()); !ok {
		t.Error("the look-up is forgotten")
	}
	s.isHanded(time.Time{}, s.handedRows(time.Time{})...)
	if rows, _, err := s.Lists.List(t.Context(), shelf.Query{Limit: 1}); err != nil || rows[0].Downloads.Count != 1 {
		t.Errorf("the list does not know: %+v, %v", rows, err)
	}
}

// A mirror hands out what it is still fetching: its rows come with the end of the pull.
func TestWhatIsRecordedSoonAfterItWasHandedOutCounts(t *testing.T) {
	s, c := newUndoShelf(t)
	start := c.now()
	ref := s.Read("redis:7=redis").Ref
	other := s.Read("mine:1=ci").Ref
	s.Downloads.Downloaded(ref, s.Build("redis").Digest())
	s.Downloads.Downloaded(other, s.Build("ci").Digest())
	s.isHanded(start)
	c.move(handedWait / 2)
	s.pull("redis:7=redis amd64")
	s.isHanded(start, "redis:7 1 at 0")
	c.move(handedWait)
	s.isHanded(start, "redis:7 1 at 0") // the other is given up
	s.pull("mine:1=ci amd64")
	s.isHanded(start, "mine:1 0", "redis:7 1 at 0")
}

// Clients can ask for more names than anybody should keep in memory.
func TestWhatIsCountedIsBounded(t *testing.T) {
	s := newShelf(t)
	h := newDownloads(s.folder.db, slog.New(slog.DiscardHandler), time.Now) // which nobody writes
	for n := range mostHanded + 10 {
		h.add(handedKey{repository: "docker.io/library/redis", tag: fmt.Sprint(n)}, 1, 0)
	}
	h.add(handedKey{repository: "docker.io/library/redis", tag: "0"}, 1, 0)
	if len(h.counts) != mostHanded || h.refused != 10 || h.counts[handedKey{repository: "docker.io/library/redis", tag: "0"}].n != 2 {
		t.Errorf("%d are kept, %d refused", len(h.counts), h.refused)
	}
}

// BenchmarkHandedOut is what counting adds to an answer: beside the look-up that comes before it.
func BenchmarkHandedOut(b *testing.B) {
	s, err := Open(b.Context(), Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	ref := image.Reference{Repository: "docker.io/library/ubuntu", Tag: "22.04"}
	m := shelf.Served{Digest: image.DigestOf([]byte("ubuntu"))}
	b.Run("look up", func(b *testing.B) {
		change := s.folder.db.Changes()
		s.Serving.manifests.Put(ref, m, change)
		for b.Loop() {
			if _, ok := s.Serving.manifests.Get(ref, change); !ok {
				b.Fatal("it is forgotten")
			}
		}
	})
	b.Run("look at the clock", func(b *testing.B) {
		for b.Loop() {
			s.Downloads.now()
		}
	})
	b.Run("count", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Downloads.Downloaded(ref, m.Digest)
		}
	})
	b.Run("count at once", func(b *testing.B) {
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				s.Downloads.Downloaded(ref, m.Digest)
			}
		})
	})
}
