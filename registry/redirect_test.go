package registry

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stowage/stowage/image"
)

func TestASearchFromOutsideMayNotBeLedToThisMachine(t *testing.T) {
	rec, here := server(t, answers(t, map[string]string{hubSearchPath: "hub_search.json"}))
	_, port, _ := net.SplitHostPort(here)
	_, outside := server(t, func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, "http://evil.test:"+port+hubSearchPath, http.StatusFound)
	})
	names.lead(t, "search.test", "203.0.113.7")
	names.lead(t, "evil.test", "127.0.0.1")
	search := func(listed ...Listed) error {
		c := lax(t, Options{
			Registries: append(listed, Listed{Host: dockerHub, SearchURL: "http://search.test"}),
			dial:       dialTo(map[string]string{"search.test:80": outside, "evil.test:" + port: here}),
		})
		_, err := c.Search(t.Context(), dockerHub, Query{Text: "postgres"})
		return err
	}
	wantKind(t, search(), image.Unavailable, dockerHub, "not allowed")
	if len(rec.requests()) != 0 {
		t.Error("this machine was asked")
	}
	if err := search(Listed{Host: "evil.test:" + port}); err != nil { // the operator says that it may
		t.Error(err)
	}
}

// redirectingTokens is a registry whose token server answers as it is told, on TLS with an authority's certificate.
func redirectingTokens(t *testing.T, h http.HandlerFunc) (host string, opts Options) {
	t.Helper()
	ca := newAuthority(t)
	_, tokens := ca.tlsServer(t, h, inAnHour(), "127.0.0.1")
	_, host = ca.tlsServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="https://%s/token",service="test",scope="repository:app:pull"`, tokens))
		errorBody(w, http.StatusUnauthorized, "UNAUTHORIZED", "")
	}, inAnHour(), "127.0.0.1")
	return host, Options{CAFiles: []string{ca.file}, Registries: []Listed{{Host: host, TLS: TLSVerify}}}
}

func TestALoginIsNotSentOnOutOfTLS(t *testing.T) {
	plain, plainHost := server(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"token":"t"}`) })
	host, opts := redirectingTokens(t, func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, "http://"+plainHost+"/token", http.StatusTemporaryRedirect)
	})
	for name, auth := range map[string]map[string]any{"password": login("anna", "s3cret"), "identity token": {"identitytoken": "s3cret"}, "nobody": {}} {
		t.Run(name, func(t *testing.T) {
			opts.DockerConfig = dockerConfigDir(t, auths(host, auth))
			_, err := client(t, opts).Head(t.Context(), mustRef(t, host+"/app:1"))
			wantKind(t, err, image.Forbidden, host, "not allowed")
		})
	}
	if got := plain.requests(); len(got) != 0 {
		t.Errorf("the plain host got %v", got)
	}
}

func TestAnIdentityTokenIsNotSentOnToAnotherHost(t *testing.T) {
	var elsewhere string
	asked := make(chan string, 10)
	host, opts := redirectingTokens(t, func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, "https://"+elsewhere+"/token", http.StatusTemporaryRedirect)
	})
	ca := newAuthority(t)
	_, elsewhere = ca.tlsServer(t, func(_ http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		asked <- string(body)
	}, inAnHour(), "127.0.0.1")
	opts.CAFiles = append(opts.CAFiles, ca.file)
	opts.DockerConfig = dockerConfigDir(t, auths(host, map[string]any{"identitytoken": "s3cret"}))
	_, err := client(t, opts).Head(t.Context(), mustRef(t, host+"/app:1"))
	wantKind(t, err, image.Forbidden, host, "not allowed")
	close(asked)
	for body := range asked {
		t.Errorf("the other host got %q", body)
	}
}
