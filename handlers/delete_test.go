package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/views/ui"
)

const ubuntu = "/images/docker.io/library/ubuntu"

var hidden = regexp.MustCompile(`<input type="hidden" name="(\w+)" value="([^"]*)">`)

// form gives the fields of the plan's form, as a browser would send them.
func (a answer) form(t *testing.T) url.Values {
	t.Helper()
	_, rest, found := strings.Cut(a.main(), `method="post"`)
	if !found {
		t.Fatalf("there is no form to confirm\n%s", a.main())
	}
	form := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(rest, -1) {
		form.Set(m[1], m[2])
	}
	return form
}

// flash gives the message that a redirect leaves for the next page.
func (a answer) flash(t *testing.T) ui.Flash {
	t.Helper()
	for _, k := range (&http.Response{Header: a.header}).Cookies() {
		if k.Name == page.FlashCookie {
			return page.ReadFlash(k.Value, clock)
		}
	}
	return ui.Flash{}
}

// wentTo holds an answer against the page that it leads to and the message there.
func (a answer) wentTo(t *testing.T, to, message string) {
	t.Helper()
	if got := a.header.Get("Location"); a.status != http.StatusSeeOther || got != to {
		t.Errorf("%d to %q, want 303 to %q", a.status, got, to)
	}
	if f := a.flash(t); f.Kind != ui.KindSuccess || !strings.HasPrefix(f.Text, message) {
		t.Errorf("message %+v, want %q", f, message)
	}
}

// has holds the names of the list against those expected.
func (s *testShelf) has(names ...string) {
	s.t.Helper()
	if got := s.names(); !slices.Equal(got, names) {
		s.t.Errorf("the shelf has %q, want %q", got, names)
	}
}

func TestDeletingATagShowsThePlanAndCarriesItOut(t *testing.T) {
	s := newShelf(t)
	s.pull("postgres:15", "linux/amd64")
	s.pull("ghcr.io/acme/api:v2.14.0", "linux/amd64")
	page := s.get("/images/docker.io/library/postgres:15/delete")
	page.is(t, http.StatusOK, "Frees ", "1 image · 12 layers", "used by ghcr.io/acme/api:v2.14.0", "docker rmi postgres:15")
	page.golden(t, "delete-tag")
	s.has("ghcr.io/acme/api:v2.14.0", "postgres:15")

	s.post("/images/docker.io/library/postgres:15/delete", page.form(t)).wentTo(t, "/images", "Deleted postgres:15, freed ")
	s.has("ghcr.io/acme/api:v2.14.0")
	s.get("/images/docker.io/library/postgres:15/delete").is(t, http.StatusNotFound)
}

func TestDeletingOneOfTwoTagsOnlyUntags(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04")
	s.pull("ubuntu:latest")
	page := s.get(ubuntu + ":latest/delete")
	page.is(t, http.StatusOK, "Frees nothing", "Remove the reference")
	page.golden(t, "delete-untag")
	s.post(ubuntu+":latest/delete", page.form(t)).wentTo(t, "/images", "Removed ubuntu:latest.")
	s.has("ubuntu:22.04")
}

func TestDeletingAPlatformLeadsBackToTheTag(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	page := s.get(ubuntu + ":22.04/delete?platform=linux/arm64/v8")
	page.is(t, http.StatusOK, "Delete ubuntu:22.04 (linux/arm64)", "with linux/amd64", "docker rmi --force --platform linux/arm64 ubuntu:22.04")
	page.golden(t, "delete-platform")
	s.post(ubuntu+":22.04/delete", page.form(t)).wentTo(t, ubuntu+":22.04", "Deleted ubuntu:22.04 (linux/arm64), freed ")
	if images := s.target("ubuntu:22.04").Images; len(images) != 1 || images[0].Platform.Architecture != "amd64" {
		t.Errorf("images left: %+v", images)
	}
}

func TestAnImageIDWithTwoTagsIsRefusedAndForceIsASecondStep(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04")
	s.pull("ubuntu:latest")
	id := s.store.Preferred(s.target("ubuntu:22.04").Images).ID
	address := "/images/sha256:" + id.Encoded() + "/delete"
	refused := s.get(address)
	refused.is(t, http.StatusOK, "This needs one more decision", "used by 2 references", "Delete all of them…", "docker rmi "+id.Encoded()[:12], ">:22.04<", ">:latest<", fmt.Sprintf(`href="%s?force=1"`, address))
	refused.lacks(t, `method="post" action="/images/sha256`, `name="plan"`, "Nothing has been deleted", "Not deleted", "--force")
	refused.golden(t, "delete-refused")

	plan := s.get(address + "?force=1")
	plan.is(t, http.StatusOK, "docker rmi --force "+id.Encoded()[:12], `name="force" value="1"`)
	s.post(address, plan.form(t)).wentTo(t, "/images", "Deleted image "+id.Encoded()[:12]+", freed ")
	s.has()
}

func TestAnImageIDWhoseTagsKeepOtherPlatformsOffersToRemoveOnlyItsPlatform(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	s.pull("ubuntu:latest", "linux/amd64", "linux/arm64")
	id := s.store.Preferred(s.target("ubuntu:22.04").Images).ID
	address := "/images/sha256:" + id.Encoded() + "/delete"
	refused := s.get(address)
	refused.is(t, http.StatusOK, "Remove linux/amd64 from both references…", "each stays with its other platforms")
	refused.lacks(t, "Delete all of them")
	plan := s.get(address + "?force=1")
	plan.is(t, http.StatusOK, "Loses linux/amd64; it keeps linux/arm64.")
	s.post(address, plan.form(t)).wentTo(t, "/images", "Deleted image "+id.Encoded()[:12]+", freed ")
	s.has("ubuntu:22.04", "ubuntu:latest")
}

func TestDeletingAPlatformSaysWhichOtherTagLosesIt(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	s.pull("ubuntu:latest", "linux/amd64", "linux/arm64")
	page := s.get(ubuntu + ":22.04/delete?platform=linux/arm64/v8")
	page.is(t, http.StatusOK, ">:latest<", "Is on the same index and loses linux/arm64 too; it keeps linux/amd64.")
	s.post(ubuntu+":22.04/delete", page.form(t)).wentTo(t, ubuntu+":22.04", "Deleted ubuntu:22.04 (linux/arm64), freed ")
	for _, name := range []string{"ubuntu:22.04", "ubuntu:latest"} {
		if images := s.target(name).Images; len(images) != 1 || images[0].Platform.Architecture != "amd64" {
			t.Errorf("%s has %+v", name, images)
		}
	}
}

func TestARefusedDeletionOfTheLastPlatformShowsThePlainCommand(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04", "linux/arm64")
	s.pull("ubuntu:latest", "linux/arm64")
	address := ubuntu + ":22.04/delete?platform=linux/arm64/v8"
	refused := s.get(address)
	refused.is(t, http.StatusOK, "Delete all of them…", "docker rmi --platform linux/arm64 ubuntu:22.04")
	refused.lacks(t, "--force")
	s.get(address+"&force=1").is(t, http.StatusOK, "docker rmi --force --platform linux/arm64 ubuntu:22.04")
	s.has("ubuntu:22.04", "ubuntu:latest")
}

func TestForceInTheFormNeedsThePlanWithForce(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04")
	s.pull("ubuntu:latest")
	digest := s.target("ubuntu:22.04").Digest
	address := ubuntu + "@" + string(digest) + "/delete"
	forced := s.get(address + "?force=1").form(t)
	forced.Del("force")
	s.post(address, forced).is(t, http.StatusConflict, "2 tags point at", "Nothing has been deleted")
	s.has("ubuntu:22.04", "ubuntu:latest")
}

func TestAPostWithoutAPlanShowsItAndDoesNothing(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	page := s.post(ubuntu+":22.04/delete", url.Values{"platform": {"linux/arm64"}})
	page.is(t, http.StatusOK, "Delete ubuntu:22.04 (linux/arm64)", `name="plan" value="sha256:`, `name="platform" value="linux/arm64"`)
	if n := len(s.target("ubuntu:22.04").Images); n != 2 {
		t.Errorf("%d images are left", n)
	}
}

func TestAnOutdatedPlanIsNotCarriedOutAndTheNewOneIsShown(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04")
	old := s.get(ubuntu + ":22.04/delete").form(t)
	s.pull("ubuntu:latest")
	page := s.post(ubuntu+":22.04/delete", old)
	page.is(t, http.StatusConflict, "The shelf has changed", "Frees nothing", ">:latest<")
	s.has("ubuntu:22.04", "ubuntu:latest")
	s.post(ubuntu+":22.04/delete", page.form(t)).wentTo(t, "/images", "Removed ubuntu:22.04.")
	s.has("ubuntu:latest")
}

func TestAPlanOfSomethingElseIsNotCarriedOut(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04")
	s.pull("redis:7")
	s.post("/images/docker.io/library/redis:7/delete", s.get(ubuntu+":22.04/delete").form(t)).is(t, http.StatusConflict)
	s.post(ubuntu+":22.04/delete", url.Values{"plan": {"<script>"}}).is(t, http.StatusConflict)
	s.has("redis:7", "ubuntu:22.04")
}

func TestBadDeletionsAreRefused(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04")
	for address, status := range map[string]int{
		ubuntu + ":22.04/delete?platform=a%20b":      http.StatusBadRequest,
		ubuntu + ":22.04/delete?force=perhaps":       http.StatusBadRequest,
		ubuntu + ":22.04/delete?platform=linux/mips": http.StatusNotFound,
		ubuntu + ":24.04/delete":                     http.StatusNotFound,
		ubuntu + ":UP//delete":                       http.StatusBadRequest,
		"/images/sha256:abcd/delete":                 http.StatusNotFound,
	} {
		s.get(address).is(t, status)
		s.post(address, nil).is(t, status)
	}
	s.has("ubuntu:22.04")
}
