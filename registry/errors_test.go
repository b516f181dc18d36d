package registry

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/registry/response"
	"github.com/stowage/stowage/test/outside"
)

func TestAnswersBecomeKindsWithASuggestion(t *testing.T) {
	for _, tt := range []struct {
		name    string
		status  int
		code    string
		message string
		kind    image.Kind
		texts   []string
	}{
		{"no such tag", 404, "MANIFEST_UNKNOWN", "manifest unknown", image.NotFound,
			[]string{"manifest for HOST/app:1 not found", "manifest unknown", "Check the name and the tag"}},
		{"no such repository", 404, "NAME_UNKNOWN", "x", image.NotFound,
			[]string{"repository HOST/app not found", "name unknown", "Check the name"}},
		{"not found without words", 404, "", "", image.NotFound, []string{"HOST/app:1"}},
		{"denied", 403, "DENIED", "requested access is denied", image.Unauthorized,
			[]string{"requested access is denied", "docker login HOST"}},
		{"rate limit in words", 403, "TOOMANYREQUESTS", "slow down", image.RateLimited, []string{"HOST", "for now"}},
		{"failure", 500, "UNKNOWN", "disk on fire", image.Unavailable, []string{"500 Internal Server Error", "disk on fire"}},
		{"bad gateway", 502, "", "", image.Unavailable, []string{"HOST", "502"}},
		{"bad name", 400, "NAME_INVALID", "no such form", image.Invalid, []string{"no such form"}},
		{"tea", 418, "", "", image.Unavailable, []string{"418"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) { outside.ErrorBody(w, tt.status, tt.code, tt.message) })
			_, err := client(t, Options{}).Document(t.Context(), mustRef(t, host+"/app:1"))
			for i := range tt.texts {
				tt.texts[i] = strings.ReplaceAll(tt.texts[i], "HOST", host)
			}
			outside.WantKind(t, err, tt.kind, tt.texts...)
		})
	}
}

func TestRealRegistrysNotFound(t *testing.T) {
	_, host := realRegistry(t, nil)
	push(t, host, "app", "1", newImage(t, []byte("layer")))
	c := client(t, Options{})
	_, err := c.Document(t.Context(), mustRef(t, host+"/app:nope"))
	outside.WantKind(t, err, image.NotFound, host+"/app:nope")
	_, err = c.Head(t.Context(), mustRef(t, host+"/app:nope"))
	outside.WantKind(t, err, image.NotFound, host+"/app:nope")
	_, err = c.Document(t.Context(), mustRef(t, host+"/app@"+image.DigestOf([]byte("x")).String()))
	outside.WantKind(t, err, image.NotFound, "digest")
	_, _, err = c.Blob(t.Context(), image.Repository(host+"/app"),
		image.Descriptor{Digest: image.DigestOf([]byte("x")), Size: 1}, 0)
	outside.WantKind(t, err, image.NotFound, host, "blob "+image.ShortDigest(image.DigestOf([]byte("x"))))
}

func TestRateLimitTellsUntilWhen(t *testing.T) {
	at := time.Now().Add(90 * time.Minute).UTC().Truncate(time.Second)
	for name, tt := range map[string]struct {
		header string
		until  time.Time
	}{
		"seconds":     {"5400", at},
		"date":        {at.Format(http.TimeFormat), at},
		"far too far": {"99999999999", time.Now().Add(response.MaxWait)},
		"past":        {time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), time.Time{}},
		"garbage":     {"soon", time.Time{}},
		"none":        {"", time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", tt.header)
				outside.ErrorBody(w, http.StatusTooManyRequests, "TOOMANYREQUESTS", "You have reached your pull rate limit.")
			})
			_, err := client(t, Options{}).Document(t.Context(), mustRef(t, host+"/app:1"))
			e := outside.WantKind(t, err, image.RateLimited, host)
			var limit interface {
				error
				RetryAt() time.Time
			}
			if !errors.As(err, &limit) {
				t.Fatalf("no RateLimit in %v", err)
			}
			if got := limit.RetryAt(); got.Sub(tt.until).Abs() > time.Minute {
				t.Errorf("until %v, want %v", got, tt.until)
			}
			if shown := limit.RetryAt().UTC().Format("2006-01-02 15:04:05 UTC"); !tt.until.IsZero() &&
				!strings.Contains(e.Message, shown) {
				t.Errorf("message %q does not say %s", e.Message, shown)
			}
		})
	}
}

// hubOptions starts a server that stands in for Docker Hub's registry.
func hubOptions(t *testing.T, h http.HandlerFunc) Options {
	t.Helper()
	ca := outside.NewAuthority(t)
	_, addr := ca.Server(t, h, outside.InAnHour(), "registry-1.docker.io")
	return Options{CAFiles: []string{ca.File}, Dial: outside.DialTo(map[string]string{"registry-1.docker.io:443": addr})}
}

func TestDockerHubsDenialMayMeanThatThereIsNothing(t *testing.T) {
	opts := hubOptions(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="hub"`)
		outside.ErrorBody(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
	})
	_, err := client(t, opts).Document(t.Context(), mustRef(t, "foo/bar"))
	outside.WantKind(t, err, image.NotFound, "pull access denied for foo/bar", "docker login as")

	opts.DockerConfig = dockerConfigDir(t, auths("https://index.docker.io/v1/", login("anna", "wrong")))
	_, err = client(t, opts).Document(t.Context(), mustRef(t, "foo/bar"))
	outside.WantKind(t, err, image.Unauthorized, "refuses the stored sign-in for foo/bar")
}

func TestDockerHubsRateLimitSuggestsASignIn(t *testing.T) {
	opts := hubOptions(t, func(w http.ResponseWriter, _ *http.Request) {
		outside.ErrorBody(w, http.StatusTooManyRequests, "TOOMANYREQUESTS", "limit")
	})
	_, err := client(t, opts).Document(t.Context(), mustRef(t, "ubuntu"))
	outside.WantKind(t, err, image.RateLimited, "docker.io", "docker login")
}

func TestDockerHubsNotFoundIsInDockersWords(t *testing.T) {
	opts := hubOptions(t, func(w http.ResponseWriter, _ *http.Request) {
		outside.ErrorBody(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest unknown")
	})
	_, err := client(t, opts).Document(t.Context(), mustRef(t, "postgres:nope"))
	outside.WantKind(t, err, image.NotFound, "manifest for postgres:nope not found on docker.io: manifest unknown")
}

func TestNetworkFailuresAreUnavailable(t *testing.T) {
	opError := func(err error) func(outbound.DialFunc) outbound.DialFunc {
		return outside.Dial(nil, func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
		})
	}
	for name, tt := range map[string]struct {
		dial  func(outbound.DialFunc) outbound.DialFunc
		texts []string
	}{
		"no such host": {outside.DialTo(nil), []string{"there is no host registry.test", "Check the registry's name"}},
		"name server down": {opError(&net.DNSError{Err: "server misbehaving", Name: "registry.test", IsTemporary: true}),
			[]string{"registry.test", "DNS"}},
		"connection refused": {opError(syscall.ECONNREFUSED), []string{"registry.test refuses connections"}},
		"connection reset":   {opError(syscall.ECONNRESET), []string{"registry.test closed the connection"}},
		"no route":           {opError(syscall.EHOSTUNREACH), []string{"registry.test cannot be reached"}},
		"time-out":           {opError(syscall.ETIMEDOUT), []string{"registry.test does not answer in time"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client(t, Options{Dial: tt.dial}).Document(t.Context(), mustRef(t, "registry.test/app:1"))
			outside.WantKind(t, err, image.Unavailable, tt.texts...)
		})
	}
	t.Run("loopback", func(t *testing.T) {
		_, err := client(t, Options{Dial: opError(syscall.ECONNREFUSED)}).
			Document(t.Context(), mustRef(t, "localhost:5000/app:1"))
		outside.WantKind(t, err, image.Unavailable, "localhost:5000 refuses connections")
	})
}

func TestAnAnswerCutShortIsUnavailable(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"before the head": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"in the manifest": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "{")
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, host := outside.Server(t, h)
			_, err := client(t, Options{}).Document(t.Context(), mustRef(t, host+"/app:1"))
			outside.WantKind(t, err, image.Unavailable, host+" closed the connection")
		})
	}
}

func TestHostileTextIsCutAndMadePrintable(t *testing.T) {
	_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
		outside.ErrorBody(w, http.StatusInternalServerError, "X", "\x1b[31mred\r\n\u202egnp.exe "+strings.Repeat("é", 10_000))
	})
	_, err := client(t, Options{}).Document(t.Context(), mustRef(t, host+"/app:1"))
	e := outside.WantKind(t, err, image.Unavailable, "[31mred")
	if len(e.Message) > 1000 || strings.Contains(e.Message, "\u202e") {
		t.Errorf("message is %q", e.Message)
	}
}

func TestEchoedSecretsAreNotShown(t *testing.T) {
	_, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		user, password, _ := req.BasicAuth()
		w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
		status := http.StatusUnauthorized
		if user != "" {
			status = http.StatusForbidden
		}
		outside.ErrorBody(w, status, "DENIED", "no: "+req.Header.Get("Authorization")+" "+password)
	})
	conf := dockerConfigDir(t, auths(host, login("anna", "s3cret")))
	_, err := client(t, Options{DockerConfig: conf}).Document(t.Context(), mustRef(t, host+"/app:1"))
	e := outside.WantKind(t, err, image.Forbidden)
	for ; err != nil; err = errors.Unwrap(err) {
		if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "YW5uYT") {
			t.Errorf("secret in %q", err)
		}
	}
	if !strings.Contains(e.Message, "no: Basic …") {
		t.Errorf("message is %q", e.Message)
	}
}
