package cleanup_test

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
	"github.com/stowage/stowage/test/pages"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/cleanup"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// counted waits until what uses the disk has been counted as it is now.
func counted(s *pages.Shelf) shelf.Usage {
	s.T.Helper()
	s.Store.Janitor.Settle()
	u, current, err := s.Store.Usage.Usage(s.T.Context(), time.Minute)
	if err != nil || !current {
		s.T.Fatalf("current: %v, %v", current, err)
	}
	return u
}

// What differs from one disk, or one run, to the next.
var (
	volume   = regexp.MustCompile(`of [0-9.]+ [kMGTP]?B, [0-9.]+ [kMGTP]?B free`)
	ownFiles = regexp.MustCompile(`(?s)(<dd class="num text-right" title=)"[^"]*">[0-9,]+ bytes(</dd>)`)
)

// steady takes out of a page what differs from one disk to the next.
func steady(a pages.Answer) pages.Answer {
	a.Body = volume.ReplaceAllString(a.Body, "of … free")
	a.Body = ownFiles.ReplaceAllString(a.Body, `$1"…">… bytes$2`)
	return a
}

func TestTheStoragePageShowsWhatUsesTheDisk(t *testing.T) {
	s := pages.Filled(t)
	u := counted(s)
	page := s.Get("/storage")
	page.Is(t, http.StatusOK, "On disk", "Without sharing", "Unpacked", "Waiting to be swept", "Reclaimable", `<svg class="treemap"`, "Largest layers", "Counted",
		`href="/images/docker.io/library/ubuntu"`, text.HumanSize(u.Copies), text.HumanSize(u.Unpacked), `action="/prune"`, "Nothing is pinned.")
	page.Lacks(t, "storage-poll", "style=", "<meta http-equiv=\"refresh\"", "Free it now")
	steady(page).Golden(t, "storage")
}

func TestTheStoragePageOfAnEmptyShelfSaysSo(t *testing.T) {
	s := pages.New(t)
	counted(s)
	page := s.Get("/storage")
	page.Is(t, http.StatusOK, "Nothing is stored yet", "There are no layers yet.", "Nothing to prune", "no layer is shared")
	page.Lacks(t, "<svg class=\"treemap\"", "Free it now")
	steady(page).Golden(t, "storage-empty")
}

func TestWhatIsNotCountedYetIsAskedForAgain(t *testing.T) {
	v := cleanup.StorageView{Disk: shelf.DiskUse{Images: 3_000_000, Volume: 10_000_000, Free: 5_000_000}}
	var page strings.Builder
	if err := cleanup.StoragePage(ui.Chrome{Refresh: 2}, v, ui.Text(""), ui.Text("")).Render(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	a := pages.Answer{Status: http.StatusOK, Body: page.String()}
	a.Is(t, http.StatusOK, "3 MB", "counting", "Counting what uses the disk…", `hx-get="/storage" hx-trigger="every 1s"`, `<noscript><meta http-equiv="refresh" content="2">`)
	a.Golden(t, "storage-counting")
}

func TestACountThatFailedIsSaidAndNotAskedForAgainAndAgain(t *testing.T) {
	var page strings.Builder
	if err := cleanup.StoragePage(ui.Chrome{}, cleanup.StorageView{Failed: true}, ui.Text(""), ui.Text("")).Render(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	a := pages.Answer{Status: http.StatusOK, Body: page.String()}
	a.Is(t, http.StatusOK, "What uses the disk could not be counted")
	a.Lacks(t, "hx-trigger=\"every", "counting")
}

func TestHtmxGetsThePartsThatWereCounted(t *testing.T) {
	s := pages.New(t)
	s.Pull("redis:7")
	counted(s)
	part := s.Get("/storage", "HX-Request", "true", "HX-Request-Type", "partial")
	part.Is(t, http.StatusOK, `<div id="storage-figures"`, `hx-target="#storage-map"`, `hx-target="#largest"`, `hx-target="#storage-files"`)
	part.Lacks(t, "<html", "<h1", `action="/prune"`)
}

func TestAHostileLayerStaysTextOnTheStoragePage(t *testing.T) {
	s := pages.New(t)
	s.Pull("acme/hostile:latest")
	counted(s)
	page := s.Get("/storage")
	page.Is(t, http.StatusOK, "&lt;script&gt;alert(1)&lt;/script&gt;")
	page.Lacks(t, "<script>alert", "\u202e")
}

func TestFreeingWhatWaitsGivesUpUndoing(t *testing.T) {
	s := pages.New(t, undoable)
	s.Pull("redis:7")
	s.Post("/images/docker.io/library/redis:7/delete", s.Get("/images/docker.io/library/redis:7/delete").Form(t))
	counted(s)
	page := s.Get("/storage")
	page.Is(t, http.StatusOK, "until 09:40 UTC", "Free it now", `action="/removals/1/undo"`, "Freeing them now gives that up.")
	steady(page).Golden(t, "storage-waiting")
	done := s.Post("/storage/sweep", nil)
	done.WentTo(t, "/storage", "Freed ")
	if text := done.Flash(t).Text; !strings.Contains(text, "cannot be undone any more") {
		t.Error(text)
	}
	if u := counted(s); u.Waiting != 0 || u.Files.Blobs != 0 {
		t.Errorf("%d bytes wait, %d are on the disk", u.Waiting, u.Files.Blobs)
	}
	s.Post("/removals/1/undo", nil).Is(t, http.StatusNotFound)
	s.Post("/storage/sweep", nil).WentTo(t, "/storage", "Nothing was waiting")
	if a := s.Get("/storage/sweep"); a.Status != http.StatusSeeOther || a.Header.Get("Location") != "/storage" {
		t.Errorf("%d to %q", a.Status, a.Header.Get("Location"))
	}
}

func TestWhatUnfinishedPullsHaveLeftIsShownAndCanBeFreed(t *testing.T) {
	s := pages.New(t)
	content := []byte("a layer that never came whole")
	d := image.Descriptor{Digest: image.DigestOf(content), Size: int64(len(content))}
	w, err := s.Store.Blobs.NewBlob(d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content[:10]); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	counted(s)
	s.Get("/storage").Is(t, http.StatusOK, `id="unfinished"`, image.ShortDigest(d.Digest), "10 B", `action="/storage/unfinished"`)
	s.Post("/storage/unfinished", nil).WentTo(t, "/storage", "Freed 10 B")
	s.Get("/storage").Lacks(t, `id="unfinished"`)
	s.Post("/storage/unfinished", nil).WentTo(t, "/storage", "No unfinished pull had left anything.")
	if s.Store.Blobs.PartialBlob(d.Digest) != 0 {
		t.Error("it is still there")
	}
}

func TestThePartsOfTheMapAreWhatIsOnDisk(t *testing.T) {
	reg := fake.NewEmptyRegistry()
	s := pages.NewOn(t, reg, undoable)
	for version := 1; version <= 3; version++ {
		s.PullRolling(reg, version)
	}
	prune(s, "")
	s.PullRolling(reg, 1)
	u := counted(s)
	var sum int64
	kinds := map[cleanup.PartKind]int64{}
	for _, p := range cleanuppages.Counted(t.Context(), u).Parts {
		sum += p.Bytes
		kinds[p.Kind] += p.Bytes
	}
	disk, err := s.Store.Usage.DiskUse(t.Context(), u)
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
func prune(s *pages.Shelf, query string) pages.Answer {
	s.T.Helper()
	return s.Post("/prune", pruneForm(s.Get("/prune"+query), s.T))
}

func TestTheStoragePageIsInKorean(t *testing.T) {
	s := pages.New(t)
	s.Pull("redis:7")
	counted(s)
	for path, text := range map[string]string{"/storage": "공유하지 않을 때", "/prune": "정리할 것이 없습니다", "/prune?all=1": "이미지 정리"} {
		s.Get(path, "Accept-Language", "ko").Is(t, http.StatusOK, `<html lang="ko"`, text)
	}
	s.Get("/prune?until=gestern", "Accept-Language", "ko").Is(t, http.StatusBadRequest, "until: ")
}

func TestTheCountedReferencesOfALayerLeadToItsImages(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04")
	s.Pull("ubuntu:latest")
	u := counted(s)
	if len(u.Largest) == 0 || len(u.Largest[0].References) != 2 {
		t.Fatalf("%+v", u.Largest)
	}
	s.Get("/storage").Is(t, http.StatusOK, `href="`+address.Layer(u.Largest[0].Digest)+`"`, `href="`+address.Of(image.Reference{Repository: "docker.io/library/ubuntu", Tag: "latest"}).String()+`"`)
}
