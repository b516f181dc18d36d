package archives_test

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/test/pages"
	"github.com/stowage/stowage/views/text"
)

var archiveLink = regexp.MustCompile(`<a class="btn btn-primary" href="([^"]*)">`)

// offered returns the address of the archive that a page offers.
func offered(a pages.Answer, t *testing.T) string {
	t.Helper()
	m := archiveLink.FindStringSubmatch(a.Body)
	if m == nil {
		t.Fatalf("no archive is offered\n%s", a.Main())
	}
	return strings.ReplaceAll(m[1], "&amp;", "&")
}

func TestTheDownloadPageOffersWhatTheArchiveIs(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	page := s.Get(pages.Ubuntu + ":22.04/download")
	page.Golden(t, "image_download")
	for query, want := range map[string]string{
		"":                      pages.Ubuntu + ":22.04/archive",
		"?platform=linux/arm64": pages.Ubuntu + ":22.04/archive?platform=linux/arm64",
		"?chosen=1&platform=linux/arm64&format=docker":                      pages.Ubuntu + ":22.04/archive?platform=linux/arm64",
		"?chosen=1&platform=linux/amd64&platform=linux/arm64&format=docker": pages.Ubuntu + ":22.04/archive",
		"?chosen=1&platform=linux/amd64&format=oci":                         pages.Ubuntu + ":22.04/archive?platform=linux/amd64&format=oci",
	} {
		page := s.Get(pages.Ubuntu + ":22.04/download" + query)
		if got := offered(page, t); got != want {
			t.Errorf("%s offers %s, want %s", query, got, want)
		}
		archive := s.Get(want)
		size := strconv.Itoa(len(archive.Body))
		page.Is(t, http.StatusOK, text.Grouped(int64(len(archive.Body)))+" bytes", "http://example.com"+strings.ReplaceAll(want, "&", "&amp;"))
		if archive.Header.Get("Content-Length") != size {
			t.Errorf("%s: %s bytes were declared, %s came", want, archive.Header.Get("Content-Length"), size)
		}
	}
}

func TestWithoutAPlatformThereIsNothingToDownload(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	page := s.Get(pages.Ubuntu + ":22.04/download?chosen=1&format=docker")
	page.Is(t, http.StatusOK, "Choose at least one platform.")
	page.Lacks(t, "docker load", "/archive")
}

func TestAnImageOfOnePlatformHasNoneToChoose(t *testing.T) {
	s := pages.NewWith(t, "team/app", map[string]sample.Source{"1": sample.Sized(1, 100, pages.Amd64).Entries[0]})
	s.Pull("team/app:1")
	page := s.Get("/images/docker.io/team/app:1/download?chosen=1&format=oci")
	page.Is(t, http.StatusOK, "Holds this manifest and no index", "team_app_1.oci.tar", "older engines need the other format")
	page.Lacks(t, `name="platform"`)
	if got := offered(page, t); got != "/images/docker.io/team/app:1/archive?format=oci" {
		t.Error(got)
	}
}

func TestCommandsNameThePlatformWhereAClientWouldGuess(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	s.Get(pages.Ubuntu+":22.04/download").Is(t, http.StatusOK,
		"docker load -i ubuntu_22.04.tar<", "Engines without the containerd image store load linux/amd64",
		"ctr images import --platform linux/amd64 ubuntu_22.04.tar<", "skopeo copy --override-os linux --override-arch amd64 oci-archive:ubuntu_22.04.tar ")
	s.Get(pages.Ubuntu+":22.04/download?platform=linux/arm64").Is(t, http.StatusOK,
		"podman load -i ubuntu_22.04_linux-arm64.tar<", "ctr images import --platform linux/arm64 ubuntu_22.04_linux-arm64.tar<",
		"skopeo copy oci-archive:ubuntu_22.04_linux-arm64.tar docker://registry.example.com/library/ubuntu:22.04<")
	id := string(s.Target("ubuntu:22.04").Images[0].ID)
	s.Get("/images/"+id+"/download").Is(t, http.StatusOK, "--digests --base-name image", "curl -f http://example.com/images/"+id+"/archive | docker load")
}

func TestABrokenPlatformCannotBeChosen(t *testing.T) {
	s := pages.NewWith(t, "test/wrong", map[string]sample.Source{"latest": sample.WrongDiffID()})
	s.Pull("test/wrong:latest")
	page := s.Get("/images/docker.io/test/wrong:latest/download")
	page.Is(t, http.StatusConflict, "There is no archive of this", "is broken and is not handed out")
	page.Lacks(t, "docker load")
}

func TestTheListDownloadsWhatIsTicked(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64")
	s.Get("/images").Is(t, http.StatusOK, `formaction="/archive" formmethod="get"`, `name="ref" value="ubuntu:22.04" form="selection"`)
	s.Get(pages.Ubuntu).Is(t, http.StatusOK, `href="/archive?image=ubuntu"`)
}
