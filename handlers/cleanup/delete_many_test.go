package cleanup_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/test/pages"
)

// deleteAll returns the address of the plan for several things.
func deleteAll(refs ...string) string { return "/delete?" + url.Values{"ref": refs}.Encode() }

// allFields returns the fields of the plan's form, repeated ones too.
func allFields(a pages.Answer, t *testing.T) url.Values {
	t.Helper()
	_, rest, found := strings.Cut(a.Main(), `action="/delete" method="post"`)
	if !found {
		t.Fatalf("there is no form to confirm\n%s", a.Main())
	}
	form := url.Values{}
	for _, m := range pages.Hidden.FindAllStringSubmatch(rest, -1) {
		form.Add(m[1], html.UnescapeString(m[2]))
	}
	return form
}

func TestSeveralThingsAreDeletedByOnePlan(t *testing.T) {
	s := pages.New(t)
	s.Pull("postgres:15")
	s.Pull("ubuntu:22.04")
	s.Pull("ubuntu:latest")
	s.Pull("redis:7")
	page := s.Get(deleteAll("postgres:15", "docker.io/library/ubuntu:latest", "postgres:15", "docker.io/library/postgres:15", "mysql:8", "UPPER"))
	page.Is(t, http.StatusOK, "Delete 4 items", "Untagged, and its image deleted with it.", "Untagged only: something else still leads to the image.",
		"mysql:8 is not stored.", ">UPPER<", "Delete 2 of 4", "docker rmi postgres:15 ubuntu:latest mysql:8", "docker deletes one after another", "used by redis:7")
	page.Golden(t, "delete-many")
	shelfHas(s, "postgres:15", "redis:7", "ubuntu:22.04", "ubuntu:latest")

	done := s.Post("/delete", allFields(page, t))
	done.WentTo(t, "/images", "Deleted 2 items, freed ")
	shelfHas(s, "redis:7", "ubuntu:22.04")
}

func TestBothTagsOfAnImageGoTogetherWithoutForce(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04")
	s.Pull("ubuntu:latest")
	page := s.Get(deleteAll("ubuntu:22.04", "ubuntu:latest"))
	page.Is(t, http.StatusOK, "Delete all 2", "1 image ·")
	page.Lacks(t, "Untagged only", "name=\"force\"")
	s.Post("/delete", allFields(page, t)).WentTo(t, "/images", "Deleted 2 items, freed ")
	shelfHas(s)
}

func TestWhatTheRulesKeepStaysAndTheOthersGoWithoutIt(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04")
	s.Pull("redis:7")
	s.Post("/images/docker.io/library/redis:7/pin", url.Values{"note": {"needed by billing"}})
	page := s.Get(deleteAll("ubuntu:22.04", "redis:7"))
	page.Is(t, http.StatusOK, "1 of 2 is not deleted", "Pinned by mira, less than a second ago: ", "needed by billing", "Delete 1 of 2", "docker knows no pins",
		`href="/delete?ref=ubuntu:22.04&amp;ref=redis:7&amp;force=1"`)
	page.Golden(t, "delete-many-pinned")
	s.Post("/delete", allFields(page, t)).WentTo(t, "/images", "Deleted 1 item, freed ")
	shelfHas(s, "redis:7")
}

func TestASelectionThatTheRulesKeepWholeIsDeletedWithForce(t *testing.T) {
	s := pages.New(t)
	for _, ref := range []string{"ubuntu:22.04", "redis:7"} {
		s.Pull(ref)
		s.Post("/images/docker.io/library/"+ref+"/pin", url.Values{})
	}
	refused := s.Get(deleteAll("ubuntu:22.04", "redis:7"))
	refused.Is(t, http.StatusOK, "This needs one more decision", "The rules keep everything that you chose", "Delete all the same…")
	refused.Lacks(t, `name="plan"`)
	plan := s.Get(deleteAll("ubuntu:22.04", "redis:7") + "&force=1")
	plan.Is(t, http.StatusOK, `name="force" value="1"`, "docker rmi --force ubuntu:22.04 redis:7")
	s.Post("/delete", allFields(plan, t)).WentTo(t, "/images", "Deleted 2 items, freed ")
	shelfHas(s)
}

func TestAPinnedImageIsDeletedOnlyWithForce(t *testing.T) {
	s := pages.New(t)
	s.Pull("redis:7")
	s.Post("/images/docker.io/library/redis:7/pin", url.Values{"note": {"<b>why</b>"}})
	refused := s.Get("/images/docker.io/library/redis:7/delete")
	refused.Is(t, http.StatusOK, "redis:7 is pinned: somebody marked it as in use.", "Unpin it if it is not needed any more", "&lt;b&gt;why&lt;/b&gt;", "Delete all the same…", "/unpin\" method=\"post\"")
	refused.Lacks(t, `name="plan"`)
	refused.Golden(t, "delete-pinned")
	plan := s.Get("/images/docker.io/library/redis:7/delete?force=1")
	s.Post("/images/docker.io/library/redis:7/delete", plan.Form(t)).WentTo(t, "/images", "Deleted redis:7, freed ")
	shelfHas(s)
}

func TestABaseOfAnotherImageIsDeletedOnlyWithForce(t *testing.T) {
	s := pages.New(t)
	s.Pull("debian:12")
	s.Pull("redis:7")
	refused := s.Get("/images/docker.io/library/debian:12/delete")
	refused.Is(t, http.StatusOK, "1 image is built on debian:12.", "What is built on it", ">redis<", "Delete all the same…", "docker keeps a base only for images that were built on it")
	refused.Golden(t, "delete-base")
	plan := s.Get("/images/docker.io/library/debian:12/delete?force=1")
	plan.Is(t, http.StatusOK, "used by redis:7")
	s.Post("/images/docker.io/library/debian:12/delete", plan.Form(t)).WentTo(t, "/images", "Deleted debian:12, freed ")
	shelfHas(s, "redis:7")
}

func TestAnOutdatedPlanForSeveralThingsIsNotCarriedOut(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04")
	s.Pull("redis:7")
	old := allFields(s.Get(deleteAll("ubuntu:22.04", "redis:7")), t)
	s.Pull("ubuntu:latest")
	page := s.Post("/delete", old)
	page.Is(t, http.StatusConflict, "The shelf has changed", "Untagged only")
	shelfHas(s, "redis:7", "ubuntu:22.04", "ubuntu:latest")
	s.Post("/delete", allFields(page, t)).WentTo(t, "/images", "Deleted 2 items, freed ")
	shelfHas(s, "ubuntu:latest")
}

func TestASelectionWithoutAPlanIsShownOne(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04")
	s.Pull("redis:7")
	s.Post("/delete", url.Values{"ref": {"ubuntu:22.04", "redis:7"}}).Is(t, http.StatusOK, "Delete 2 items", `name="plan" value="sha256:`)
	shelfHas(s, "redis:7", "ubuntu:22.04")
}

func TestNothingOfASelectionIsStored(t *testing.T) {
	s := pages.New(t)
	page := s.Get(deleteAll("mysql:8", "sha256:abcd", "UPPER"))
	page.Is(t, http.StatusNotFound, "Nothing of this is stored", "mysql:8", "sha256:abcd")
	page.Lacks(t, "<form class=\"panel\"", "docker rmi")
	s.Post("/delete", url.Values{"ref": {"mysql:8", "mysql:9"}, "plan": {"sha256:1"}}).Is(t, http.StatusNotFound, "Nothing of this is stored")
}

func TestASelectionOfOneThingHasItsOwnPage(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	id := s.Store.Images.Preferred(s.Target("ubuntu:22.04").Images).ID
	for address, to := range map[string]string{
		"/delete?ref=ubuntu:22.04":                         pages.Ubuntu + ":22.04/delete",
		"/delete?ref=ubuntu:22.04&ref=ubuntu:22.04":        pages.Ubuntu + ":22.04/delete",
		"/delete?ref=ubuntu:22.04&force=1":                 pages.Ubuntu + ":22.04/delete?force=1",
		"/delete?ref=ubuntu:22.04&platform=linux/arm64":    pages.Ubuntu + ":22.04/delete?platform=linux/arm64",
		"/delete?ref=sha256:" + id.Encoded()[:12]:          "/images/" + string(id) + "/delete",
		"/delete?ref=mysql:8&back=/images%3Fq%3Dmy":        "/images/docker.io/library/mysql:8/delete?back=/images%3Fq%3Dmy",
		"/delete?ref=mysql:8&back=https://example.com/bad": "/images/docker.io/library/mysql:8/delete?back=/",
	} {
		if a := s.Get(address); a.Status != http.StatusFound || a.Header.Get("Location") != to {
			t.Errorf("%s: %d to %q, want %q", address, a.Status, a.Header.Get("Location"), to)
		}
	}
}

func TestADeletionLeadsBackToTheListThatItCameFrom(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04")
	s.Pull("redis:7")
	page := s.Get(deleteAll("ubuntu:22.04", "redis:7") + "&back=" + url.QueryEscape("/images?q=u&sort=-size"))
	page.Is(t, http.StatusOK, `href="/images?q=u&amp;sort=-size"`)
	s.Post("/delete", allFields(page, t)).WentTo(t, "/images?q=u&sort=-size", "Deleted 2 items")
	s.Post("/delete", url.Values{"ref": {"a", "b"}, "back": {"//example.com"}}).Lacks(t, "example.com")
}

func TestBadSelectionsAreRefused(t *testing.T) {
	s := pages.New(t)
	many := url.Values{}
	for i := range 1000 + 1 {
		many.Add("ref", fmt.Sprintf("ubuntu:%d", i))
	}
	for _, form := range []url.Values{{}, many, {"ref": {"a", "b"}, "force": {"perhaps"}}, {"ref": {"a", "b"}, "platform": {"linux/amd64"}}, {"ref": {"a"}, "platform": {"a b"}}} {
		s.Post("/delete", form).Is(t, http.StatusBadRequest)
		if len(form["ref"]) < 100 {
			s.Get("/delete?"+form.Encode()).Is(t, http.StatusBadRequest)
		}
	}
}

func TestAThousandThingsAreOnePlan(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04")
	form := url.Values{"ref": {"ubuntu:22.04"}}
	for i := range 1000 - 1 {
		form.Add("ref", fmt.Sprintf("ubuntu:no-%d", i))
	}
	page := s.Post("/delete", form)
	page.Is(t, http.StatusOK, "Delete 1,000 items", "Delete 1 of 1,000", "Show 940 more")
	s.Post("/delete", allFields(page, t)).WentTo(t, "/images", "Deleted 1 item, freed ")
	shelfHas(s)
}

func TestTheBarOfASelectionSaysWhatDeletingItComesTo(t *testing.T) {
	s := pages.New(t)
	s.Pull("postgres:15")
	s.Pull("redis:7")
	s.Pull("ubuntu:22.04")
	s.Pull("ubuntu:latest")
	s.Post("/images/docker.io/library/redis:7/pin", url.Values{})
	summary := func(refs ...string) pages.Answer { return s.Get("/delete/summary?" + url.Values{"ref": refs}.Encode()) }
	freed := summary("postgres:15", "mysql:8")
	freed.Is(t, http.StatusOK, "Frees ", "1 layer stays shared", "1 is not stored")
	freed.Lacks(t, "<html", "force")
	summary("ubuntu:latest").Is(t, http.StatusOK, "Frees nothing")
	summary("ubuntu:22.04", "ubuntu:latest", "redis:7").Is(t, http.StatusOK, "Frees ", "1 of 3 cannot be deleted without force")
	summary("mysql:8").Is(t, http.StatusOK, "Nothing of this is stored")
	summary().Is(t, http.StatusOK, "Nothing was chosen to be deleted.")
	shelfHas(s, "postgres:15", "redis:7", "ubuntu:22.04", "ubuntu:latest")
}

func TestADigestOfASelectionIsDeletedByItsDigest(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04")
	digest := string(s.Target("ubuntu:22.04").Digest)
	s.Pull("redis:7")
	page := s.Get(deleteAll("ubuntu@"+digest, "redis:7"))
	page.Is(t, http.StatusOK, "1 of 2 is not deleted", "Referred to by:", "docker rmi ubuntu@"+digest+" redis:7")
	forced := s.Get(deleteAll("ubuntu@"+digest, "redis:7") + "&force=1")
	forced.Is(t, http.StatusOK, "The image is deleted.", "What goes with them")
	s.Post("/delete", allFields(forced, t)).WentTo(t, "/images", "Deleted 2 items, freed ")
	shelfHas(s)
	if d := image.ShortDigest(image.Digest(digest)); !strings.Contains(page.Body, d) {
		t.Errorf("the page does not name %s", d)
	}
}

func TestAPlanOfManyInKorean(t *testing.T) {
	s := pages.New(t)
	s.Pull("postgres:15")
	s.Pull("ubuntu:22.04")
	page := s.Get(deleteAll("postgres:15", "ubuntu:22.04", "mysql:8"), "Accept-Language", "ko")
	page.Is(t, http.StatusOK, "항목 3개 삭제", "태그를 해제하고 이미지 1개도 함께 삭제합니다.", "3개 중 2개 삭제", "건너뜀")
}
