package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/cleanup"
	"github.com/stowage/stowage/views/marks"
	"github.com/stowage/stowage/views/text"
)

const redisPage = "/images/docker.io/library/redis"

// pullRolling pulls a version of a tag that moves.
func (s *testShelf) pullRolling(reg *fake.Registry, version int) {
	s.t.Helper()
	source, err := sample.Rolling(version)
	if err == nil {
		err = reg.Push(s.t.Context(), "library/ubuntu", source, "rolling")
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.pull("ubuntu:rolling", "linux/amd64")
}

func TestAPinIsSetChangedAndTakenAwayOnThePageOfATag(t *testing.T) {
	s := newShelf(t)
	s.pull("redis:7")
	s.get(redisPage+":7").is(t, http.StatusOK, `action="`+redisPage+`:7/pin" method="post"`, "The pin stays with this digest when the tag moves on.")

	s.post(redisPage+":7/pin", url.Values{"note": {"needed by billing"}}).wentTo(t, redisPage+":7", "Pinned what redis:7 points to now.")
	page := s.get(redisPage + ":7")
	page.is(t, http.StatusOK, "Pinned by mira, less than a second ago: ", "needed by billing", "Pin note")
	page.imageGolden(t, "image_pinned")

	s.post(redisPage+":7/pin", url.Values{"note": {"until <March>"}}).wentTo(t, redisPage+":7", "Pinned ")
	changed := s.get(redisPage + ":7/config")
	changed.is(t, http.StatusOK, "until &lt;March&gt;")
	changed.lacks(t, "needed by billing")

	digest := s.target("redis:7").Digest
	byDigest := redisPage + "@" + string(digest)
	s.get(byDigest).is(t, http.StatusOK, "until &lt;March&gt;")
	s.post(byDigest+"/unpin", url.Values{"back": {redisPage + ":7/config"}}).wentTo(t, redisPage+":7/config", "Unpinned redis@"+image.ShortDigest(digest)+".")
	s.get(redisPage+":7").lacks(t, "Pinned by")
	s.post(redisPage+":7/unpin", nil).is(t, http.StatusNotFound, "redis:7 is not pinned.")
}

func TestAnImageIDIsPinnedByItsDigestOrByOneOfItsNames(t *testing.T) {
	s := newShelf(t)
	s.pull("redis:7")
	id := string(s.store.Preferred(s.target("redis:7").Images).ID)
	s.get("/images/"+id).is(t, http.StatusOK, redisPage+"@"+string(s.target("redis:7").Digest)+`/pin" method="post"`)
	s.post("/images/"+id+"/pin", url.Values{"note": {"needed"}}).wentTo(t, "/images/"+id, "Pinned redis@")
	page := s.get("/images/" + id)
	page.is(t, http.StatusOK, "Pinned by mira", "needed", "/unpin\" method=\"post\"")
	s.post("/images/"+id+"/unpin", nil).wentTo(t, "/images/"+id, "Unpinned redis@")

	s.pull("mirror.example.com/library/redis:7")
	several := s.get("/images/" + id)
	several.is(t, http.StatusOK, `formaction="`+redisPage+`:7/pin"`, `formaction="/images/mirror.example.com/library/redis:7/pin"`)
	s.post("/images/"+id+"/pin", nil).is(t, http.StatusConflict, "is stored under several digests", "Pin it by one of its names.")
	s.post(redisPage+":7/pin", url.Values{"back": {"/images/" + id}}).wentTo(t, "/images/"+id, "Pinned ")
	s.get("/images/"+id).is(t, http.StatusOK, "Pinned by mira")
}

func TestAPinStaysWithTheDigestWhenTheTagMovesOn(t *testing.T) {
	reg := fake.NewEmptyRegistry()
	s := newShelfOn(t, reg)
	s.pullRolling(reg, 1)
	old := s.target("ubuntu:rolling").Digest
	s.post(ubuntu+":rolling/pin", url.Values{"note": {"kept for the audit"}}).wentTo(t, ubuntu+":rolling", "Pinned ")
	s.pullRolling(reg, 2)
	s.get(ubuntu+":rolling").lacks(t, "Pinned by", "kept for the audit")
	s.get(ubuntu+"@"+string(old)).is(t, http.StatusOK, "Pinned by mira", "kept for the audit")
	s.get(ubuntu+"@"+string(old)+"/delete").is(t, http.StatusOK, "is pinned: somebody marked it as in use.")
}

func TestBadPinsAreRefused(t *testing.T) {
	s := newShelf(t)
	s.pull("redis:7")
	s.post(redisPage+":7/pin", url.Values{"note": {strings.Repeat("x", shelf.MaxPinNote+1)}}).is(t, http.StatusBadRequest, "at most 500 characters")
	s.post(redisPage+":8/pin", nil).is(t, http.StatusNotFound)
	s.post("/images/sha256:abcd/pin", nil).is(t, http.StatusNotFound)
	s.get(redisPage+":7").lacks(t, "Pinned by")
	if marks.MaxPinNote != shelf.MaxPinNote {
		t.Errorf("the form takes %d characters, the store %d", marks.MaxPinNote, shelf.MaxPinNote)
	}
}

func TestTheAddressOfAPinFormLeadsToThePage(t *testing.T) {
	s := newShelf(t)
	for _, section := range []string{"/pin", "/unpin"} {
		if a := s.get(redisPage + ":7" + section); a.status != http.StatusSeeOther || a.header.Get("Location") != redisPage+":7" {
			t.Errorf("%s: %d to %q", section, a.status, a.header.Get("Location"))
		}
	}
}

func TestTheListOfPinsSaysWhoAndWhy(t *testing.T) {
	s := newShelf(t)
	s.pull("redis:7")
	s.pull("postgres:15")
	s.post(redisPage+":7/pin", url.Values{"note": {"needed by billing"}})
	s.post("/images/docker.io/library/postgres:15/pin", nil)
	pins, total, err := s.store.Pins(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	if err := cleanup.PinsList(pins, total, "/storage").Render(text.WithLocale(t.Context(), text.Locale{Now: clock}), &page); err != nil {
		t.Fatal(err)
	}
	a := answer{body: page.String()}
	a.golden(t, "pins")
	if !strings.Contains(a.body, "and 1 more") || !strings.Contains(a.body, `name="back" value="/storage"`) {
		t.Errorf("the list of pins is\n%s", a.body)
	}
}
