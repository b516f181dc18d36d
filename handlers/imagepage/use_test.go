package imagepage_test

import (
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stowage/stowage/handlers"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/test/pages"
)

// getAt asks for a page under a server's name, as a browser or a proxy in front does.
func getAt(s *pages.Shelf, host, address string, headers ...string) pages.Answer {
	s.T.Helper()
	r := httptest.NewRequest(http.MethodGet, address, nil)
	r.Host = host
	return s.Do(r, headers...)
}

var copied = regexp.MustCompile(`data-copy="([^"]*)"`)

// commands returns what the copy buttons of the page's commands copy.
func commands(a pages.Answer) (all []string) {
	for _, m := range copied.FindAllStringSubmatch(a.Main(), -1) {
		if text := html.UnescapeString(m[1]); strings.Contains(text, " ") {
			all = append(all, text)
		}
	}
	return all
}

// hasCommands holds the page's commands against some, in any order; %s stands for the digest.
func hasCommands(a pages.Answer, t *testing.T, digest image.Digest, want ...string) {
	t.Helper()
	got := commands(a)
	for _, w := range want {
		if w = strings.ReplaceAll(w, "%s", string(digest)); !slices.Contains(got, w) {
			t.Errorf("there is no command %q in\n%s", w, strings.Join(got, "\n"))
		}
	}
}

const useUbuntu = "/images/docker.io/library/ubuntu:22.04/use"

func TestThePageSaysHowToPullFromThisServer(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	d := s.Target("ubuntu:22.04").Digest
	page := getAt(s, "localhost:8080", useUbuntu)
	page.Is(t, http.StatusOK, "ubuntu:22.04 · Use it", `href="`+useUbuntu+`"`, "http://localhost:8080")
	page.Golden(t, "image_use")
	page.Lacks(t, "insecure-registries", "--insecure ")
	hasCommands(page, t, d,
		"docker pull localhost:8080/docker.io/library/ubuntu:22.04", "docker pull localhost:8080/docker.io/library/ubuntu@%s",
		"podman pull --tls-verify=false localhost:8080/docker.io/library/ubuntu:22.04",
		"skopeo copy --src-tls-verify=false docker://localhost:8080/docker.io/library/ubuntu@%s oci:ubuntu",
		"crane pull --platform linux/amd64 localhost:8080/docker.io/library/ubuntu:22.04 ubuntu.tar",
		"regctl registry set --tls disabled localhost:8080 && regctl image copy --platform linux/amd64 localhost:8080/docker.io/library/ubuntu:22.04 ocidir://ubuntu:22.04",
	)
	getAt(s, "localhost:8080", useUbuntu, "Accept-Language", "ko").Golden(t, "image_use_korean")
}

func TestPlainHTTPFromElsewhereIsSaidToEngines(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04")
	page := getAt(s, "shelf:8080", useUbuntu+"?platform=linux%2Famd64")
	page.Is(t, http.StatusOK, `{ &#34;insecure-registries&#34;: [&#34;shelf:8080&#34;] }`, `{ &#34;registry-mirrors&#34;: [&#34;http://shelf:8080&#34;] }`,
		`[host.&#34;http://shelf:8080&#34;]`, "insecure = true", "/etc/containerd/certs.d/docker.io/hosts.toml", "https://registry-1.docker.io")
	hasCommands(page, t, s.Target("ubuntu:22.04").Digest,
		"docker pull --platform linux/amd64 shelf:8080/docker.io/library/ubuntu:22.04",
		"podman pull --tls-verify=false --platform linux/amd64 shelf:8080/docker.io/library/ubuntu@%s",
		"skopeo --override-os linux --override-arch amd64 copy --src-tls-verify=false docker://shelf:8080/docker.io/library/ubuntu:22.04 oci:ubuntu:22.04",
		"crane pull --insecure --platform linux/amd64 shelf:8080/docker.io/library/ubuntu:22.04 ubuntu.tar",
	)
}

func TestBehindTLSNothingIsInsecure(t *testing.T) {
	s := pages.New(t)
	s.Pull("ghcr.io/acme/api:v2.14.0")
	page := getAt(s, "shelf.example.com", "/images/ghcr.io/acme/api:v2.14.0/use", "X-Forwarded-Proto", "https")
	page.Is(t, http.StatusOK, "https://shelf.example.com", `location = &#34;shelf.example.com/ghcr.io&#34;`, "/etc/containerd/certs.d/ghcr.io/hosts.toml")
	page.Lacks(t, "insecure", "tls-verify", "--tls disabled", "registry-mirrors")
	hasCommands(page, t, "", "docker pull --platform linux/amd64 shelf.example.com/ghcr.io/acme/api:v2.14.0")
	bare := getAt(s, "shelf", "/images/ghcr.io/acme/api:v2.14.0/use", "X-Forwarded-Proto", "https")
	hasCommands(bare, t, "", "docker pull --platform linux/amd64 shelf:443/ghcr.io/acme/api:v2.14.0") // without a port it would be a repository of Docker Hub
}

func TestTheOperatorSaysWhereTheServerIs(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04")
	s.Configure(func(o *handlers.Options) { o.ExternalURL = "https://shelf.example.com" })
	page := getAt(s, "10.0.0.7:8080", useUbuntu, "X-Forwarded-Proto", "http")
	page.Is(t, http.StatusOK, "https://shelf.example.com")
	page.Lacks(t, "10.0.0.7", "insecure")
	getAt(s, "10.0.0.7:8080", "/images").Is(t, http.StatusOK, "https://shelf.example.com/images")
}

// A Host is whatever somebody sends, and these commands are made to be pasted into a shell.
func TestAHostThatIsNoneIsInNoCommand(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04")
	for _, host := range []string{
		"", "shelf;reboot", "$(reboot)", "shelf/../x", "a b", `shelf"`, "shelf:port", "shelf:0", "shelf:99999", "-flag", "user@shelf", "[::1", "[zz]:80", "shelf..example", "공유",
		"[fe80::1%25eth0]:80", strings.Repeat("a.", 200) + "a",
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, useUbuntu, nil)
		r.Host = host // past the door, which knows no such name
		c := echo.New().NewContext(r, w)
		c.SetParamNames("*")
		c.SetParamValues(strings.TrimPrefix(useUbuntu, "/images/"))
		if err := s.Handlers.Addresses.ImageAddress(c); err != nil {
			t.Fatal(err)
		}
		page := pages.Answer{Status: w.Code, Header: w.Header(), Body: w.Body.String()}
		page.Is(t, http.StatusOK, "The address of this server is not known", "--external-url")
		if all := commands(page); len(all) > 0 {
			t.Errorf("%q: %q", host, all)
		}
	}
	page := getAt(s, "[::1]:8080", useUbuntu, "X-Forwarded-Proto", `javascript"`)
	hasCommands(page, t, "", "docker pull --platform linux/amd64 '[::1]:8080/docker.io/library/ubuntu:22.04'")
}

func TestAnImageIDIsUsedByItsManifest(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	img := s.Target("ubuntu:22.04").Images[0]
	page := getAt(s, "localhost:8080", "/images/"+string(img.ID)+"/use")
	page.Is(t, http.StatusOK, "By digest")
	page.Lacks(t, "By tag")
	hasCommands(page, t, img.Manifest, "docker pull localhost:8080/docker.io/library/ubuntu@%s")
}

func TestARegistrysPortIsWrittenWithoutAColon(t *testing.T) {
	s := pages.New(t)
	s.Pull("registry.example.com:5000/library/redis:7")
	page := getAt(s, "localhost:8080", "/images/registry.example.com:5000/library/redis:7/use")
	hasCommands(page, t, "", "docker pull --platform linux/amd64 localhost:8080/registry.example.com_5000/library/redis:7")
	page.Is(t, http.StatusOK, `location = &#34;localhost:8080/registry.example.com_5000&#34;`, "/etc/containerd/certs.d/registry.example.com:5000/hosts.toml")
}

func TestParseExternalURL(t *testing.T) {
	for s, want := range map[string]string{
		"https://shelf.example.com": "https://shelf.example.com", "https://shelf.example.com/": "https://shelf.example.com", "http://Shelf:8080": "http://shelf:8080",
		"http://[2001:db8::1]:80": "http://[2001:db8::1]:80", "http://10.0.0.7": "http://10.0.0.7",
		"": "", "shelf.example.com": "", "shelf:8080": "", "ftp://shelf": "", "https://": "", "https://shelf/stowage": "", "https://shelf?x=1": "", "https://shelf/?": "", "https://shelf#a": "",
		"https://user@shelf": "", "https://user:secret@shelf": "", "https://she lf": "", "https://shelf:": "", "https://shelf:http": "", "https://shelf;reboot": "", "//shelf": "", "https://[::1%25eth0]": "",
	} {
		got, err := page.ParseExternalURL(s)
		if got != want || (err == nil) != (want != "") || err != nil && image.KindOf(err) != image.Invalid {
			t.Errorf("%q: %q, %v; want %q", s, got, err, want)
		}
	}
}

func TestOfAnIndexWithOneStoredPlatformEveryCommandNamesIt(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/arm64")
	hasCommands(getAt(s, "localhost:8080", useUbuntu), t, s.Target("ubuntu:22.04").Digest,
		"docker pull --platform linux/arm64 localhost:8080/docker.io/library/ubuntu:22.04",
		"podman pull --tls-verify=false --platform linux/arm64 localhost:8080/docker.io/library/ubuntu@%s",
		"skopeo --override-os linux --override-arch arm64 copy --src-tls-verify=false docker://localhost:8080/docker.io/library/ubuntu:22.04 oci:ubuntu:22.04",
	)
	s.Pull("ubuntu:22.04", "linux/amd64")
	hasCommands(getAt(s, "localhost:8080", useUbuntu), t, "", "docker pull localhost:8080/docker.io/library/ubuntu:22.04") // either may be somebody's
}
