package handlers

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/storage"
	"github.com/stowage/stowage/views/cleanup"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// undoable lets deletions be undone for ten minutes.
func undoable(o *storage.Options) { o.UndoWindow = 10 * time.Minute }

// next asks for the page that a redirect leads to, with the message that it left.
func (s *testShelf) next(a answer) answer {
	s.t.Helper()
	for _, k := range (&http.Response{Header: a.header}).Cookies() {
		if k.Name == page.FlashCookie {
			return s.get(a.header.Get("Location"), "Cookie", page.FlashCookie+"="+k.Value)
		}
	}
	s.t.Fatalf("%d without a message", a.status)
	return answer{}
}

func TestADeletionIsUndoneFromThePageThatItLeadsTo(t *testing.T) {
	s := newShelf(t, undoable)
	s.pull("postgres:15")
	s.pull("redis:7")
	before := s.target("postgres:15")
	done := s.post("/delete", s.get(deleteAll("postgres:15", "redis:7")).allFields(t))
	done.wentTo(t, "/images", "Deleted 2 items. Their ")
	page := s.next(done)
	page.is(t, http.StatusOK, `action="/removals/1/undo" method="post"`, "Can be undone until 09:40 UTC", "Nothing on the shelf yet")
	page.golden(t, "undo-offered")
	s.has()

	undone := s.post("/removals/1/undo", page.form(t))
	undone.wentTo(t, "/images", "2 references are back: ")
	s.has("postgres:15", "redis:7")
	if after := s.target("postgres:15"); after.Digest != before.Digest || len(after.Images) != len(before.Images) {
		t.Errorf("postgres:15 came back as %+v, it was %+v", after, before)
	}
	s.post("/removals/1/undo", nil).is(t, http.StatusNotFound, "There is no deletion 1 that can be undone.")
}

func TestAnUndoSaysWhatWasPulledAgainMeanwhile(t *testing.T) {
	reg := fake.NewEmptyRegistry()
	s := newShelfOn(t, reg, undoable)
	s.pullRolling(reg, 1)
	old := s.target("ubuntu:rolling").Digest
	s.post(ubuntu+":rolling/delete", s.get(ubuntu+":rolling/delete").form(t)).wentTo(t, "/images", "Deleted ubuntu:rolling. Its ")
	s.pullRolling(reg, 2)
	now := s.target("ubuntu:rolling").Digest
	s.post("/removals/1/undo", nil).wentTo(t, "/images", "ubuntu@"+image.ShortDigest(old)+" is back. ubuntu:rolling was pulled again meanwhile and stays as it is")
	if got := s.target("ubuntu:rolling").Digest; got != now {
		t.Errorf("ubuntu:rolling points at %s after the undo, want %s", got, now)
	}
	s.has("ubuntu:rolling", "ubuntu@"+string(old))
}

func TestWithoutAWindowNothingCanBeUndone(t *testing.T) {
	s := newShelf(t)
	s.pull("redis:7")
	done := s.post("/images/docker.io/library/redis:7/delete", s.get("/images/docker.io/library/redis:7/delete").form(t))
	done.wentTo(t, "/images", "Deleted redis:7, freed ")
	page := s.next(done)
	page.is(t, http.StatusOK, "Deleted redis:7, freed ")
	page.lacks(t, "/undo", "Undo")
}

func TestAnUndoOfNothingIsNotFound(t *testing.T) {
	s := newShelf(t, undoable)
	for _, id := range []string{"1", "0", "-1", "x", "99999999999999999999", "%3Cscript%3E"} {
		s.post("/removals/"+id+"/undo", nil).is(t, http.StatusNotFound)
	}
}

func TestAnUndoLeadsBackToOurOwnPagesOnly(t *testing.T) {
	s := newShelf(t, undoable)
	s.pull("redis:7")
	s.post("/images/docker.io/library/redis:7/delete", s.get("/images/docker.io/library/redis:7/delete").form(t))
	s.post("/removals/1/undo", url.Values{"back": {"https://example.com/"}}).wentTo(t, "/", "redis:7 is back.")
}

func TestTheListOfRemovalsHasWhatCanBeUndone(t *testing.T) {
	s := newShelf(t, undoable)
	s.pull("redis:7")
	s.post("/images/docker.io/library/redis:7/delete", s.get("/images/docker.io/library/redis:7/delete").form(t))
	list, err := s.store.Removals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	if err := cleanup.RemovalsList(list, "/storage").Render(text.WithLocale(t.Context(), text.Locale{Now: clock}), &page); err != nil {
		t.Fatal(err)
	}
	a := answer{body: page.String()}
	for _, want := range []string{"Deleted 1 item", "by mira", ">redis<", `action="/removals/1/undo"`, `name="back" value="/storage"`, "Can be undone until 09:40 UTC"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the list lacks %q", want)
		}
	}
	a.golden(t, "removals")
}

func TestAMessageThatSomebodyMadeUpDoesNoHarm(t *testing.T) {
	s := newShelf(t)
	cookie := func(json string) string {
		return page.FlashCookie + "=" + base64.RawURLEncoding.EncodeToString([]byte(json))
	}
	show := func(json string) answer { return s.get("/images", "Cookie", cookie(json)) }
	forged := show(`{"k":"\"><script>","t":"<script>alert(1)</script>","u":3,"e":4102444800}`)
	forged.is(t, http.StatusOK, "&lt;script&gt;alert(1)", `action="/removals/3/undo"`, `class="alert alert-soft items-start"`)
	forged.lacks(t, "<script>alert")
	for _, bad := range []string{`{"t":"x","u":"//example.com","e":4102444800}`, `{"u":-3,"e":4102444800,"t":"x"}`, `{"u":3,"e":1,"t":"x"}`, `{"u":3,"e":99999999999999,"t":"x"}`, `[]`, `kind`} {
		show(bad).lacks(t, "/undo", "\"//example.com")
	}
	if long := show(`{"t":"` + strings.Repeat("long ", 700) + `"}`); strings.Count(long.body, "long ") > page.MaxFlash/5 {
		t.Errorf("a message is shown whole however long it is")
	}
	long := page.WriteFlash(ui.Flash{Kind: ui.KindSuccess, Text: strings.Repeat("삭제 ", 5000), Undo: 1 << 60, Until: clock})
	if len(long) > 3000 {
		t.Errorf("a cookie has %d bytes: browsers drop it", len(long))
	}
}
