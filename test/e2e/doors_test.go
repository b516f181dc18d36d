package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/shelf"
)

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

// TestWhereBrowsersSayNothingOfTheSiteNobodyIsAsked sends what a browser does to a plain address on a network: no
// Sec-Fetch-Site, and no Referer or that of the page.
func TestWhereBrowsersSayNothingOfTheSiteNobodyIsAsked(t *testing.T) {
	t.Parallel()
	h := shelf.DockerHub(t, "library/nginx:latest")
	s := shelf.Start(t, shelf.ListRegistries(t, h.Listed()), "--mirror=docker.io", "--listen=0.0.0.0:0", "--auth=none", "--host=shelf.lan")
	addresses := append(shelf.Asking("nginx", "latest"), "/search/box?q=nginx&registries=1",
		"/v2/library/nginx/manifests/latest", "/v2/nginx/manifests/latest?ns=docker.io", "/v2/library/nginx/tags/list")
	for name, header := range map[string]map[string]string{
		"no Referer":          {"User-Agent": firefox},
		"another site":        {"User-Agent": firefox, "Referer": "http://evil.example/"},
		"a neighbour":         {"User-Agent": firefox, "Referer": "http://shelf.lan:9999/", "Cookie": "own_site=1"},
		"another site's name": {"User-Agent": "curl/8", "Referer": "http://evil.example/"},
		"a frame of another":  {"User-Agent": firefox, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe", "Cookie": "own_site=1"},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			for _, address := range addresses {
				all := map[string]string{"Sec-Fetch-Site": "", "Host": "shelf.lan:8080", "HX-Request": "true", "HX-Request-Type": "partial", "HX-Target": "div#search-results"}
				for k, v := range header {
					all[k] = v
				}
				if p := s.Send(method, address, nil, all); p.Status >= http.StatusInternalServerError {
					t.Errorf("%s: %s %s: %d", name, method, address, p.Status)
				}
			}
		}
		if n := shelf.Asked(h.Search, h.Registry); n != 0 {
			t.Fatalf("%s: %d requests to registries", name, n)
		}
	}

	// The page says so, and sets the cookie by which the next visit is known; so is the click on its button.
	first := s.Send(http.MethodGet, "/search?q=nginx", nil, map[string]string{"Sec-Fetch-Site": "", "User-Agent": firefox, "Accept": "text/html", "Host": "shelf.lan:8080"})
	first.Says(http.StatusOK, "Not searched yet")
	cookie := first.Header.Get("Set-Cookie")
	if !strings.HasPrefix(cookie, "own_site=1;") || !strings.Contains(cookie, "SameSite=Strict") || !strings.Contains(cookie, "HttpOnly") {
		t.Errorf("cookie %q", cookie)
	}
	for name, header := range map[string]map[string]string{
		"the button":     {"Referer": "http://shelf.lan:8080/search?q=nginx"},
		"the next visit": {"Cookie": "own_site=1"},
	} {
		header["Sec-Fetch-Site"], header["User-Agent"], header["Accept"], header["Host"] = "", firefox, "text/html", "shelf.lan:8080"
		if p := s.Send(http.MethodGet, "/search?q=nginx", nil, header); len(p.Results()) == 0 {
			t.Errorf("%s finds nothing: %s", name, p.Text())
		}
	}
	// An engine is no browser.
	p := s.Send(http.MethodGet, "/v2/library/nginx/manifests/latest", nil, map[string]string{"Sec-Fetch-Site": "", "User-Agent": "docker/29.0.0", "Host": "shelf.lan:8080"})
	if p.Status != http.StatusOK || h.Registry.Count("", "/manifests/") == 0 {
		t.Errorf("an engine gets %d", p.Status)
	}
}

func TestAPastedPasswordReachesNoLog(t *testing.T) {
	t.Parallel()
	h := shelf.DockerHub(t, "library/nginx:latest")
	s := shelf.Start(t, shelf.ListRegistries(t, h.Listed()), "--log-level=debug", "--mirror=docker.io")
	const secret = "hunter2secret"
	for _, pasted := range []string{"https://anna:" + secret + "@registry.example.com/app:1", "anna:" + secret + "@registry.example.com/app", "http://" + secret + "@host/x"} {
		q := url.QueryEscape(pasted)
		for _, address := range []string{
			"/search?q=" + q, "/search?repo=" + q, "/search?q=nginx&repo=nginx&match=" + q, "/search?repo=nginx&tag=" + q, "/search?registry=" + q, "/search?page=" + q,
			"/search/box?q=" + q, "/search/box?registries=1&q=" + q, "/pull?ref=" + q, "/pull?all=1&ref=" + q, "/pull?ref=nginx&platform=" + q, "/pull?ref=nginx&all=1&match=" + q,
			"/images?q=" + q, "/images?reference=" + q, "/images?label=" + q, "/images?sort=" + q, "/images?" + q, "/archive?image=" + q, "/archives?name=" + q,
			"/prune?label=" + q, "/delete?item=" + q, "/images/" + pasted, "/images/" + q, "/v2/" + pasted + "/manifests/1", "/v2/nginx/manifests/latest?ns=" + q, "/" + pasted,
		} {
			for _, part := range []string{"", "search-results", "box-options"} {
				header := map[string]string{}
				if part != "" {
					header["HX-Request"], header["HX-Request-Type"], header["HX-Target"] = "true", "partial", "div#"+part
				}
				s.Send(http.MethodGet, address, nil, header)
			}
		}
		for _, path := range []string{"/pulls", "/updates", "/prune", "/delete"} {
			s.Send(http.MethodPost, path, url.Values{"ref": {pasted}, "match": {pasted}, "item": {pasted}, "repository": {pasted}, "label": {pasted}},
				map[string]string{"Origin": s.URL, "Sec-Fetch-Site": "same-origin"})
		}
		s.Put("/archives?name="+q, strings.NewReader("no archive"), nil)
		s.Send(http.MethodGet, "/images", nil, map[string]string{"Host": secret + ".example", "Referer": "http://" + secret + ".example/"})
	}
	if _, body := s.Get("/metrics"); strings.Contains(body, secret) {
		t.Error("it stands in the metrics")
	}
	s.Stop()
	for _, line := range strings.Split(s.Logs(), "\n") {
		if strings.Contains(line, secret) && !strings.Contains(line, "a request for another host") { // a Host is no secret
			t.Errorf("the log has it: %s", line)
		}
	}
	if !strings.Contains(s.Logs(), `"path":"/search"`) {
		t.Error("the log has no paths")
	}
}

// TestTheWordUploadedStandsBesideTheNameOnEveryPage uploads an archive that calls itself by a registry's name.
func TestTheWordUploadedStandsBesideTheNameOnEveryPage(t *testing.T) {
	t.Parallel()
	h := shelf.DockerHub(t, "library/nginx:latest")
	s := shelf.Start(t, shelf.ListRegistries(t, h.Listed()), "--mirror=docker.io")
	status, text, _ := s.Put("/archives", bytes.NewReader(shelf.Tarred(t, "docker.io/library/nginx:latest", shelf.Plain(t))), nil)
	if status != http.StatusCreated {
		t.Fatalf("%d %s", status, text)
	}
	const page = "/images/docker.io/library/nginx:latest"
	const meaning = "An archive that somebody sent is stored under this name."
	everywhere := func(said bool) {
		t.Helper()
		for _, address := range []string{
			"/images", "/images?group=repository", "/images/docker.io/library/nginx", page, page + "/history", page + "/use", page + "/delete",
			"/search?q=nginx", "/search?repo=nginx", "/pull?ref=nginx:latest", "/storage", "/prune?all=1",
		} {
			if p := s.Page(address); strings.Contains(p.Body, meaning) != said && address != "/storage" {
				t.Errorf("%s says that it was uploaded: %v, want %v (%d)", address, !said, said, p.Status)
			}
		}
		box := s.Send(http.MethodGet, "/search/box?q=nginx", nil, map[string]string{"HX-Request": "true", "HX-Request-Type": "partial"})
		if strings.Contains(box.Body, meaning) != said {
			t.Errorf("the box says that it was uploaded: %v", !said)
		}
	}
	everywhere(true)
	s.Page(page+"/history").Says(http.StatusOK, "uploaded")
	if p := s.Page(page); strings.Contains(p.Text(), "from docker.io") {
		t.Errorf("its page says that it comes from the registry: %s", p.Text())
	}

	// The mirror has the registry's, which takes its place.
	if p := s.Send(http.MethodGet, "/v2/library/nginx/manifests/latest", nil, map[string]string{"Sec-Fetch-Site": "", "User-Agent": "docker/29.0.0"}); p.Status != http.StatusOK ||
		h.Registry.Count(http.MethodHead, "/manifests/latest") == 0 {
		t.Errorf("the mirror answers %d without asking the registry", p.Status)
	}
	s.Post("/pulls", url.Values{"ref": {"nginx:latest"}})
	shelf.Eventually(t, "the registry's to be pulled", func() bool { return !strings.Contains(s.Page(page).Body, meaning) })
	everywhere(false)
}

func TestOnANetworkSignInsAreUsedForNobodyUnlessShared(t *testing.T) {
	t.Parallel()
	u := shelf.RealUpstream(t)
	u.Library(t, "library/nginx", "1.27-alpine")
	u.On(fake.Any, fake.BasicAuth("anna", "s3cret"))
	docker := t.TempDir()
	config := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, u.Host, base64.StdEncoding.EncodeToString([]byte("anna:s3cret")))
	if err := os.WriteFile(filepath.Join(docker, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"DOCKER_CONFIG=" + docker}
	address := "/pull?ref=" + url.QueryEscape(u.Ref("library/nginx:1.27-alpine"))
	for _, tt := range []struct {
		args []string
		used bool
	}{
		{nil, true},
		{[]string{"--listen=0.0.0.0:0", "--auth=none", "--registry=" + u.Host + "=" + u.URL()}, false},
		{[]string{"--listen=0.0.0.0:0", "--auth=none", "--registry=" + u.Host + "=" + u.URL(), "--share-logins"}, true},
	} {
		s := shelf.StartOn(t, t.TempDir(), env, tt.args...)
		p := s.Page(address)
		if tt.used && p.Status != http.StatusOK {
			t.Errorf("%v: %d %s", tt.args, p.Status, p.Text())
		}
		if !tt.used {
			p.Says(http.StatusForbidden, "wants a sign-in", "--share-logins")
			s.Post("/pulls", url.Values{"ref": {u.Ref("library/nginx:1.27-alpine")}})
			shelf.Eventually(t, "the pull to say why it fails", func() bool { return strings.Contains(s.Page("/pulls/1").Body, "--share-logins") })
		}
		s.Stop()
	}
}

func TestWhatTheServerMakesIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "shelf")
	s := shelf.StartOn(t, data, nil)
	if status, text, _ := s.Put("/archives", bytes.NewReader(shelf.Tarred(t, "docker.io/library/tool:1", shelf.Plain(t))), nil); status != http.StatusCreated {
		t.Fatalf("%d %s", status, text)
	}
	look := func() {
		t.Helper()
		if err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if info, err := d.Info(); err == nil && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has mode %v", path, info.Mode())
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	look()
	s.Stop()
	look()

	if err := os.Chmod(filepath.Join(data, "blobs"), 0o777); err != nil {
		t.Fatal(err)
	}
	s = shelf.StartOn(t, data, nil)
	if !strings.Contains(s.Logs(), "other accounts of this machine can write to a part of the data folder") {
		t.Errorf("no warning: %s", s.Logs())
	}
	s.Page("/storage").Says(http.StatusOK, "Other accounts of this machine can write to the data folder", "chmod go-w DIR/blobs")
	s.Stop()

	if err := os.Rename(filepath.Join(data, "blobs"), filepath.Join(data, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("elsewhere", filepath.Join(data, "blobs")); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := shelf.Run(t, nil, "--data="+data, "--listen=127.0.0.1:0"); code == 0 || !strings.Contains(stderr, "blobs in the data folder is a link") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
