package handlers

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	cleanuppages "github.com/stowage/stowage/handlers/cleanup"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/cleanup"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// counted waits until what uses the disk has been counted as it is now.
func (s *testShelf) counted() shelf.Usage {
	s.t.Helper()
	s.store.Settle()
	u, current, err := s.store.Usage(s.t.Context(), time.Minute)
	if err != nil || !current {
		s.t.Fatalf("current: %v, %v", current, err)
	}
	return u
}

// What differs from one disk, or one run, to the next.
var (
	volume   = regexp.MustCompile(`of [0-9.]+ [kMGTP]?B, [0-9.]+ [kMGTP]?B free`)
	ownFiles = regexp.MustCompile(`(?s)(<dd class="num text-right" title=)"[^"]*">[0-9,]+ bytes(</dd>)`)
)

// steady takes out of a page what differs from one disk to the next.
func (a answer) steady() answer {
	a.body = volume.ReplaceAllString(a.body, "of … free")
	a.body = ownFiles.ReplaceAllString(a.body, `$1"…">… bytes$2`)
	return a
}

func TestTheStoragePageShowsWhatUsesTheDisk(t *testing.T) {
	s := filled(t)
	u := s.counted()
	page := s.get("/storage")
	page.is(t, http.StatusOK, "On disk", "Without sharing", "Unpacked", "Waiting to be swept", "Reclaimable", `<svg class="treemap"`, "Largest layers", "Counted",
		`href="/images/docker.io/library/ubuntu"`, text.HumanSize(u.Copies), text.HumanSize(u.Unpacked), `action="/prune"`, "Nothing is pinned.")
	page.lacks(t, "storage-poll", "style=", "<meta http-equiv=\"refresh\"", "Free it now")
	page.steady().golden(t, "storage")
}

func TestTheStoragePageOfAnEmptyShelfSaysSo(t *testing.T) {
	s := newShelf(t)
	s.counted()
	page := s.get("/storage")
	page.is(t, http.StatusOK, "Nothing is stored yet", "There are no layers yet.", "Nothing to prune", "no layer is shared")
	page.lacks(t, "<svg class=\"treemap\"", "Free it now")
	page.steady().golden(t, "storage-empty")
}

func TestWhatIsNotCountedYetIsAskedForAgain(t *testing.T) {
	v := cleanup.StorageView{Disk: shelf.DiskUse{Images: 3_000_000, Volume: 10_000_000, Free: 5_000_000}}
	var page strings.Builder
	if err := cleanup.StoragePage(ui.Chrome{Refresh: cleanuppages.CountRefresh}, v, ui.Text(""), ui.Text("")).Render(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	a := answer{status: http.StatusOK, body: page.String()}
	a.is(t, http.StatusOK, "3 MB", "counting", "Counting what uses the disk…", `hx-get="/storage" hx-trigger="every 1s"`, `<noscript><meta http-equiv="refresh" content="2">`)
	a.golden(t, "storage-counting")
}

func TestACountThatFailedIsSaidAndNotAskedForAgainAndAgain(t *testing.T) {
	var page strings.Builder
	if err := cleanup.StoragePage(ui.Chrome{}, cleanup.StorageView{Failed: true}, ui.Text(""), ui.Text("")).Render(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	a := answer{status: http.StatusOK, body: page.String()}
	a.is(t, http.StatusOK, "What uses the disk could not be counted")
	a.lacks(t, "hx-trigger=\"every", "counting")
}

func TestHtmxGetsThePartsThatWereCounted(t *testing.T) {
	s := newShelf(t)
	s.pull("redis:7")
	s.counted()
	part := s.get("/storage", "HX-Request", "true", "HX-Request-Type", "partial")
	part.is(t, http.StatusOK, `<div id="storage-figures"`, `hx-target="#storage-map"`, `hx-target="#largest"`, `hx-target="#storage-files"`)
	part.lacks(t, "<html", "<h1", `action="/prune"`)
}

func TestAHostileLayerStaysTextOnTheStoragePage(t *testing.T) {
	s := newShelf(t)
	s.pull("acme/hostile:latest")
	s.counted()
	page := s.get("/storage")
	page.is(t, http.StatusOK, "&lt;script&gt;alert(1)&lt;/script&gt;")
	page.lacks(t, "<script>alert", "\u202e")
}

func TestFreeingWhatWaitsGivesUpUndoing(t *testing.T) {
	s := newShelf(t, undoable)
	s.pull("redis:7")
	s.post("/images/docker.io/library/redis:7/delete", s.get("/images/docker.io/library/redis:7/delete").form(t))
	s.counted()
	page := s.get("/storage")
	page.is(t, http.StatusOK, "until 09:40 UTC", "Free it now", `action="/removals/1/undo"`, "Freeing them now gives that up.")
	page.steady().golden(t, "storage-waiting")
	done := s.post("/storage/sweep", nil)
	done.wentTo(t, "/storage", "Freed ")
	if text := done.flash(t).Text; !strings.Contains(text, "cannot be undone any more") {
		t.Error(text)
	}
	if u := s.counted(); u.Waiting != 0 || u.Files.Blobs != 0 {
		t.Errorf("%d bytes wait, %d are on the disk", u.Waiting, u.Files.Blobs)
	}
	s.post("/removals/1/undo", nil).is(t, http.StatusNotFound)
	s.post("/storage/sweep", nil).wentTo(t, "/storage", "Nothing was waiting")
	if a := s.get("/storage/sweep"); a.status != http.StatusSeeOther || a.header.Get("Location") != "/storage" {
		t.Errorf("%d to %q", a.status, a.header.Get("Location"))
	}
}

func TestWhatUnfinishedPullsHaveLeftIsShownAndCanBeFreed(t *testing.T) {
	s := newShelf(t)
	content := []byte("a layer that never came whole")
	d := image.Descriptor{Digest: image.DigestOf(content), Size: int64(len(content))}
	w, err := s.store.NewBlob(d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content[:10]); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s.counted()
	s.get("/storage").is(t, http.StatusOK, `id="unfinished"`, image.ShortDigest(d.Digest), "10 B", `action="/storage/unfinished"`)
	s.post("/storage/unfinished", nil).wentTo(t, "/storage", "Freed 10 B")
	s.get("/storage").lacks(t, `id="unfinished"`)
	s.post("/storage/unfinished", nil).wentTo(t, "/storage", "No unfinished pull had left anything.")
	if s.store.PartialBlob(d.Digest) != 0 {
		t.Error("it is still there")
	}
}

func TestThePartsOfTheMapAreWhatIsOnDisk(t *testing.T) {
	reg := fake.NewEmptyRegistry()
	s := newShelfOn(t, reg, undoable)
	for version := 1; version <= 3; version++ {
		s.pullRolling(reg, version)
	}
	s.prune("")
	s.pullRolling(reg, 1)
	u := s.counted()
	var sum int64
	kinds := map[cleanup.PartKind]int64{}
	for _, p := range cleanuppages.Counted(t.Context(), u).Parts {
		sum += p.Bytes
		kinds[p.Kind] += p.Bytes
	}
	disk, err := s.store.DiskUse(t.Context(), u)
	if err != nil || sum != disk.Blobs() {
		t.Errorf("the map stands for %d bytes, %d are on disk (%v)", sum, disk.Blobs(), err)
	}
	for _, kind := range []cleanup.PartKind{cleanup.PartRepository, cleanup.PartDangling, cleanup.PartWaiting} {
		if kinds[kind] == 0 {
			t.Errorf("nothing is %s: %v", kind, kinds)
		}
	}
}

// prune prunes with the fields of an address and gives the answer.
func (s *testShelf) prune(query string) answer {
	s.t.Helper()
	return s.post("/prune", s.get("/prune"+query).pruneForm(s.t))
}

func TestTheStoragePageIsInKorean(t *testing.T) {
	s := newShelf(t)
	s.pull("redis:7")
	s.counted()
	for path, text := range map[string]string{"/storage": "공유하지 않을 때", "/prune": "정리할 것이 없습니다", "/prune?all=1": "이미지 정리"} {
		s.get(path, "Accept-Language", "ko").is(t, http.StatusOK, `<html lang="ko"`, text)
	}
	s.get("/prune?until=gestern", "Accept-Language", "ko").is(t, http.StatusBadRequest, "until: ")
}

func TestTheCountedReferencesOfALayerLeadToItsImages(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04")
	s.pull("ubuntu:latest")
	u := s.counted()
	if len(u.Largest) == 0 || len(u.Largest[0].References) != 2 {
		t.Fatalf("%+v", u.Largest)
	}
	s.get("/storage").is(t, http.StatusOK, `href="`+address.Layer(u.Largest[0].Digest)+`"`, `href="`+address.Of(image.Reference{Repository: "docker.io/library/ubuntu", Tag: "latest"}).String()+`"`)
}
