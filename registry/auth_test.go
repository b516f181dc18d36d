package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/test/outside"
)

// basicAuth stands in front of a registry and lets one user through.
func basicAuth(user, password string) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if u, p, _ := req.BasicAuth(); u != user || p != password {
				w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
				outside.ErrorBody(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
				return
			}
			h.ServeHTTP(w, req)
		})
	}
}

func basicRegistry(t *testing.T) (rec *outside.Recorder, host string) {
	t.Helper()
	h := oneManifest(t)
	rec = &outside.Recorder{Handler: basicAuth("anna", "s3cret")(h)}
	srv := httptest.NewServer(rec)
	t.Cleanup(srv.Close)
	return rec, strings.TrimPrefix(srv.URL, "http://")
}

func TestBasicAuthFromDockersConfig(t *testing.T) {
	_, host := basicRegistry(t)
	for name, conf := range map[string]any{
		"host":              auths(host, login("anna", "s3cret")),
		"address":           auths("http://"+host+"/v2/", login("anna", "s3cret")),
		"user and password": auths(host, map[string]any{"username": "anna", "password": "s3cret"}),
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, Options{DockerConfig: dockerConfigDir(t, conf)})
			if _, err := c.Document(t.Context(), mustRef(t, host+"/app:1")); err != nil {
				t.Error(err)
			}
		})
	}
	_, err := client(t, Options{}).Document(t.Context(), mustRef(t, host+"/app:1"))
	outside.WantKind(t, err, image.Unauthorized, host+" wants a sign-in", "docker login "+host)
	wrong := dockerConfigDir(t, auths(host, login("anna", "wr0ng")))
	_, err = client(t, Options{DockerConfig: wrong}).Head(t.Context(), mustRef(t, host+"/app:1"))
	outside.WantKind(t, err, image.Unauthorized, "refuses the stored sign-in", "docker login "+host)
}

func TestWithheldLoginsAreUsedForNobody(t *testing.T) {
	rec, host := basicRegistry(t)
	c := client(t, Options{DockerConfig: dockerConfigDir(t, auths(host, login("anna", "s3cret"))), WithholdLogins: true})
	_, err := c.Document(t.Context(), mustRef(t, host+"/app:1"))
	outside.WantKind(t, err, image.Unauthorized, host+" wants a sign-in", "--share-logins")
	_, err = c.Head(t.Context(), mustRef(t, host+"/app:1"))
	outside.WantKind(t, err, image.Unauthorized, "--share-logins")
	for _, r := range rec.All() {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("%s %s came with a sign-in", r.Method, r.URL)
		}
	}
}

func TestDockerConfigFromTheEnvironment(t *testing.T) {
	_, host := basicRegistry(t)
	t.Setenv("DOCKER_CONFIG", dockerConfigDir(t, auths(host, login("anna", "s3cret"))))
	c, err := New(Options{AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Document(t.Context(), mustRef(t, host+"/app:1")); err != nil {
		t.Error(err)
	}
}

func TestASignInWhileTheServerRunsIsUsed(t *testing.T) {
	_, host := basicRegistry(t)
	dir := dockerConfigDir(t, map[string]any{})
	c := client(t, Options{DockerConfig: dir})
	_, err := c.Document(t.Context(), mustRef(t, host+"/app:1"))
	outside.WantKind(t, err, image.Unauthorized)
	writeDockerConfig(t, dir, auths(host, login("anna", "s3cret")))
	if _, err := c.Document(t.Context(), mustRef(t, host+"/app:1")); err != nil {
		t.Error(err)
	}
}

// helper installs a credential helper that is a shell script.
func helper(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker-credential-"+name), []byte("#!/bin/sh\n"+script),
		0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func TestCredentialHelpers(t *testing.T) {
	_, host := basicRegistry(t)
	helper(t, "farm", fmt.Sprintf(`read server; test "$1 $server" = "get %s" && echo '{"ServerURL":"x","Username":"anna","Secret":"s3cret"}'`, host))
	for name, conf := range map[string]any{
		"for one host": map[string]any{"credHelpers": map[string]any{host: "farm"}},
		"for all":      map[string]any{"credsStore": "farm", "auths": map[string]any{host: map[string]any{}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, Options{DockerConfig: dockerConfigDir(t, conf)})
			if _, err := c.Document(t.Context(), mustRef(t, host+"/app:1")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAHelperThatFailsMeansNobodysCredentials(t *testing.T) {
	_, host := outside.Server(t, oneManifest(t))
	helper(t, "broken", "echo boom >&2; exit 2")
	for _, name := range []string{"broken", "missing", "../../bin/sh"} {
		conf := dockerConfigDir(t, map[string]any{"credHelpers": map[string]any{host: name}})
		if _, err := client(t, Options{DockerConfig: conf}).Document(t.Context(), mustRef(t, host+"/app:1")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDockerHubsCredentialsAreUnderItsOldAddress(t *testing.T) {
	var got atomic.Value
	opts := hubOptions(t, func(w http.ResponseWriter, req *http.Request) {
		user, _, ok := req.BasicAuth()
		if !ok {
			w.Header().Set("WWW-Authenticate", `Basic realm="hub"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		got.Store(user + " " + req.URL.Path)
		manifest(w, ocispec.MediaTypeImageManifest, newImage(t, nil).raw)
	})
	opts.DockerConfig = dockerConfigDir(t, auths("https://index.docker.io/v1/", login("anna", "s3cret")))
	if _, err := client(t, opts).Document(t.Context(), mustRef(t, "ubuntu:22.04")); err != nil {
		t.Fatal(err)
	}
	if got.Load() != "anna /v2/library/ubuntu/manifests/22.04" {
		t.Errorf("the registry got %v", got.Load())
	}
}

// tokenRegistry is a registry with a token server. Tokens are good for one repository and for as long as
// their generation is the current one.
type tokenRegistry struct {
	registry, tokens *outside.Recorder
	host             string
	generation       atomic.Int64
	mu               sync.Mutex
	failure          http.HandlerFunc // what the token server does instead
	token            string           // the one that is good, where the token server makes its own
}

func newTokenRegistry(t *testing.T) *tokenRegistry {
	t.Helper()
	tr := &tokenRegistry{}
	var tokenHost string
	tr.tokens, tokenHost = outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		tr.mu.Lock()
		failure := tr.failure
		tr.mu.Unlock()
		if failure != nil {
			failure(w, req)
			return
		}
		if user, password, ok := req.BasicAuth(); ok && user+password != "annas3cret" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"details":"incorrect username or password"}`))
			return
		}
		token := fmt.Sprintf("%d %s", tr.generation.Load(), strings.Join(req.URL.Query()["scope"], " "))
		_ = json.NewEncoder(w).Encode(map[string]any{"token": token, "expires_in": 300})
	})
	serve := oneManifest(t)
	tr.registry, tr.host = outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		repo, _, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/v2/"), "/manifests/")
		scope := "repository:" + repo + ":pull"
		good := fmt.Sprintf("%d %s", tr.generation.Load(), scope)
		tr.mu.Lock()
		if tr.token != "" {
			good = tr.token
		}
		tr.mu.Unlock()
		if req.Header.Get("Authorization") != "Bearer "+good {
			w.Header().Set("WWW-Authenticate",
				fmt.Sprintf(`Bearer realm="http://%s/token",service="test",scope="%s"`, tokenHost, scope))
			outside.ErrorBody(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
			return
		}
		serve(w, req)
	})
	return tr
}

func (tr *tokenRegistry) failWith(h http.HandlerFunc) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.failure = h
}

func (tr *tokenRegistry) takes(token string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.token = token
}

func TestTokensAreForOneRepositoryAndUsedAgain(t *testing.T) {
	tr := newTokenRegistry(t)
	c := client(t, Options{})
	for _, repo := range []string{"app", "team/other", "app", "team/other"} {
		if _, err := c.Document(t.Context(), mustRef(t, tr.host+"/"+repo+":1")); err != nil {
			t.Fatal(err)
		}
	}
	if got := tr.tokens.Requests(); !slices.Equal(got, []string{"GET /token", "GET /token"}) {
		t.Errorf("the token server got %v", got)
	}
}

func TestASignInIsUsedWhereNobodysWasEnoughBefore(t *testing.T) {
	tr := newTokenRegistry(t)
	dir := dockerConfigDir(t, map[string]any{})
	c := client(t, Options{DockerConfig: dir})
	for _, want := range []string{"", "anna"} {
		if _, err := c.Document(t.Context(), mustRef(t, tr.host+"/app:1")); err != nil {
			t.Fatal(err)
		}
		if user, _, _ := tr.tokens.Last().BasicAuth(); user != want {
			t.Errorf("the token server saw the user %q, want %q", user, want)
		}
		writeDockerConfig(t, dir, auths(tr.host, login("anna", "s3cret")))
	}
}

func TestTokenAuthWithCredentials(t *testing.T) {
	tr := newTokenRegistry(t)
	conf := dockerConfigDir(t, auths(tr.host, login("anna", "s3cret")))
	if _, err := client(t, Options{DockerConfig: conf}).Document(t.Context(), mustRef(t, tr.host+"/app:1")); err != nil {
		t.Fatal(err)
	}
	if user, _, _ := tr.tokens.Last().BasicAuth(); user != "anna" {
		t.Errorf("the token server saw the user %q", user)
	}
	wrong := dockerConfigDir(t, auths(tr.host, login("anna", "wr0ng")))
	_, err := client(t, Options{DockerConfig: wrong}).Document(t.Context(), mustRef(t, tr.host+"/app:1"))
	outside.WantKind(t, err, image.Unauthorized, "refuses the stored sign-in", "incorrect username or password")
}

func TestARevokedTokenIsReplaced(t *testing.T) {
	tr := newTokenRegistry(t)
	c := client(t, Options{})
	for range 2 {
		if _, err := c.Document(t.Context(), mustRef(t, tr.host+"/app:1")); err != nil {
			t.Fatal(err)
		}
		tr.generation.Add(1)
	}
}

func TestTheTokenServersFailuresAreTold(t *testing.T) {
	for name, tt := range map[string]struct {
		failure http.HandlerFunc
		kind    image.Kind
		text    string
	}{
		"denied": {func(w http.ResponseWriter, _ *http.Request) { outside.ErrorBody(w, 403, "DENIED", "not for you") },
			image.Unauthorized, "not for you"},
		"rate limit": {func(w http.ResponseWriter, _ *http.Request) {
			outside.ErrorBody(w, 429, "TOOMANYREQUESTS", "slow down")
		}, image.RateLimited, "no more requests"},
		"failing": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
			image.Unavailable, "503"},
		"closing": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, image.Unavailable,
			"closed the connection"},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, image.Unavailable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTokenRegistry(t)
			tr.failWith(tt.failure)
			c := client(t, Options{})
			_, err := c.Document(t.Context(), mustRef(t, tr.host+"/app:1"))
			outside.WantKind(t, err, tt.kind, tr.host, tt.text)
			tr.failWith(nil)
			if _, err := c.Document(t.Context(), mustRef(t, tr.host+"/app:1")); err != nil {
				t.Errorf("after the token server recovered: %v", err)
			}
		})
	}
}

func TestATokenServerThatHangsHoldsNobodyWhoHasGivenUp(t *testing.T) {
	tr := newTokenRegistry(t)
	asked := make(chan struct{}, 8)
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	tr.failWith(func(_ http.ResponseWriter, req *http.Request) {
		asked <- struct{}{}
		select {
		case <-end:
		case <-req.Context().Done():
		}
	})
	c := client(t, Options{})
	for name, ask := range map[string]func(context.Context) error{
		"document": func(ctx context.Context) error {
			_, err := c.Document(ctx, mustRef(t, tr.host+"/app:1"))
			return err
		},
		"blob": func(ctx context.Context) error {
			_, _, err := c.Blob(ctx, image.Repository(tr.host+"/other"),
				image.Descriptor{Digest: image.DigestOf([]byte("x")), Size: 1}, 0)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			result := make(chan error, 1)
			go func() { result <- ask(ctx) }()
			if name == "document" {
				<-asked
			}
			cancel()
			select {
			case err := <-result:
				if !errors.Is(err, context.Canceled) {
					t.Errorf("error is %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("it is still held up")
			}
		})
	}
}
