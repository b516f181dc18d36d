package registry

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/test/outside"
)

// redirectingTokens is a registry whose token server answers as it is told, on TLS with an authority's certificate.
func redirectingTokens(t *testing.T, h http.HandlerFunc) (host string, opts Options) {
	t.Helper()
	ca := outside.NewAuthority(t)
	_, tokens := ca.Server(t, h, outside.InAnHour(), "127.0.0.1")
	_, host = ca.Server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate",
			fmt.Sprintf(`Bearer realm="https://%s/token",service="test",scope="repository:app:pull"`, tokens))
		outside.ErrorBody(w, http.StatusUnauthorized, "UNAUTHORIZED", "")
	}, outside.InAnHour(), "127.0.0.1")
	return host, Options{CAFiles: []string{ca.File}, Registries: []Entry{{Host: host, TLS: outbound.TLSVerify}}}
}

func TestALoginIsNotSentOnOutOfTLS(t *testing.T) {
	plain, plainHost := outside.Server(t,
		func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"token":"t"}`) })
	host, opts := redirectingTokens(t, func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, "http://"+plainHost+"/token", http.StatusTemporaryRedirect)
	})
	for name, auth := range map[string]map[string]any{"password": login("anna", "s3cret"),
		"identity token": {"identitytoken": "s3cret"}, "nobody": {}} {
		t.Run(name, func(t *testing.T) {
			opts.DockerConfig = dockerConfigDir(t, auths(host, auth))
			_, err := client(t, opts).Head(t.Context(), mustRef(t, host+"/app:1"))
			outside.WantKind(t, err, image.Forbidden, host, "not allowed")
		})
	}
	if got := plain.Requests(); len(got) != 0 {
		t.Errorf("the plain host got %v", got)
	}
}

func TestAnIdentityTokenIsNotSentOnToAnotherHost(t *testing.T) {
	var elsewhere string
	asked := make(chan string, 10)
	host, opts := redirectingTokens(t, func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, "https://"+elsewhere+"/token", http.StatusTemporaryRedirect)
	})
	ca := outside.NewAuthority(t)
	_, elsewhere = ca.Server(t, func(_ http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		asked <- string(body)
	}, outside.InAnHour(), "127.0.0.1")
	opts.CAFiles = append(opts.CAFiles, ca.File)
	opts.DockerConfig = dockerConfigDir(t, auths(host, map[string]any{"identitytoken": "s3cret"}))
	_, err := client(t, opts).Head(t.Context(), mustRef(t, host+"/app:1"))
	outside.WantKind(t, err, image.Forbidden, host, "not allowed")
	close(asked)
	for body := range asked {
		t.Errorf("the other host got %q", body)
	}
}
