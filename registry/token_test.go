package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/logins"
	"github.com/stowage/stowage/test/outside"
)

func TestWhatATokenServerAnswersIsTold(t *testing.T) {
	answer := func(status int, media, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			w.WriteHeader(status)
			_, _ = fmt.Fprint(w, body)
		}
	}
	for name, tt := range map[string]struct {
		h     http.HandlerFunc
		texts []string
		lasts bool
	}{
		"a web page": {answer(200, "text/html", "<html><title>Proxy</title></html>"),
			[]string{"does not give a token, but a web page"}, true},
		"a mislabelled": {answer(200, "application/json", "<html>"), []string{"does not give a token, but a web page"},
			true},
		"nothing":      {answer(200, "application/json", " \n"), []string{"does not give a token, but nothing"}, true},
		"no content":   {answer(204, "", ""), []string{"does not give a token, but nothing"}, true},
		"no JSON":      {answer(200, "application/json", "token: x"), []string{"but something that is no JSON"}, true},
		"cut JSON":     {answer(200, "application/json", `{"token":"x`), []string{"but something that is no JSON"}, true},
		"another JSON": {answer(200, "application/json", `{"hello":1}`), []string{"but JSON that holds none"}, true},
		"an array":     {answer(200, "application/json", `[]`), []string{"but something that is no JSON"}, true},
		"a number": {answer(200, "application/json", `{"token":7,"access_token":null}`),
			[]string{"but JSON that holds none"}, true},
		"a time in text": {answer(200, "application/json", `{"token":"x","expires_in":"300"}`),
			[]string{"but JSON whose expires_in is no number"}, true},
		"a time in parts": {answer(200, "application/json", `{"token":"x","expires_in":{}}`),
			[]string{"but JSON whose expires_in is no number"}, true},
		"no header value": {answer(200, "application/json", `{"token":"a\nb"}`), []string{"but one that cannot be sent"},
			true},
		"far too much": {answer(200, "application/json", string(make([]byte, maxTokenBody+1))),
			[]string{"more than 1048576 bytes"}, true},
		"not found": {answer(404, "text/plain", "404 page not found"),
			[]string{"404 Not Found instead of a token: 404 page not found"}, true},
		"bad request": {answer(400, "application/json", `{"error":"invalid_scope"}`),
			[]string{"400 Bad Request instead of a token: invalid_scope"}, true},
		"failing": {answer(500, "text/plain", "oops"), []string{"500 Internal Server Error instead of a token: oops"},
			false},
		"maintenance": {answer(503, "text/html", "<title>Back soon</title>"),
			[]string{"503 Service Unavailable instead of a token"}, false},
		"not modified": {answer(304, "", ""), []string{"304 Not Modified instead of a token"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTokenRegistry(t)
			tr.failWith(tt.h)
			_, err := client(t, Options{}).Head(t.Context(), mustRef(t, tr.host+"/app:1"))
			outside.WantKind(t, err, image.Unavailable,
				append(tt.texts, "the token server of "+tr.host, "Nobody's sign-in is wrong")...)
			var lasting interface{ Lasts() bool }
			if !errors.As(err, &lasting) || lasting.Lasts() != tt.lasts {
				t.Errorf("whether it lasts is not %v", tt.lasts)
			}
		})
	}
}

func TestATokenServerThatCannotBeReachedIsNamed(t *testing.T) {
	var tokens string
	_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+tokens+`/token"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	tokens = "127.0.0.1:9"
	_, err := client(t, Options{}).Document(t.Context(), mustRef(t, host+"/app:1"))
	outside.WantKind(t, err, image.Unavailable, "127.0.0.1:9, the token server of "+host+", refuses connections")
	hanging, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, tokens = outside.Server(t, func(http.ResponseWriter, *http.Request) { <-hanging.Done() })
	_, err = client(t, Options{HeaderTimeout: 50 * time.Millisecond}).Document(t.Context(), mustRef(t, host+"/app:1"))
	outside.WantKind(t, err, image.Unavailable, tokens+", the token server of "+host+", does not answer in time")
}

func TestTokensAreReadInEveryForm(t *testing.T) {
	for _, answer := range []string{
		`{"token":"good"}`, `{"access_token":"good"}`, `{"token":"","access_token":"good"}`,
		`{"token":"good","access_token":null}`,
		`{"token":" good\n"}`, "\n{\"token\":\"good\"}\n",
		`{"token":"good","expires_in":300.5}`, `{"token":"good","expires_in":-1}`, `{"token":"good","expires_in":1e99}`,
		`{"token":"good","expires_in":null}`,
		`{"token":"good","issued_at":""}`, `{"token":"good","issued_at":"2026-01-01T00:00:00.123456"}`,
		`{"token":"good","issued_at":1767225600}`,
		`{"token":"good","issued_at":"2090-01-01T00:00:00Z"}`, `{"token":"good","refresh_token":null,"scope":["x"]}`,
	} {
		tr := newTokenRegistry(t)
		tr.failWith(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_, _ = fmt.Fprint(w, answer)
		})
		tr.takes("good")
		if _, err := client(t, Options{}).Document(t.Context(), mustRef(t, tr.host+"/app:1")); err != nil {
			t.Errorf("%s: %v", answer, err)
		}
	}
}

func TestWhyThereIsNoLoginIsToldWhereOneIsWanted(t *testing.T) {
	_, host := basicRegistry(t)
	_, open := outside.Server(t, oneManifest(t))
	helper(t, "broken", "echo 'the keyring is locked'; exit 1")
	helper(t, "mute", "exit 3")
	helper(t, "rubbish", "echo hello")
	helper(t, "empty", "echo 'credentials not found in native keychain'; exit 1")
	entry := func(v any) map[string]any { return map[string]any{"auths": map[string]any{host: v}} }
	for name, tt := range map[string]struct {
		conf  any
		texts []string
	}{
		"a helper that is not there": {map[string]any{"credsStore": "desktop"},
			[]string{"there is no credential helper docker-credential-desktop", "Install it"}},
		"a helper that fails": {map[string]any{"credHelpers": map[string]any{host: "broken"}},
			[]string{"docker-credential-broken failed: the keyring is locked", "Run it as"}},
		"a helper that says nothing": {map[string]any{"credsStore": "mute"},
			[]string{"docker-credential-mute failed: exit status 3", "Run it as"}},
		"a helper that is none": {map[string]any{"credsStore": "rubbish"},
			[]string{"docker-credential-rubbish does not answer as one does"}},
		"no helper's name":           {map[string]any{"credsStore": "../sh"}, []string{"is not a credential helper's name"}},
		"a helper without the login": {map[string]any{"credsStore": "empty"}, []string{"docker login"}},
		"no base64": {entry(map[string]any{"auth": "???"}),
			[]string{"the entry of " + host + " in docker's config.json is damaged", "docker login"}},
		"no password": {entry(map[string]any{"auth": "YW5uYQ=="}),
			[]string{"the entry of " + host + " in docker's config.json is damaged"}},
		"a list for an object": {entry([]int{1}), []string{"config.json is not what docker writes", "move it away"}},
		"another's is broken": {map[string]any{"auths": map[string]any{"other.test": map[string]any{"auth": "???"}}},
			[]string{"docker login " + host}},
	} {
		t.Run(name, func(t *testing.T) {
			opts := Options{DockerConfig: dockerConfigDir(t, tt.conf)}
			_, err := client(t, opts).Document(t.Context(), mustRef(t, host+"/app:1"))
			outside.WantKind(t, err, image.Unauthorized, append(tt.texts, host+" wants a sign-in")...)
			if _, err := client(t, opts).Document(t.Context(), mustRef(t, open+"/app:1")); err != nil {
				t.Errorf("where nobody needs to sign in: %v", err)
			}
		})
	}
	t.Run("broken JSON", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, logins.ConfigFile), []byte(`{"auths":{`), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := client(t, Options{DockerConfig: dir}).Document(t.Context(), mustRef(t, host+"/app:1"))
		outside.WantKind(t, err, image.Unauthorized, "config.json is not what docker writes", dir)
	})
	t.Run("a folder in its place", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, logins.ConfigFile), 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := client(t, Options{DockerConfig: dir}).Document(t.Context(), mustRef(t, host+"/app:1"))
		outside.WantKind(t, err, image.Unauthorized, "config.json cannot be opened", "Let the user")
	})
}

func TestABrokenEntryOfAnotherRegistryHidesNoLogin(t *testing.T) {
	_, host := basicRegistry(t)
	for name, conf := range map[string]any{
		"another's entry": map[string]any{"auths": map[string]any{"a.test": []int{1}, host: login("anna", "s3cret")}},
		"another key":     map[string]any{"auths": map[string]any{host: login("anna", "s3cret")}, "credHelpers": "no"},
		"an empty helper of it": map[string]any{"auths": map[string]any{host: login("anna", "s3cret")},
			"credsStore": "missing", "credHelpers": map[string]any{host: ""}},
	} {
		opts := Options{DockerConfig: dockerConfigDir(t, conf)}
		if _, err := client(t, opts).Document(t.Context(), mustRef(t, host+"/app:1")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
