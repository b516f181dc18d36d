package fake

import (
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"
)

// BasicAuth lets only requests with this user and password pass, and challenges others.
func BasicAuth(user, password string) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if !signedIn(r, user, password) {
			Challenge(`Basic realm="sample"`)(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	}
}

// TokenAuth lets only requests with a token pass, and serves the tokens at /token on the same host, as the distribution
// project's token specification says. With an empty user anybody gets a token, as on Docker Hub. Put it on [Any].
func TokenAuth(user, password string) Fault {
	token := digest.FromString(user + ":" + password).Encoded()
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Path == "/token" {
			if user != "" && !signedIn(r, user, password) {
				apiError(w, http.StatusUnauthorized, "UNAUTHORIZED", "incorrect username or password")
				return
			}
			Replace("application/json", []byte(`{"token":"`+token+`","expires_in":300}`))(w, r, next)
			return
		}
		given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if subtle.ConstantTimeCompare([]byte(given), []byte(token)) == 1 {
			next.ServeHTTP(w, r)
			return
		}
		header := `Bearer realm="http://` + r.Host + `/token",service="sample"`
		if name := repositoryOf(r); name != "" {
			header += `,scope="repository:` + name + `:pull"`
		}
		Challenge(header)(w, r, next)
	}
}

func signedIn(r *http.Request, user, password string) bool {
	u, p, ok := r.BasicAuth()
	return ok && subtle.ConstantTimeCompare([]byte(u), []byte(user)) == 1 &&
		subtle.ConstantTimeCompare([]byte(p), []byte(password)) == 1
}

func repositoryOf(r *http.Request) string {
	rest, _ := strings.CutPrefix(r.URL.Path, "/v2/")
	for _, part := range []string{"/manifests/", "/blobs/", "/tags/", "/referrers/"} {
		if name, _, ok := strings.Cut(rest, part); ok {
			return name
		}
	}
	return ""
}
