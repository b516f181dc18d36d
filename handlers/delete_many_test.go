package handlers

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
)

// deleteAll gives the address of the plan for several things.
func deleteAll(refs ...string) string { return "/delete?" + url.Values{"ref": refs}.Encode() }

// allFields gives the fields of the plan's form, repeated ones too.
func (a answer) allFields(t *testing.T) url.Values {
	t.Helper()
	_, rest, found := strings.Cut(a.main(), `action="/delete" method="post"`)
	if !found {
		t.Fatalf("there is no form to confirm\n%s", a.main())
	}
	form := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(rest, -1) {
		form.Add(m[1], html.UnescapeString(m[2]))
	}
	return form
}

func TestSeveralThingsAreDeletedByOnePlan(t *testing.T) {
	s := newShelf(t)
	s.pull("postgres:15")
	s.pull("ubuntu:22.04")
	s.pull("ubuntu:latest")
	s.pull("redis:7")
	page := s.get(deleteAll("postgres:15", "docker.io/library/ubuntu:latest", "postgres:15", "docker.io/library/postgres:15", "mysql:8", "UPPER"))
	page.is(t, http.StatusOK, "Delete 4 items", "Untagged, and its image deleted with it.", "Untagged only: something else still leads to the image.",
		"mysql:8 is not stored.", ">UPPER<", "Delete 2 of 4", "docker rmi postgres:15 ubuntu:latest mysql:8", "docker deletes one after another", "used by redis:7")
	page.golden(t, "delete-many")
	s.has("postgres:15", "redis:7", "ubuntu:22.04", "ubuntu:latest")

	done := s.post("/delete", page.allFields(t))
	done.wentTo(t, "/images", "Deleted 2 items, freed ")
	s.has("redis:7", "ubuntu:22.04")
}

func TestBothTagsOfAnImageGoTogetherWithoutForce(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04")
	s.pull("ubuntu:latest")
	page := s.get(deleteAll("ubuntu:22.04", "ubuntu:latest"))
	page.is(t, http.StatusOK, "Delete all 2", "1 image ·")
	page.lacks(t, "Untagged only", "name=\"force\"")
	s.post("/delete", page.allFields(t)).wentTo(t, "/images", "Deleted 2 items, freed ")
	s.has()
}

func TestWhatTheRulesKeepStaysAndTheOthersGoWithoutIt(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04")
	s.pull("redis:7")
	s.post("/images/docker.io/library/redis:7/pin", url.Values{"note": {"needed by billing"}})
	page := s.get(deleteAll("ubuntu:22.04", "redis:7"))
	page.is(t, http.StatusOK, "1 of 2 is not deleted", "Pinned by mira, less than a second ago: ", "needed by billing", "Delete 1 of 2", "docker knows no pins",
		`href="/delete?ref=ubuntu:22.04&amp;ref=redis:7&amp;force=1"`)
	page.golden(t, "delete-many-pinned")
	s.post("/delete", page.allFields(t)).wentTo(t, "/images", "Deleted 1 item, freed ")
	s.has("redis:7")
}

func TestASelectionThatTheRulesKeepWholeIsDeletedWithForce(t *testing.T) {
	s := newShelf(t)
	for _, ref := range []string{"ubuntu:22.04", "redis:7"} {
		s.pull(ref)
		s.post("/images/docker.io/library/"+ref+"/pin", url.Values{})
	}
	refused := s.get(deleteAll("ubuntu:22.04", "redis:7"))
	refused.is(t, http.StatusOK, "This needs one more decision", "The rules keep everything that you chose", "Delete all the same…")
	refused.lacks(t, `name="plan"`)
	plan := s.get(deleteAll("ubuntu:22.04", "redis:7") + "&force=1")
	plan.is(t, http.StatusOK, `name="force" value="1"`, "docker rmi --force ubuntu:22.04 redis:7")
	s.post("/delete", plan.allFields(t)).wentTo(t, "/images", "Deleted 2 items, freed ")
	s.has()
}

func TestAPinnedImageIsDeletedOnlyWithForce(t *testing.T) {
	s := newShelf(t)
	s.pull("redis:7")
	s.post("/images/docker.io/library/redis:7/pin", url.Values{"note": {"<b>why</b>"}})
	refused := s.get("/images/docker.io/library/redis:7/delete")
	refused.is(t, http.StatusOK, "redis:7 is pinned: somebody marked it as in use.", "Unpin it if it is not needed any more", "&lt;b&gt;why&lt;/b&gt;", "Delete all the same…", "/unpin\" method=\"post\"")
	refused.lacks(t, `name="plan"`)
	refused.golden(t, "delete-pinned")
	plan := s.get("/images/docker.io/library/redis:7/delete?force=1")
	s.post("/images/docker.io/library/redis:7/delete", plan.form(t)).wentTo(t, "/images", "Deleted redis:7, freed ")
	s.has()
}

func TestABaseOfAnotherImageIsDeletedOnlyWithForce(t *testing.T) {
	s := newShelf(t)
	s.pull("debian:12")
	s.pull("redis:7")
	refused := s.get("/images/docker.io/library/debian:12/delete")
	refused.is(t, http.StatusOK, "1 image is built on debian:12.", "What is built on it", ">redis<", "Delete all the same…", "docker keeps a base only for images that were built on it")
	refused.golden(t, "delete-base")
	plan := s.get("/images/docker.io/library/debian:12/delete?force=1")
	plan.is(t, http.StatusOK, "used by redis:7")
	s.post("/images/docker.io/library/debian:12/delete", plan.form(t)).wentTo(t, "/images", "Deleted debian:12, freed ")
	s.has("redis:7")
}

func TestAnOutdatedPlanForSeveralThingsIsNotCarriedOut(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04")
	s.pull("redis:7")
	old := s.get(deleteAll("ubuntu:22.04", "redis:7")).allFields(t)
	s.pull("ubuntu:latest")
	page := s.post("/delete", old)
	page.is(t, http.StatusConflict, "The shelf has changed", "Untagged only")
	s.has("redis:7", "ubuntu:22.04", "ubuntu:latest")
	s.post("/delete", page.allFields(t)).wentTo(t, "/images", "Deleted 2 items, freed ")
	s.has("ubuntu:latest")
}

func TestASelectionWithoutAPlanIsShownOne(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04")
	s.pull("redis:7")
	s.post("/delete", url.Values{"ref": {"ubuntu:22.04", "redis:7"}}).is(t, http.StatusOK, "Delete 2 items", `name="plan" value="sha256:`)
	s.has("redis:7", "ubuntu:22.04")
}

func TestNothingOfASelectionIsStored(t *testing.T) {
	s := newShelf(t)
	page := s.get(deleteAll("mysql:8", "sha256:abcd", "UPPER"))
	page.is(t, http.StatusNotFound, "Nothing of this is stored", "mysql:8", "sha256:abcd")
	page.lacks(t, "<form class=\"panel\"", "docker rmi")
	s.post("/delete", url.Values{"ref": {"mysql:8", "mysql:9"}, "plan": {"sha256:1"}}).is(t, http.StatusNotFound, "Nothing of this is stored")
}

func TestASelectionOfOneThingHasItsOwnPage(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	id := s.store.Preferred(s.target("ubuntu:22.04").Images).ID
	for address, to := range map[string]string{
		"/delete?ref=ubuntu:22.04":                         ubuntu + ":22.04/delete",
		"/delete?ref=ubuntu:22.04&ref=ubuntu:22.04":        ubuntu + ":22.04/delete",
		"/delete?ref=ubuntu:22.04&force=1":                 ubuntu + ":22.04/delete?force=1",
		"/delete?ref=ubuntu:22.04&platform=linux/arm64":    ubuntu + ":22.04/delete?platform=linux/arm64",
		"/delete?ref=sha256:" + id.Encoded()[:12]:          "/images/" + string(id) + "/delete",
		"/delete?ref=mysql:8&back=/images%3Fq%3Dmy":        "/images/docker.io/library/mysql:8/delete?back=/images%3Fq%3Dmy",
		"/delete?ref=mysql:8&back=https://example.com/bad": "/images/docker.io/library/mysql:8/delete?back=/",
	} {
		if a := s.get(address); a.status != http.StatusFound || a.header.Get("Location") != to {
			t.Errorf("%s: %d to %q, want %q", address, a.status, a.header.Get("Location"), to)
		}
	}
}

func TestADeletionLeadsBackToTheListThatItCameFrom(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04")
	s.pull("redis:7")
	page := s.get(deleteAll("ubuntu:22.04", "redis:7") + "&back=" + url.QueryEscape("/images?q=u&sort=-size"))
	page.is(t, http.StatusOK, `href="/images?q=u&amp;sort=-size"`)
	s.post("/delete", page.allFields(t)).wentTo(t, "/images?q=u&sort=-size", "Deleted 2 items")
	s.post("/delete", url.Values{"ref": {"a", "b"}, "back": {"//example.com"}}).lacks(t, "example.com")
}

func TestBadSelectionsAreRefused(t *testing.T) {
	s := newShelf(t)
	many := url.Values{}
	for i := range 1000 + 1 {
		many.Add("ref", fmt.Sprintf("ubuntu:%d", i))
	}
	for _, form := range []url.Values{{}, many, {"ref": {"a", "b"}, "force": {"perhaps"}}, {"ref": {"a", "b"}, "platform": {"linux/amd64"}}, {"ref": {"a"}, "platform": {"a b"}}} {
		s.post("/delete", form).is(t, http.StatusBadRequest)
		if len(form["ref"]) < 100 {
			s.get("/delete?"+form.Encode()).is(t, http.StatusBadRequest)
		}
	}
}

func TestAThousandThingsAreOnePlan(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04")
	form := url.Values{"ref": {"ubuntu:22.04"}}
	for i := range 1000 - 1 {
		form.Add("ref", fmt.Sprintf("ubuntu:no-%d", i))
	}
	page := s.post("/delete", form)
	page.is(t, http.StatusOK, "Delete 1,000 items", "Delete 1 of 1,000", "Show 940 more")
	s.post("/delete", page.allFields(t)).wentTo(t, "/images", "Deleted 1 item, freed ")
	s.has()
}

func TestTheBarOfASelectionSaysWhatDeletingItComesTo(t *testing.T) {
	s := newShelf(t)
	s.pull("postgres:15")
	s.pull("redis:7")
	s.pull("ubuntu:22.04")
	s.pull("ubuntu:latest")
	s.post("/images/docker.io/library/redis:7/pin", url.Values{})
	summary := func(refs ...string) answer { return s.get("/delete/summary?" + url.Values{"ref": refs}.Encode()) }
	freed := summary("postgres:15", "mysql:8")
	freed.is(t, http.StatusOK, "Frees ", "1 layer stays shared", "1 is not stored")
	freed.lacks(t, "<html", "force")
	summary("ubuntu:latest").is(t, http.StatusOK, "Frees nothing")
	summary("ubuntu:22.04", "ubuntu:latest", "redis:7").is(t, http.StatusOK, "Frees ", "1 of 3 cannot be deleted without force")
	summary("mysql:8").is(t, http.StatusOK, "Nothing of this is stored")
	summary().is(t, http.StatusOK, "Nothing was chosen to be deleted.")
	s.has("postgres:15", "redis:7", "ubuntu:22.04", "ubuntu:latest")
}

func TestADigestOfASelectionIsDeletedByItsDigest(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04")
	digest := string(s.target("ubuntu:22.04").Digest)
	s.pull("redis:7")
	page := s.get(deleteAll("ubuntu@"+digest, "redis:7"))
	page.is(t, http.StatusOK, "1 of 2 is not deleted", "Referred to by:", "docker rmi ubuntu@"+digest+" redis:7")
	forced := s.get(deleteAll("ubuntu@"+digest, "redis:7") + "&force=1")
	forced.is(t, http.StatusOK, "The image is deleted.", "What goes with them")
	s.post("/delete", forced.allFields(t)).wentTo(t, "/images", "Deleted 2 items, freed ")
	s.has()
	if d := image.ShortDigest(image.Digest(digest)); !strings.Contains(page.body, d) {
		t.Errorf("the page does not name %s", d)
	}
}

func TestAPlanOfManyInKorean(t *testing.T) {
	s := newShelf(t)
	s.pull("postgres:15")
	s.pull("ubuntu:22.04")
	page := s.get(deleteAll("postgres:15", "ubuntu:22.04", "mysql:8"), "Accept-Language", "ko")
	page.is(t, http.StatusOK, "항목 3개 삭제", "태그를 해제하고 이미지 1개도 함께 삭제합니다.", "3개 중 2개 삭제", "건너뜀")
}
