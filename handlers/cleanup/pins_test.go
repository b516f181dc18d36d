package cleanup_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/test/pages"
	"github.com/stowage/stowage/views/cleanup"
	"github.com/stowage/stowage/views/marks"
	"github.com/stowage/stowage/views/text"
)

const redisPage = "/images/docker.io/library/redis"

func TestAPinIsSetChangedAndTakenAwayOnThePageOfATag(t *testing.T) {
	s := pages.New(t)
	s.Pull("redis:7")
	s.Get(redisPage+":7").Is(t, http.StatusOK, `action="`+redisPage+`:7/pin" method="post"`, "The pin stays with this digest when the tag moves on.")

	s.Post(redisPage+":7/pin", url.Values{"note": {"needed by billing"}}).WentTo(t, redisPage+":7", "Pinned what redis:7 points to now.")
	page := s.Get(redisPage + ":7")
	page.Is(t, http.StatusOK, "Pinned by mira, less than a second ago: ", "needed by billing", "Pin note")
	page.ImageGolden(t, "image_pinned")

	s.Post(redisPage+":7/pin", url.Values{"note": {"until <March>"}}).WentTo(t, redisPage+":7", "Pinned ")
	changed := s.Get(redisPage + ":7/config")
	changed.Is(t, http.StatusOK, "until &lt;March&gt;")
	changed.Lacks(t, "needed by billing")

	digest := s.Target("redis:7").Digest
	byDigest := redisPage + "@" + string(digest)
	s.Get(byDigest).Is(t, http.StatusOK, "until &lt;March&gt;")
	s.Post(byDigest+"/unpin", url.Values{"back": {redisPage + ":7/config"}}).WentTo(t, redisPage+":7/config", "Unpinned redis@"+image.ShortDigest(digest)+".")
	s.Get(redisPage+":7").Lacks(t, "Pinned by")
	s.Post(redisPage+":7/unpin", nil).Is(t, http.StatusNotFound, "redis:7 is not pinned.")
}

func TestAnImageIDIsPinnedByItsDigestOrByOneOfItsNames(t *testing.T) {
	s := pages.New(t)
	s.Pull("redis:7")
	id := string(s.Store.Images.Preferred(s.Target("redis:7").Images).ID)
	s.Get("/images/"+id).Is(t, http.StatusOK, redisPage+"@"+string(s.Target("redis:7").Digest)+`/pin" method="post"`)
	s.Post("/images/"+id+"/pin", url.Values{"note": {"needed"}}).WentTo(t, "/images/"+id, "Pinned redis@")
	page := s.Get("/images/" + id)
	page.Is(t, http.StatusOK, "Pinned by mira", "needed", "/unpin\" method=\"post\"")
	s.Post("/images/"+id+"/unpin", nil).WentTo(t, "/images/"+id, "Unpinned redis@")

	s.Pull("mirror.example.com/library/redis:7")
	several := s.Get("/images/" + id)
	several.Is(t, http.StatusOK, `formaction="`+redisPage+`:7/pin"`, `formaction="/images/mirror.example.com/library/redis:7/pin"`)
	s.Post("/images/"+id+"/pin", nil).Is(t, http.StatusConflict, "is stored under several digests", "Pin it by one of its names.")
	s.Post(redisPage+":7/pin", url.Values{"back": {"/images/" + id}}).WentTo(t, "/images/"+id, "Pinned ")
	s.Get("/images/"+id).Is(t, http.StatusOK, "Pinned by mira")
}

func TestAPinStaysWithTheDigestWhenTheTagMovesOn(t *testing.T) {
	reg := fake.NewEmptyRegistry()
	s := pages.NewOn(t, reg)
	s.PullRolling(reg, 1)
	old := s.Target("ubuntu:rolling").Digest
	s.Post(pages.Ubuntu+":rolling/pin", url.Values{"note": {"kept for the audit"}}).WentTo(t, pages.Ubuntu+":rolling", "Pinned ")
	s.PullRolling(reg, 2)
	s.Get(pages.Ubuntu+":rolling").Lacks(t, "Pinned by", "kept for the audit")
	s.Get(pages.Ubuntu+"@"+string(old)).Is(t, http.StatusOK, "Pinned by mira", "kept for the audit")
	s.Get(pages.Ubuntu+"@"+string(old)+"/delete").Is(t, http.StatusOK, "is pinned: somebody marked it as in use.")
}

func TestBadPinsAreRefused(t *testing.T) {
	s := pages.New(t)
	s.Pull("redis:7")
	s.Post(redisPage+":7/pin", url.Values{"note": {strings.Repeat("x", shelf.MaxPinNote+1)}}).Is(t, http.StatusBadRequest, "at most 500 characters")
	s.Post(redisPage+":8/pin", nil).Is(t, http.StatusNotFound)
	s.Post("/images/sha256:abcd/pin", nil).Is(t, http.StatusNotFound)
	s.Get(redisPage+":7").Lacks(t, "Pinned by")
	if marks.MaxPinNote != shelf.MaxPinNote {
		t.Errorf("the form takes %d characters, the store %d", marks.MaxPinNote, shelf.MaxPinNote)
	}
}

func TestTheAddressOfAPinFormLeadsToThePage(t *testing.T) {
	s := pages.New(t)
	for _, section := range []string{"/pin", "/unpin"} {
		if a := s.Get(redisPage + ":7" + section); a.Status != http.StatusSeeOther || a.Header.Get("Location") != redisPage+":7" {
			t.Errorf("%s: %d to %q", section, a.Status, a.Header.Get("Location"))
		}
	}
}

func TestTheListOfPinsSaysWhoAndWhy(t *testing.T) {
	s := pages.New(t)
	s.Pull("redis:7")
	s.Pull("postgres:15")
	s.Post(redisPage+":7/pin", url.Values{"note": {"needed by billing"}})
	s.Post("/images/docker.io/library/postgres:15/pin", nil)
	pins, total, err := s.Store.Tags.Pins(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	if err := cleanup.PinsList(pins, total, "/storage").Render(text.WithLocale(t.Context(), text.Locale{Now: pages.Clock}), &page); err != nil {
		t.Fatal(err)
	}
	a := pages.Answer{Body: page.String()}
	a.Golden(t, "pins")
	if !strings.Contains(a.Body, "and 1 more") || !strings.Contains(a.Body, `name="back" value="/storage"`) {
		t.Errorf("the list of pins is\n%s", a.Body)
	}
}
