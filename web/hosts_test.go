package web

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestOnlyTheServersOwnNamesAreAnswered(t *testing.T) {
	const both, network = true, false // on loopback too, or there alone
	o := Options{ExternalURL: "https://Shelf.example.com:8443", Hosts: []string{"shelf", "registry.lan"}}
	for host, answered := range map[string]bool{
		"localhost": both, "localhost:8080": both, "LOCALHOST:1": both, "127.0.0.1:8080": both, "127.1.2.3": both,
		"[::1]:8080": both, "::1": both,
		"stowage.localhost:8080": both, "localhost.:80": both, "[::ffff:127.0.0.1]": both,
		"shelf.example.com": both, "SHELF.example.com:1": both, "shelf:8080": both, "registry.lan.": both,
		"10.0.0.1": network, "10.0.0.1:8080": network, "[2001:db8::1]:8080": network, "8.8.8.8": network,
		"0.0.0.0:8080": network,
	} {
		for _, loopback := range []bool{true, false} {
			o.Loopback = loopback
			if got, want := newHosts(o).answers(host), answered || !loopback; got != want {
				t.Errorf("%q with loopback %v: %v", host, loopback, got)
			}
		}
	}
	for _, host := range []string{
		"", ":8080", "evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example",
		"shelf.example.com.evil.example", "xshelf",
		"shelf.evil.example", "10.0.0.1.evil.example", "10.0.0.1:8080:9", "0x7f.evil", "[::1].evil.example",
	} {
		for _, loopback := range []bool{true, false} {
			if o.Loopback = loopback; newHosts(o).answers(host) {
				t.Errorf("%q is answered with loopback %v", host, loopback)
			}
		}
	}
}

func TestAForeignHostIsRefusedByPagesAndTheRegistryAPIAlike(t *testing.T) {
	var log bytes.Buffer
	reached := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "of the shelf") }
	o := Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	h := newHosts(o).only(http.HandlerFunc(reached), o.Logger)
	for _, tt := range []struct{ path, accept, kind, says string }{
		{"/images", "", "text/plain; charset=utf-8",
			"this server does not answer under the name \"evil.example:8080\". Open it by its IP address. Whoever runs it can allow the name: --host evil.example\n"},
		{"/images", "text/html,*/*", "text/html; charset=utf-8", "--host evil.example"},
		{"/static/app.css", "text/css", "text/plain; charset=utf-8", "--host evil.example"},
		{"/v2/", "", "application/json", "--host evil.example"},
		{"/v2/app/manifests/1", "text/html", "application/json", "--host evil.example"},
		{"/healthz", "", "text/plain; charset=utf-8", "of the shelf"},
		{"/readyz", "", "text/plain; charset=utf-8", "of the shelf"},
		{"/metrics", "", "text/plain; charset=utf-8", "of the shelf"},
	} {
		r := httptest.NewRequest(http.MethodGet, tt.path, nil)
		r.Host = "evil.example:8080"
		r.Header.Set("Accept", tt.accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		want := http.StatusMisdirectedRequest
		if isProbe(tt.path) {
			want = http.StatusOK
		}
		if w.Code != want || w.Header().Get("Content-Type") != tt.kind || !strings.Contains(w.Body.String(), tt.says) {
			t.Errorf("%s for %q: %d %v %s", tt.path, tt.accept, w.Code, w.Header(), w.Body)
		}
		if want != http.StatusOK && (strings.Contains(w.Body.String(), "shelf") || w.Header().
			Get("X-Frame-Options") != "DENY" || w.Header().Get("Set-Cookie") != "") {
			t.Errorf("%s: a stranger is told %v %s", tt.path, w.Header(), w.Body)
		}
		if tt.kind == "application/json" && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s: %s", tt.path, w.Body)
		}
	}
	if n := strings.Count(log.String(), "refused"); n != 5 {
		t.Errorf("%d refused requests in the log: %s", n, log.String())
	}
}
