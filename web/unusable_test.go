package web

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
)

func TestAServerThatCannotUseItsShelfSaysWhyEverywhere(t *testing.T) {
	err := errors.Join(image.Errorf(image.Damaged, "the database is damaged").Suggest("Restore a backup."),
		errors.New("open /data/stowage.db: no"))
	s := NewUnusable(err, Options{Logger: slog.New(slog.DiscardHandler), Hosts: []string{"example.com"}})
	for path, want := range map[string]struct {
		status int
		text   []string
	}{
		"/healthz": {http.StatusOK, []string{"ok"}},
		"/readyz": {http.StatusServiceUnavailable,
			[]string{"not ready\nthe database is damaged\nRestore a backup.\n"}},
		"/": {http.StatusServiceUnavailable,
			[]string{"<h1", "The database is damaged.", "Restore a backup."}},
		"/images/debian:12": {http.StatusServiceUnavailable, []string{"The database is damaged."}},
		"/v2/debian/manifests/12": {http.StatusServiceUnavailable,
			[]string{`"code":"UNAVAILABLE"`, "the database is damaged"}},
		"/archive?image=debian:12": {http.StatusServiceUnavailable, []string{"The database is damaged."}},
	} {
		rec := httptest.NewRecorder()
		req := httptest.NewRequest(http.MethodGet, path, nil)
		req.Header.Set("Accept", "text/html")
		s.ServeHTTP(rec, req)
		if rec.Code != want.status || strings.Contains(rec.Body.String(), "/data/") {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
		for _, text := range want.text {
			if !strings.Contains(rec.Body.String(), text) {
				t.Errorf("%s does not say %q: %s", path, text, rec.Body)
			}
		}
	}
	stranger := httptest.NewRequest(http.MethodGet, "/", nil)
	stranger.Host = "evil.example"
	rec := httptest.NewRecorder()
	if s.ServeHTTP(rec, stranger); rec.Code != http.StatusMisdirectedRequest ||
		strings.Contains(rec.Body.String(), "database") {
		t.Errorf("under another name: %d %s", rec.Code, rec.Body)
	}
}
