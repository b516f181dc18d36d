package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stowage/stowage/test/shelf"
)

func TestProbesAndMetricsAnswer(t *testing.T) {
	t.Parallel()
	s := shelf.Start(t)
	for path, want := range map[string]string{
		"/healthz": "ok\n",
		"/readyz":  "ready\n",
		"/metrics": "\nstowage_images 0\n",
	} {
		if status, body := s.Get(path); status != http.StatusOK || !strings.Contains("\n"+body, want) {
			t.Errorf("GET %s: %d %.2000s", path, status, body)
		}
	}
	for _, path := range []string{"/healthz", "/images"} {
		resp, err := http.Head(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("HEAD %s: %d, %v", path, resp.StatusCode, err)
		}
	}
	s.Page("/images")
	if _, body := s.Get("/metrics"); !strings.Contains(body,
		`stowage_http_request_duration_seconds_count{method="GET",route="/images",status="200"} 1`) {
		t.Errorf("no time of GET /images in the metrics:\n%s", body)
	}
}

func TestAnswersCarryTheHeadersThatKeepPagesSafe(t *testing.T) {
	t.Parallel()
	s := shelf.Start(t)
	for _, path := range []string{"/images", "/pull?ref=ocidir:///etc", "/images/nothing/here:1", "/nowhere", "/healthz"} {
		p := s.Page(path)
		policy := p.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'",
			"base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: the policy lacks %q: %s", path, part, policy)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
			t.Errorf("%s: the policy is loose: %s", path, policy)
		}
		for header, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := p.Header.Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", path, header, got, want)
			}
		}
		if strings.Contains(p.Body, " style=") || strings.Contains(p.Body, "<style") ||
			strings.Contains(p.Body, " onclick=") {
			t.Errorf("%s has what its policy forbids:\n%s", path, p.Body)
		}
	}
}

func TestAForeignHostIsRefusedWhileListeningOnLoopback(t *testing.T) {
	t.Parallel()
	s := shelf.Start(t, "--external-url=https://Shelf.example.com", "--host=shelf", "--host=registry.lan")
	_, port, _ := strings.Cut(s.Host(), ":")
	for host, want := range map[string]int{
		"evil.example": http.StatusMisdirectedRequest, "evil.example:" + port: http.StatusMisdirectedRequest,
		"127.0.0.1.evil.example": http.StatusMisdirectedRequest,
		"localhost.evil.example": http.StatusMisdirectedRequest, "192.168.1.7:" + port: http.StatusMisdirectedRequest,
		"[2001:db8::1]":     http.StatusMisdirectedRequest,
		"localhost:" + port: http.StatusOK, "127.0.0.1:" + port: http.StatusOK, "[::1]:" + port: http.StatusOK,
		"stowage.localhost": http.StatusOK,
		"shelf.example.com": http.StatusOK, "shelf:" + port: http.StatusOK, "registry.lan": http.StatusOK,
	} {
		for _, path := range []string{"/images", "/v2/", "/static/app.css"} {
			p := s.Send(http.MethodGet, path, nil, map[string]string{"Host": host})
			if p.Status != want && path != "/static/app.css" ||
				(p.Status == http.StatusMisdirectedRequest) != (want == http.StatusMisdirectedRequest) {
				t.Errorf("GET %s with Host %s: %d, want %d", path, host, p.Status, want)
			}
		}
	}
	p := s.Send(http.MethodGet, "/images", nil, map[string]string{"Host": "evil.example"})
	p.Says(http.StatusMisdirectedRequest, "this server does not answer under the name", "http://127.0.0.1",
		"--host evil.example")
}

func TestOnTheNetworkAddressesAndGivenNamesAreAnswered(t *testing.T) {
	t.Parallel()
	s := shelf.Start(t, "--listen=0.0.0.0:0", "--auth=none", "--external-url=https://shelf.example.com", "--host=shelf")
	for host, want := range map[string]int{
		"localhost": http.StatusOK, "10.1.2.3:8080": http.StatusOK, "[2001:db8::1]:8080": http.StatusOK,
		"shelf": http.StatusOK, "shelf.example.com": http.StatusOK,
		"evil.example": http.StatusMisdirectedRequest, "shelf.example": http.StatusMisdirectedRequest,
		"10.1.2.3.evil.example": http.StatusMisdirectedRequest,
	} {
		for _, path := range []string{"/images", "/v2/", "/healthz", "/readyz", "/metrics"} {
			want := want
			if strings.HasSuffix(path, "z") || path == "/metrics" {
				want = http.StatusOK // probes and scrapes have whatever name
			}
			if p := s.Send(http.MethodGet, path, nil, map[string]string{"Host": host}); p.Status != want {
				t.Errorf("GET %s with Host %s: %d, want %d", path, host, p.Status, want)
			}
		}
	}
	if p := s.Send(http.MethodPost, "/pulls", url.Values{"ref": {"postgres:15"}},
		map[string]string{"Host": "evil.example"}); p.Status != http.StatusMisdirectedRequest {
		t.Errorf("a pull under a foreign name: %d", p.Status)
	}
}

func TestChangingRequestsOfAnotherSiteAreRefused(t *testing.T) {
	t.Parallel()
	u := shelf.SampleUpstream(t)
	s := shelf.Start(t)
	form := url.Values{"ref": {u.Ref("a/b:1")}}
	for _, c := range []struct {
		name   string
		header map[string]string
	}{
		{"cross-site by Sec-Fetch-Site", map[string]string{"Sec-Fetch-Site": "cross-site"}},
		{"same-site by Sec-Fetch-Site", map[string]string{"Sec-Fetch-Site": "same-site"}},
		{"cross-site by Origin", map[string]string{"Origin": "http://evil.example"}},
		{"another port by Origin", map[string]string{"Origin": "http://127.0.0.1:1"}},
		{"no origin at all", map[string]string{"Origin": "null"}},
	} {
		for _, path := range []string{"/pulls", "/pulls/1/cancel", "/images/ubuntu:22.04/delete", "/images/ubuntu:22.04/pin",
			"/images/ubuntu:22.04/unpin", "/delete", "/removals/1/undo", "/prune", "/storage/sweep", "/preferences"} {
			p := s.Send(http.MethodPost, path, form, c.header)
			p.Says(http.StatusForbidden, "this request came from another site")
		}
	}
	if p := s.Page("/pulls"); len(p.Links("/pulls/")) > 0 {
		t.Errorf("a refused request made a pull: %s", p.Text())
	}
	if n := u.Count("", ""); n > 0 {
		t.Errorf("refused requests led to %d requests to a registry", n)
	}
	// The same request from the server's own page, and from a program that is no browser, goes through.
	for _, header := range []map[string]string{{"Sec-Fetch-Site": "same-origin", "Origin": s.URL}, {}} {
		if p := s.Send(http.MethodPost, "/preferences", url.Values{"theme": {"dark"}, "back": {"/images"}},
			header); p.Status != http.StatusOK || p.URL.Path != "/images" {
			t.Errorf("with %v: %d at %s", header, p.Status, p.URL)
		}
	}
}
