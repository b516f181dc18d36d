package registry

import (
	"fmt"
	"net/http"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/test/outside"
)

func TestAChallengeThatCannotBeMetIsNamed(t *testing.T) {
	for value, says := range map[string]string{
		"":                            "does not say how to sign in",
		"Negotiate, NTLM":             "not supported here: negotiate, ntlm",
		`Digest realm="x",nonce="y"`:  "not supported here: digest",
		`Bearer service="s"`:          "no token server that can be asked",
		`Bearer realm="ftp://a/b"`:    "no token server that can be asked",
		`Bearer realm=""`:             "no token server that can be asked",
		`Bearer realm="http://a:b@c"`: "no token server that can be asked",
		`="=,;= ,"`:                   "does not say how to sign in",
	} {
		_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", value)
			outside.ErrorBody(w, http.StatusUnauthorized, "UNAUTHORIZED", "who are you")
		})
		_, err := client(t, Options{}).Document(t.Context(), mustRef(t, host+"/app:1"))
		outside.WantKind(t, err, image.Unauthorized, host+" wants a sign-in", says, "who are you", "Ask whoever runs")
	}
}

func TestATokenIsFetchedWhateverTheChallengeLooksLike(t *testing.T) {
	img := newImage(t, []byte("layer"))
	for _, form := range []string{
		`BEARER Realm=http://%s/token,Service=s,Scope=repository:app:pull`,
		`Basic realm="x", Bearer realm="http://%s/token"`,
		`Bearer realm=/token%.0s, service="s"`,
	} {
		var host string
		_, host = outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
			switch {
			case req.URL.Path == "/token":
				_, _ = fmt.Fprint(w, `{"token":"good"}`)
			case req.Header.Get("Authorization") != "Bearer good":
				w.Header().Set("WWW-Authenticate", fmt.Sprintf(form, host))
				w.WriteHeader(http.StatusUnauthorized)
			default:
				manifest(w, ocispec.MediaTypeImageManifest, img.raw)
			}
		})
		conf := dockerConfigDir(t, auths(host, login("anna", "s3cret"))) // Basic would do too, and is not what is answered
		if _, err := client(t, Options{DockerConfig: conf}).Document(t.Context(), mustRef(t, host+"/app:1")); err != nil {
			t.Errorf("%s: %v", form, err)
		}
	}
}
