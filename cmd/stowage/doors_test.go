package main

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

	"github.com/stowage/stowage/sample"
)

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

// TestWhereBrowsersSayNothingOfTheSiteNobodyIsAsked sends what a browser does to a plain address on a network: no
// Sec-Fetch-Site, and no Referer or that of the page.
func TestWhereBrowsersSayNothingOfTheSiteNobodyIsAsked(t *testing.T) {
	t.Parallel()
	h := dockerHub(t, "library/nginx:latest")
	s := startStowage(t, listRegistries(t, h.listed()), "--mirror=docker.io", "--listen=0.0.0.0:0", "--auth=none", "--host=shelf.lan")
	addresses := append(asking("nginx", "latest"), "/search/box?q=nginx&registries=1",
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
				if p := s.send(method, address, nil, all); p.status >= http.StatusInternalServerError {
					t.Errorf("%s: %s %s: %d", name, method, address, p.status)
				}
			}
		}
		if n := asked(h.search, h.registry); n != 0 {
			t.Fatalf("%s: %d requests to registries", name, n)
		}
	}

	// The page says so, and sets the cookie by which the next visit is known; so is the click on its button.
	first := s.send(http.MethodGet, "/search?q=nginx", nil, map[string]string{"Sec-Fetch-Site": "", "User-Agent": firefox, "Accept": "text/html", "Host": "shelf.lan:8080"})
	first.says(http.StatusOK, "Not searched yet")
	cookie := first.header.Get("Set-Cookie")
	if !strings.HasPrefix(cookie, "own_site=1;") || !strings.Contains(cookie, "SameSite=Strict") || !strings.Contains(cookie, "HttpOnly") {
		t.Errorf("cookie %q", cookie)
	}
	for name, header := range map[string]map[string]string{
		"the button":     {"Referer": "http://shelf.lan:8080/search?q=nginx"},
		"the next visit": {"Cookie": "own_site=1"},
	} {
		header["Sec-Fetch-Site"], header["User-Agent"], header["Accept"], header["Host"] = "", firefox, "text/html", "shelf.lan:8080"
		if p := s.send(http.MethodGet, "/search?q=nginx", nil, header); len(p.results()) == 0 {
			t.Errorf("%s finds nothing: %s", name, p.text())
		}
	}
	// An engine is no browser.
	p := s.send(http.MethodGet, "/v2/library/nginx/manifests/latest", nil, map[string]string{"Sec-Fetch-Site": "", "User-Agent": "docker/29.0.0", "Host": "shelf.lan:8080"})
	if p.status != http.StatusOK || h.registry.Count("", "/manifests/") == 0 {
		t.Errorf("an engine gets %d", p.status)
	}
}

func TestAPastedPasswordReachesNoLog(t *testing.T) {
	t.Parallel()
	h := dockerHub(t, "library/nginx:latest")
	s := startStowage(t, listRegistries(t, h.listed()), "--log-level=debug", "--mirror=docker.io")
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
				s.send(http.MethodGet, address, nil, header)
			}
		}
		for _, path := range []string{"/pulls", "/updates", "/prune", "/delete"} {
			s.send(http.MethodPost, path, url.Values{"ref": {pasted}, "match": {pasted}, "item": {pasted}, "repository": {pasted}, "label": {pasted}},
				map[string]string{"Origin": s.url, "Sec-Fetch-Site": "same-origin"})
		}
		s.put("/archives?name="+q, strings.NewReader("no archive"), nil)
		s.send(http.MethodGet, "/images", nil, map[string]string{"Host": secret + ".example", "Referer": "http://" + secret + ".example/"})
	}
	if _, body := s.get("/metrics"); strings.Contains(body, secret) {
		t.Error("it stands in the metrics")
	}
	s.stop()
	for _, line := range strings.Split(s.logs(), "\n") {
		if strings.Contains(line, secret) && !strings.Contains(line, "a request for another host") { // a Host is no secret
			t.Errorf("the log has it: %s", line)
		}
	}
	if !strings.Contains(s.logs(), `"path":"/search"`) {
		t.Error("the log has no paths")
	}
}

// TestTheWordUploadedStandsBesideTheNameOnEveryPage uploads an archive that calls itself by a registry's name.
func TestTheWordUploadedStandsBesideTheNameOnEveryPage(t *testing.T) {
	t.Parallel()
	h := dockerHub(t, "library/nginx:latest")
	s := startStowage(t, listRegistries(t, h.listed()), "--mirror=docker.io")
	status, text, _ := s.put("/archives", bytes.NewReader(tarredImage(t, "docker.io/library/nginx:latest", plainImage(t))), nil)
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
			if p := s.page(address); strings.Contains(p.body, meaning) != said && address != "/storage" {
				t.Errorf("%s says that it was uploaded: %v, want %v (%d)", address, !said, said, p.status)
			}
		}
		box := s.send(http.MethodGet, "/search/box?q=nginx", nil, map[string]string{"HX-Request": "true", "HX-Request-Type": "partial"})
		if strings.Contains(box.body, meaning) != said {
			t.Errorf("the box says that it was uploaded: %v", !said)
		}
	}
	everywhere(true)
	s.page(page+"/history").says(http.StatusOK, "uploaded")
	if p := s.page(page); strings.Contains(p.text(), "from docker.io") {
		t.Errorf("its page says that it comes from the registry: %s", p.text())
	}

	// The mirror has the registry's, which takes its place.
	if p := s.send(http.MethodGet, "/v2/library/nginx/manifests/latest", nil, map[string]string{"Sec-Fetch-Site": "", "User-Agent": "docker/29.0.0"}); p.status != http.StatusOK ||
		h.registry.Count(http.MethodHead, "/manifests/latest") == 0 {
		t.Errorf("the mirror answers %d without asking the registry", p.status)
	}
	s.post("/pulls", url.Values{"ref": {"nginx:latest"}})
	eventually(t, "the registry's to be pulled", func() bool { return !strings.Contains(s.page(page).body, meaning) })
	everywhere(false)
}

func TestOnANetworkSignInsAreUsedForNobodyUnlessShared(t *testing.T) {
	t.Parallel()
	u := realUpstream(t)
	u.library(t, "library/nginx", "1.27-alpine")
	u.On(sample.Any, sample.BasicAuth("anna", "s3cret"))
	docker := t.TempDir()
	config := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, u.host, base64.StdEncoding.EncodeToString([]byte("anna:s3cret")))
	if err := os.WriteFile(filepath.Join(docker, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"DOCKER_CONFIG=" + docker}
	address := "/pull?ref=" + url.QueryEscape(u.ref("library/nginx:1.27-alpine"))
	for _, tt := range []struct {
		args []string
		used bool
	}{
		{nil, true},
		{[]string{"--listen=0.0.0.0:0", "--auth=none", "--registry=" + u.host + "=" + u.url()}, false},
		{[]string{"--listen=0.0.0.0:0", "--auth=none", "--registry=" + u.host + "=" + u.url(), "--share-logins"}, true},
	} {
		s := startStowageOn(t, t.TempDir(), env, tt.args...)
		p := s.page(address)
		if tt.used && p.status != http.StatusOK {
			t.Errorf("%v: %d %s", tt.args, p.status, p.text())
		}
		if !tt.used {
			p.says(http.StatusForbidden, "wants a sign-in", "--share-logins")
			s.post("/pulls", url.Values{"ref": {u.ref("library/nginx:1.27-alpine")}})
			eventually(t, "the pull to say why it fails", func() bool { return strings.Contains(s.page("/pulls/1").body, "--share-logins") })
		}
		s.stop()
	}
}

func TestWhatTheServerMakesIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "shelf")
	s := startStowageOn(t, data, nil)
	if status, text, _ := s.put("/archives", bytes.NewReader(tarredImage(t, "docker.io/library/tool:1", plainImage(t))), nil); status != http.StatusCreated {
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
	s.stop()
	look()

	if err := os.Chmod(filepath.Join(data, "blobs"), 0o777); err != nil {
		t.Fatal(err)
	}
	s = startStowageOn(t, data, nil)
	if !strings.Contains(s.logs(), "other accounts of this machine can write to a part of the data folder") {
		t.Errorf("no warning: %s", s.logs())
	}
	s.page("/storage").says(http.StatusOK, "Other accounts of this machine can write to the data folder", "chmod go-w DIR/blobs")
	s.stop()

	if err := os.Rename(filepath.Join(data, "blobs"), filepath.Join(data, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("elsewhere", filepath.Join(data, "blobs")); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := runStowage(t, nil, "--data="+data, "--listen=127.0.0.1:0"); code == 0 || !strings.Contains(stderr, "blobs in the data folder is a link") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
