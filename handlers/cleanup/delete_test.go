package cleanup_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/stowage/stowage/test/pages"
)

// shelfHas holds the names of the list against those expected.
func shelfHas(s *pages.Shelf, names ...string) {
	s.T.Helper()
	if got := s.Names(); !slices.Equal(got, names) {
		s.T.Errorf("the shelf has %q, want %q", got, names)
	}
}

func TestDeletingATagShowsThePlanAndCarriesItOut(t *testing.T) {
	s := pages.New(t)
	s.Pull("postgres:15", "linux/amd64")
	s.Pull("ghcr.io/acme/api:v2.14.0", "linux/amd64")
	page := s.Get("/images/docker.io/library/postgres:15/delete")
	page.Is(t, http.StatusOK, "Frees ", "1 image · 12 layers", "used by ghcr.io/acme/api:v2.14.0", "docker rmi postgres:15")
	page.Golden(t, "delete-tag")
	shelfHas(s, "ghcr.io/acme/api:v2.14.0", "postgres:15")

	s.Post("/images/docker.io/library/postgres:15/delete", page.Form(t)).WentTo(t, "/images", "Deleted postgres:15, freed ")
	shelfHas(s, "ghcr.io/acme/api:v2.14.0")
	s.Get("/images/docker.io/library/postgres:15/delete").Is(t, http.StatusNotFound)
}

func TestDeletingOneOfTwoTagsOnlyUntags(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04")
	s.Pull("ubuntu:latest")
	page := s.Get(pages.Ubuntu + ":latest/delete")
	page.Is(t, http.StatusOK, "Frees nothing", "Remove the reference")
	page.Golden(t, "delete-untag")
	s.Post(pages.Ubuntu+":latest/delete", page.Form(t)).WentTo(t, "/images", "Removed ubuntu:latest.")
	shelfHas(s, "ubuntu:22.04")
}

func TestDeletingAPlatformLeadsBackToTheTag(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	page := s.Get(pages.Ubuntu + ":22.04/delete?platform=linux/arm64/v8")
	page.Is(t, http.StatusOK, "Delete ubuntu:22.04 (linux/arm64)", "with linux/amd64", "docker rmi --force --platform linux/arm64 ubuntu:22.04")
	page.Golden(t, "delete-platform")
	s.Post(pages.Ubuntu+":22.04/delete", page.Form(t)).WentTo(t, pages.Ubuntu+":22.04", "Deleted ubuntu:22.04 (linux/arm64), freed ")
	if images := s.Target("ubuntu:22.04").Images; len(images) != 1 || images[0].Platform.Architecture != "amd64" {
		t.Errorf("images left: %+v", images)
	}
}

func TestAnImageIDWithTwoTagsIsRefusedAndForceIsASecondStep(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04")
	s.Pull("ubuntu:latest")
	id := s.Store.Images.Preferred(s.Target("ubuntu:22.04").Images).ID
	address := "/images/sha256:" + id.Encoded() + "/delete"
	refused := s.Get(address)
	refused.Is(t, http.StatusOK, "This needs one more decision", "used by 2 references", "Delete all of them…", "docker rmi "+id.Encoded()[:12], ">:22.04<", ">:latest<", fmt.Sprintf(`href="%s?force=1"`, address))
	refused.Lacks(t, `method="post" action="/images/sha256`, `name="plan"`, "Nothing has been deleted", "Not deleted", "--force")
	refused.Golden(t, "delete-refused")

	plan := s.Get(address + "?force=1")
	plan.Is(t, http.StatusOK, "docker rmi --force "+id.Encoded()[:12], `name="force" value="1"`)
	s.Post(address, plan.Form(t)).WentTo(t, "/images", "Deleted image "+id.Encoded()[:12]+", freed ")
	shelfHas(s)
}

func TestAnImageIDWhoseTagsKeepOtherPlatformsOffersToRemoveOnlyItsPlatform(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	s.Pull("ubuntu:latest", "linux/amd64", "linux/arm64")
	id := s.Store.Images.Preferred(s.Target("ubuntu:22.04").Images).ID
	address := "/images/sha256:" + id.Encoded() + "/delete"
	refused := s.Get(address)
	refused.Is(t, http.StatusOK, "Remove linux/amd64 from both references…", "each stays with its other platforms")
	refused.Lacks(t, "Delete all of them")
	plan := s.Get(address + "?force=1")
	plan.Is(t, http.StatusOK, "Loses linux/amd64; it keeps linux/arm64.")
	s.Post(address, plan.Form(t)).WentTo(t, "/images", "Deleted image "+id.Encoded()[:12]+", freed ")
	shelfHas(s, "ubuntu:22.04", "ubuntu:latest")
}

func TestDeletingAPlatformSaysWhichOtherTagLosesIt(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	s.Pull("ubuntu:latest", "linux/amd64", "linux/arm64")
	page := s.Get(pages.Ubuntu + ":22.04/delete?platform=linux/arm64/v8")
	page.Is(t, http.StatusOK, ">:latest<", "Is on the same index and loses linux/arm64 too; it keeps linux/amd64.")
	s.Post(pages.Ubuntu+":22.04/delete", page.Form(t)).WentTo(t, pages.Ubuntu+":22.04", "Deleted ubuntu:22.04 (linux/arm64), freed ")
	for _, name := range []string{"ubuntu:22.04", "ubuntu:latest"} {
		if images := s.Target(name).Images; len(images) != 1 || images[0].Platform.Architecture != "amd64" {
			t.Errorf("%s has %+v", name, images)
		}
	}
}

func TestARefusedDeletionOfTheLastPlatformShowsThePlainCommand(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/arm64")
	s.Pull("ubuntu:latest", "linux/arm64")
	address := pages.Ubuntu + ":22.04/delete?platform=linux/arm64/v8"
	refused := s.Get(address)
	refused.Is(t, http.StatusOK, "Delete all of them…", "docker rmi --platform linux/arm64 ubuntu:22.04")
	refused.Lacks(t, "--force")
	s.Get(address+"&force=1").Is(t, http.StatusOK, "docker rmi --force --platform linux/arm64 ubuntu:22.04")
	shelfHas(s, "ubuntu:22.04", "ubuntu:latest")
}

func TestForceInTheFormNeedsThePlanWithForce(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04")
	s.Pull("ubuntu:latest")
	digest := s.Target("ubuntu:22.04").Digest
	address := pages.Ubuntu + "@" + string(digest) + "/delete"
	forced := s.Get(address + "?force=1").Form(t)
	forced.Del("force")
	s.Post(address, forced).Is(t, http.StatusConflict, "2 tags point at", "Nothing has been deleted")
	shelfHas(s, "ubuntu:22.04", "ubuntu:latest")
}

func TestAPostWithoutAPlanShowsItAndDoesNothing(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	page := s.Post(pages.Ubuntu+":22.04/delete", url.Values{"platform": {"linux/arm64"}})
	page.Is(t, http.StatusOK, "Delete ubuntu:22.04 (linux/arm64)", `name="plan" value="sha256:`, `name="platform" value="linux/arm64"`)
	if n := len(s.Target("ubuntu:22.04").Images); n != 2 {
		t.Errorf("%d images are left", n)
	}
}

func TestAnOutdatedPlanIsNotCarriedOutAndTheNewOneIsShown(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04")
	old := s.Get(pages.Ubuntu + ":22.04/delete").Form(t)
	s.Pull("ubuntu:latest")
	page := s.Post(pages.Ubuntu+":22.04/delete", old)
	page.Is(t, http.StatusConflict, "The shelf has changed", "Frees nothing", ">:latest<")
	shelfHas(s, "ubuntu:22.04", "ubuntu:latest")
	s.Post(pages.Ubuntu+":22.04/delete", page.Form(t)).WentTo(t, "/images", "Removed ubuntu:22.04.")
	shelfHas(s, "ubuntu:latest")
}

func TestAPlanOfSomethingElseIsNotCarriedOut(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04")
	s.Pull("redis:7")
	s.Post("/images/docker.io/library/redis:7/delete", s.Get(pages.Ubuntu+":22.04/delete").Form(t)).Is(t, http.StatusConflict)
	s.Post(pages.Ubuntu+":22.04/delete", url.Values{"plan": {"<script>"}}).Is(t, http.StatusConflict)
	shelfHas(s, "redis:7", "ubuntu:22.04")
}

func TestBadDeletionsAreRefused(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04")
	for address, status := range map[string]int{
		pages.Ubuntu + ":22.04/delete?platform=a%20b":      http.StatusBadRequest,
		pages.Ubuntu + ":22.04/delete?force=perhaps":       http.StatusBadRequest,
		pages.Ubuntu + ":22.04/delete?platform=linux/mips": http.StatusNotFound,
		pages.Ubuntu + ":24.04/delete":                     http.StatusNotFound,
		pages.Ubuntu + ":UP//delete":                       http.StatusBadRequest,
		"/images/sha256:abcd/delete":                       http.StatusNotFound,
	} {
		s.Get(address).Is(t, status)
		s.Post(address, nil).Is(t, status)
	}
	shelfHas(s, "ubuntu:22.04")
}
