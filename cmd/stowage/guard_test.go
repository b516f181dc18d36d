package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestProbesAndMetricsAnswer(t *testing.T) {
	t.Parallel()
	s := startStowage(t)
	for path, want := range map[string]string{
		"/healthz": "ok\n",
		"/readyz":  "ready\n",
		"/metrics": "\nstowage_images 0\n",
	} {
		if status, body := s.get(path); status != http.StatusOK || !strings.Contains("\n"+body, want) {
			t.Errorf("GET %s: %d %.2000s", path, status, body)
		}
	}
	for _, path := range []string{"/healthz", "/images"} {
		resp, err := http.Head(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("HEAD %s: %d, %v", path, resp.StatusCode, err)
		}
	}
	s.page("/images")
	if _, body := s.get("/metrics"); !strings.Contains(body, `stowage_http_request_duration_seconds_count{method="GET",route="/images",status="200"} 1`) {
		t.Errorf("no time of GET /images in the metrics:\n%s", body)
	}
}

func TestAnswersCarryTheHeadersThatKeepPagesSafe(t *testing.T) {
	t.Parallel()
	s := startStowage(t)
	for _, path := range []string{"/images", "/pull?ref=ocidir:///etc", "/images/nothing/here:1", "/nowhere", "/healthz"} {
		p := s.page(path)
		policy := p.header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: the policy lacks %q: %s", path, part, policy)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
			t.Errorf("%s: the policy is loose: %s", path, policy)
		}
		for header, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := p.header.Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", path, header, got, want)
			}
		}
		if strings.Contains(p.body, " style=") || strings.Contains(p.body, "<style") || strings.Contains(p.body, " onclick=") {
			t.Errorf("%s has what its policy forbids:\n%s", path, p.body)
		}
	}
}

func TestAForeignHostIsRefusedWhileListeningOnLoopback(t *testing.T) {
	t.Parallel()
	s := startStowage(t)
	_, port, _ := strings.Cut(s.host(), ":")
	for host, want := range map[string]int{
		"evil.example": http.StatusForbidden, "evil.example:" + port: http.StatusForbidden, "127.0.0.1.evil.example": http.StatusForbidden,
		"localhost.evil.example": http.StatusForbidden, "192.168.1.7:" + port: http.StatusForbidden, "[2001:db8::1]": http.StatusForbidden,
		"localhost:" + port: http.StatusOK, "127.0.0.1:" + port: http.StatusOK, "[::1]:" + port: http.StatusOK, "stowage.localhost": http.StatusOK,
	} {
		for _, path := range []string{"/images", "/metrics"} {
			if p := s.send(http.MethodGet, path, nil, map[string]string{"Host": host}); p.status != want {
				t.Errorf("GET %s with Host %s: %d, want %d", path, host, p.status, want)
			}
		}
	}
	p := s.send(http.MethodGet, "/images", nil, map[string]string{"Host": "evil.example"})
	p.says(http.StatusForbidden, "this server answers only to localhost", "http://127.0.0.1")
}

func TestAnyHostIsAnsweredWhereTheNetworkMayCome(t *testing.T) {
	t.Parallel()
	s := startStowage(t, "--listen=0.0.0.0:0", "--auth=none")
	if p := s.send(http.MethodGet, "/images", nil, map[string]string{"Host": "shelf.example"}); p.status != http.StatusOK {
		t.Errorf("status %d: %s", p.status, p.text())
	}
}

func TestChangingRequestsOfAnotherSiteAreRefused(t *testing.T) {
	t.Parallel()
	u := sampleUpstream(t)
	s := startStowage(t)
	form := url.Values{"ref": {u.ref("a/b:1")}}
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
		for _, path := range []string{"/pulls", "/pulls/1/cancel", "/images/ubuntu:22.04/delete", "/images/ubuntu:22.04/pin", "/images/ubuntu:22.04/unpin", "/delete", "/removals/1/undo", "/prune", "/storage/sweep", "/preferences"} {
			p := s.send(http.MethodPost, path, form, c.header)
			p.says(http.StatusForbidden, "this request came from another site")
		}
	}
	if p := s.page("/pulls"); len(p.links("/pulls/")) > 0 {
		t.Errorf("a refused request made a pull: %s", p.text())
	}
	if n := u.Count("", ""); n > 0 {
		t.Errorf("refused requests led to %d requests to a registry", n)
	}
	// The same request from the server's own page, and from a program that is no browser, goes through.
	for _, header := range []map[string]string{{"Sec-Fetch-Site": "same-origin", "Origin": s.url}, {}} {
		if p := s.send(http.MethodPost, "/preferences", url.Values{"theme": {"dark"}, "back": {"/images"}}, header); p.status != http.StatusOK || p.url.Path != "/images" {
			t.Errorf("with %v: %d at %s", header, p.status, p.url)
		}
	}
}
