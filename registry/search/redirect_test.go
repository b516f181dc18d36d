package search

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/test/outside"
)

func TestASearchFromOutsideMayNotBeLedToThisMachine(t *testing.T) {
	rec, here := outside.Server(t, answers(t, map[string]string{hubSearchPath: "hub_search.json"}))
	_, port, _ := net.SplitHostPort(here)
	_, leading := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, "http://evil.test:"+port+hubSearchPath, http.StatusFound)
	})
	outside.Lead(t, "search.test", "203.0.113.7")
	outside.Lead(t, "evil.test", "127.0.0.1")
	search := func(listed ...registry.Entry) error {
		c := client(t, registry.Options{
			Registries: append(listed, registry.Entry{Host: image.DockerHub, SearchURL: "http://search.test"}),
			Dial:       outside.DialTo(map[string]string{"search.test:80": leading, "evil.test:" + port: here}),
		})
		_, err := c.Search(t.Context(), image.DockerHub, Question{Text: "postgres"})
		return err
	}
	outside.WantKind(t, search(), image.Unavailable, image.DockerHub, "not allowed")
	if len(rec.Requests()) != 0 {
		t.Error("this machine was asked")
	}
	if err := search(registry.Entry{Host: "evil.test:" + port}); err != nil { // the operator says that it may
		t.Error(err)
	}
}

func TestASearchOverACertificateThatIsNotTrustedSaysWhatToDo(t *testing.T) {
	ca := outside.NewAuthority(t)
	_, addr := ca.Server(t, answers(t, map[string]string{"/v1/search": "v1_search_bare.json"}), outside.InAnHour(),
		"registry.test")
	for text, entry := range map[string]registry.Entry{
		"tls: skip":                         {Host: "registry.test", TLS: outbound.TLSVerify},
		"--insecure-registry registry.test": {Host: "registry.test"},
	} {
		c := client(t, registry.Options{Registries: []registry.Entry{entry},
			Dial: outside.DialTo(map[string]string{"registry.test:443": addr})})
		_, err := c.Search(t.Context(), "registry.test", Question{Text: "app"})
		outside.WantKind(t, err, image.Unavailable, text)
	}
}

func TestAnAnswerNestedDeeperThan100LevelsIsRefused(t *testing.T) {
	deep := strings.Repeat("[", 6000) + "1" + strings.Repeat("]", 6000)
	_, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		_, _ = fmt.Fprintf(w, `{"results":[],"repositories":["app"],"x":%s}`, deep)
	})
	for _, kind := range []registry.SearchKind{registry.SearchHub, registry.SearchV1, registry.SearchQuay,
		registry.SearchHarbor, registry.SearchCatalog} {
		l := registry.Entry{Host: host, Search: kind}
		if kind == registry.SearchHub {
			l = registry.Entry{Host: image.DockerHub, Search: kind, SearchURL: "http://" + host}
		}
		_, err := searching(t, l).Search(t.Context(), l.Host, Question{Text: "app"})
		if outside.WantKind(t, err, image.Corrupt, "nested deeper than 100 levels"); t.Failed() {
			t.Fatal(kind)
		}
	}
}
