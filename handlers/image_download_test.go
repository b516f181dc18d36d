package handlers

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/views/text"
)

var archiveLink = regexp.MustCompile(`<a class="btn btn-primary" href="([^"]*)">`)

// offered gives the address of the archive that a page offers.
func (a answer) offered(t *testing.T) string {
	t.Helper()
	m := archiveLink.FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("no archive is offered\n%s", a.main())
	}
	return strings.ReplaceAll(m[1], "&amp;", "&")
}

func TestTheDownloadPageOffersWhatTheArchiveIs(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	page := s.get(ubuntu + ":22.04/download")
	page.golden(t, "image_download")
	for query, want := range map[string]string{
		"":                      ubuntu + ":22.04/archive",
		"?platform=linux/arm64": ubuntu + ":22.04/archive?platform=linux/arm64",
		"?chosen=1&platform=linux/arm64&format=docker":                      ubuntu + ":22.04/archive?platform=linux/arm64",
		"?chosen=1&platform=linux/amd64&platform=linux/arm64&format=docker": ubuntu + ":22.04/archive",
		"?chosen=1&platform=linux/amd64&format=oci":                         ubuntu + ":22.04/archive?platform=linux/amd64&format=oci",
	} {
		page := s.get(ubuntu + ":22.04/download" + query)
		if got := page.offered(t); got != want {
			t.Errorf("%s offers %s, want %s", query, got, want)
		}
		archive := s.get(want)
		size := strconv.Itoa(len(archive.body))
		page.is(t, http.StatusOK, text.Grouped(int64(len(archive.body)))+" bytes", "http://example.com"+strings.ReplaceAll(want, "&", "&amp;"))
		if archive.header.Get("Content-Length") != size {
			t.Errorf("%s: %s bytes were declared, %s came", want, archive.header.Get("Content-Length"), size)
		}
	}
}

func TestWithoutAPlatformThereIsNothingToDownload(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	page := s.get(ubuntu + ":22.04/download?chosen=1&format=docker")
	page.is(t, http.StatusOK, "Choose at least one platform.")
	page.lacks(t, "docker load", "/archive")
}

func TestAnImageOfOnePlatformHasNoneToChoose(t *testing.T) {
	s := newShelfWith(t, "team/app", map[string]sample.Source{"1": sample.Sized(1, 100, amd64).Entries[0]})
	s.pull("team/app:1")
	page := s.get("/images/docker.io/team/app:1/download?chosen=1&format=oci")
	page.is(t, http.StatusOK, "Holds this manifest and no index", "team_app_1.oci.tar", "older engines need the other format")
	page.lacks(t, `name="platform"`)
	if got := page.offered(t); got != "/images/docker.io/team/app:1/archive?format=oci" {
		t.Error(got)
	}
}

func TestCommandsNameThePlatformWhereAClientWouldGuess(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	s.get(ubuntu+":22.04/download").is(t, http.StatusOK,
		"docker load -i ubuntu_22.04.tar<", "Engines without the containerd image store load linux/amd64",
		"ctr images import --platform linux/amd64 ubuntu_22.04.tar<", "skopeo copy --override-os linux --override-arch amd64 oci-archive:ubuntu_22.04.tar ")
	s.get(ubuntu+":22.04/download?platform=linux/arm64").is(t, http.StatusOK,
		"podman load -i ubuntu_22.04_linux-arm64.tar<", "ctr images import --platform linux/arm64 ubuntu_22.04_linux-arm64.tar<",
		"skopeo copy oci-archive:ubuntu_22.04_linux-arm64.tar docker://registry.example.com/library/ubuntu:22.04<")
	id := string(s.target("ubuntu:22.04").Images[0].ID)
	s.get("/images/"+id+"/download").is(t, http.StatusOK, "--digests --base-name image", "curl -f http://example.com/images/"+id+"/archive | docker load")
}

func TestABrokenPlatformCannotBeChosen(t *testing.T) {
	s := newShelfWith(t, "test/wrong", map[string]sample.Source{"latest": sample.WrongDiffID()})
	s.pull("test/wrong:latest")
	page := s.get("/images/docker.io/test/wrong:latest/download")
	page.is(t, http.StatusConflict, "There is no archive of this", "is broken and is not handed out")
	page.lacks(t, "docker load")
}

func TestTheListDownloadsWhatIsTicked(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04", "linux/amd64")
	s.get("/images").is(t, http.StatusOK, `formaction="/archive" formmethod="get"`, `name="ref" value="ubuntu:22.04" form="selection"`)
	s.get(ubuntu).is(t, http.StatusOK, `href="/archive?image=ubuntu"`)
}
