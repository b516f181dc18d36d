package cleanup_test

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
	"github.com/stowage/stowage/test/pages"
	"github.com/stowage/stowage/views/cleanup"
	"github.com/stowage/stowage/views/text"
)

// undoable lets deletions be undone for ten minutes.
func undoable(o *storage.Options) { o.UndoWindow = 10 * time.Minute }

// next asks for the page that a redirect leads to, with the message that it left.
func next(s *pages.Shelf, a pages.Answer) pages.Answer {
	s.T.Helper()
	for _, k := range (&http.Response{Header: a.Header}).Cookies() {
		if k.Name == page.FlashCookie {
			return s.Get(a.Header.Get("Location"), "Cookie", page.FlashCookie+"="+k.Value)
		}
	}
	s.T.Fatalf("%d without a message", a.Status)
	return pages.Answer{}
}

func TestADeletionIsUndoneFromThePageThatItLeadsTo(t *testing.T) {
	s := pages.New(t, undoable)
	s.Pull("postgres:15")
	s.Pull("redis:7")
	before := s.Target("postgres:15")
	done := s.Post("/delete", allFields(s.Get(deleteAll("postgres:15", "redis:7")), t))
	done.WentTo(t, "/images", "Deleted 2 items. Their ")
	page := next(s, done)
	page.Is(t, http.StatusOK, `action="/removals/1/undo" method="post"`, "Can be undone until 09:40 UTC", "Nothing on the shelf yet")
	page.Golden(t, "undo-offered")
	shelfHas(s)

	undone := s.Post("/removals/1/undo", page.Form(t))
	undone.WentTo(t, "/images", "2 references are back: ")
	shelfHas(s, "postgres:15", "redis:7")
	if after := s.Target("postgres:15"); after.Digest != before.Digest || len(after.Images) != len(before.Images) {
		t.Errorf("postgres:15 came back as %+v, it was %+v", after, before)
	}
	s.Post("/removals/1/undo", nil).Is(t, http.StatusNotFound, "There is no deletion 1 that can be undone.")
}

func TestAnUndoSaysWhatWasPulledAgainMeanwhile(t *testing.T) {
	reg := fake.NewEmptyRegistry()
	s := pages.NewOn(t, reg, undoable)
	s.PullRolling(reg, 1)
	old := s.Target("ubuntu:rolling").Digest
	s.Post(pages.Ubuntu+":rolling/delete", s.Get(pages.Ubuntu+":rolling/delete").Form(t)).WentTo(t, "/images", "Deleted ubuntu:rolling. Its ")
	s.PullRolling(reg, 2)
	now := s.Target("ubuntu:rolling").Digest
	s.Post("/removals/1/undo", nil).WentTo(t, "/images", "ubuntu@"+image.ShortDigest(old)+" is back. ubuntu:rolling was pulled again meanwhile and stays as it is")
	if got := s.Target("ubuntu:rolling").Digest; got != now {
		t.Errorf("ubuntu:rolling points at %s after the undo, want %s", got, now)
	}
	shelfHas(s, "ubuntu:rolling", "ubuntu@"+string(old))
}

func TestWithoutAWindowNothingCanBeUndone(t *testing.T) {
	s := pages.New(t)
	s.Pull("redis:7")
	done := s.Post("/images/docker.io/library/redis:7/delete", s.Get("/images/docker.io/library/redis:7/delete").Form(t))
	done.WentTo(t, "/images", "Deleted redis:7, freed ")
	page := next(s, done)
	page.Is(t, http.StatusOK, "Deleted redis:7, freed ")
	page.Lacks(t, "/undo", "Undo")
}

func TestAnUndoOfNothingIsNotFound(t *testing.T) {
	s := pages.New(t, undoable)
	for _, id := range []string{"1", "0", "-1", "x", "99999999999999999999", "%3Cscript%3E"} {
		s.Post("/removals/"+id+"/undo", nil).Is(t, http.StatusNotFound)
	}
}

func TestAnUndoLeadsBackToOurOwnPagesOnly(t *testing.T) {
	s := pages.New(t, undoable)
	s.Pull("redis:7")
	s.Post("/images/docker.io/library/redis:7/delete", s.Get("/images/docker.io/library/redis:7/delete").Form(t))
	s.Post("/removals/1/undo", url.Values{"back": {"https://example.com/"}}).WentTo(t, "/", "redis:7 is back.")
}

func TestTheListOfRemovalsHasWhatCanBeUndone(t *testing.T) {
	s := pages.New(t, undoable)
	s.Pull("redis:7")
	s.Post("/images/docker.io/library/redis:7/delete", s.Get("/images/docker.io/library/redis:7/delete").Form(t))
	list, err := s.Store.Removals.Removals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	if err := cleanup.RemovalsList(list, "/storage").Render(text.WithLocale(t.Context(), text.Locale{Now: pages.Clock}), &page); err != nil {
		t.Fatal(err)
	}
	a := pages.Answer{Body: page.String()}
	for _, want := range []string{"Deleted 1 item", "by mira", ">redis<", `action="/removals/1/undo"`, `name="back" value="/storage"`, "Can be undone until 09:40 UTC"} {
		if !strings.Contains(a.Body, want) {
			t.Errorf("the list lacks %q", want)
		}
	}
	a.Golden(t, "removals")
}

func TestAMessageThatSomebodyMadeUpDoesNoHarm(t *testing.T) {
	s := pages.New(t)
	cookie := func(json string) string {
		return page.FlashCookie + "=" + base64.RawURLEncoding.EncodeToString([]byte(json))
	}
	show := func(json string) pages.Answer { return s.Get("/images", "Cookie", cookie(json)) }
	forged := show(`{"k":"\"><script>","t":"<script>alert(1)</script>","u":3,"e":4102444800}`)
	forged.Is(t, http.StatusOK, "&lt;script&gt;alert(1)", `action="/removals/3/undo"`, `class="alert alert-soft items-start"`)
	forged.Lacks(t, "<script>alert")
	for _, bad := range []string{`{"t":"x","u":"//example.com","e":4102444800}`, `{"u":-3,"e":4102444800,"t":"x"}`, `{"u":3,"e":1,"t":"x"}`, `{"u":3,"e":99999999999999,"t":"x"}`, `[]`, `kind`} {
		show(bad).Lacks(t, "/undo", "\"//example.com")
	}
	if long := show(`{"t":"` + strings.Repeat("long ", 700) + `"}`); strings.Count(long.Body, "long ") > 1500/5 {
		t.Errorf("a message is shown whole however long it is")
	}
}
