package registry

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/test/outside"
)

// oneManifest serves one manifest under each name.
func oneManifest(t *testing.T) http.HandlerFunc {
	t.Helper()
	raw := newImage(t, []byte("layer")).raw
	return func(w http.ResponseWriter, _ *http.Request) { manifest(w, ocispec.MediaTypeImageManifest, raw) }
}

func TestLoopbackIsSpokenToInPlainHTTPAndAskedOnce(t *testing.T) {
	rec, host := outside.Server(t, oneManifest(t))
	c := client(t, Options{})
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, err := c.Head(t.Context(), mustRef(t, host+"/app:1")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if probes := len(rec.All()) - 10; probes != 1 {
		t.Errorf("the host was asked %d times how it is spoken to", probes)
	}
}

func TestLoopbackWithTLSAndItsOwnAuthority(t *testing.T) {
	ca := outside.NewAuthority(t)
	_, host := ca.Server(t, oneManifest(t), outside.InAnHour(), "127.0.0.1")
	if _, err := client(t, Options{CAFiles: []string{ca.File}}).Head(t.Context(), mustRef(t, host+"/app:1")); err != nil {
		t.Errorf("with its CA: %v", err)
	}
	if _, err := client(t, Options{InsecureHosts: []string{host}}).
		Head(t.Context(), mustRef(t, host+"/app:1")); err != nil {
		t.Errorf("as an insecure host: %v", err)
	}
	_, err := client(t, Options{}).Head(t.Context(), mustRef(t, host+"/app:1"))
	outside.WantKind(t, err, image.Unavailable, host, "unknown authority", "--registry-ca FILE", "--insecure-registry "+
		host)
}

func TestInsecureHostsAreAskedWithTLSFirst(t *testing.T) {
	ca := outside.NewAuthority(t)
	_, tlsAddr := ca.Server(t, oneManifest(t), outside.InAnHour(), "another.test")
	plain, plainAddr := outside.Server(t, oneManifest(t))
	dial := outside.DialTo(map[string]string{"both.test:443": tlsAddr, "both.test:80": plainAddr,
		"plain.test:80": plainAddr, "plain.test:5000": plainAddr})
	c := client(t, Options{InsecureHosts: []string{"both.test", "plain.test"}, Dial: dial})
	if _, err := c.Head(t.Context(), mustRef(t, "both.test/app:1")); err != nil {
		t.Error(err)
	}
	if got := plain.Requests(); len(got) != 0 {
		t.Errorf("plain HTTP was used: %v", got)
	}
	for _, ref := range []string{"plain.test/app:1", "plain.test:5000/app:1"} {
		if _, err := c.Head(t.Context(), mustRef(t, ref)); err != nil {
			t.Error(err)
		}
	}
}

func TestCertificatesThatAreNotTrusted(t *testing.T) {
	ca, stranger := outside.NewAuthority(t), outside.NewAuthority(t)
	for name, tt := range map[string]struct {
		ca    outside.Authority
		until time.Time
		host  string
		text  string
	}{
		"unknown authority": {stranger, outside.InAnHour(), "registry.test", "unknown authority"},
		"expired":           {ca, time.Now().Add(-time.Hour), "registry.test", "expired"},
		"wrong name":        {ca, outside.InAnHour(), "another.test", "another host"},
	} {
		t.Run(name, func(t *testing.T) {
			rec, addr := tt.ca.Server(t, oneManifest(t), tt.until, tt.host)
			c := client(t, Options{CAFiles: []string{ca.File},
				Dial: outside.DialTo(map[string]string{"registry.test:443": addr})})
			_, err := c.Head(t.Context(), mustRef(t, "registry.test/app:1"))
			outside.WantKind(t, err, image.Unavailable, "registry.test", tt.text, "--registry-ca")
			if got := rec.Requests(); len(got) != 0 {
				t.Errorf("requests went out: %v", got)
			}
		})
	}
}

func TestWhatTheListSaysOfTLSIsNotForInsecureRegistryToChange(t *testing.T) {
	ca, stranger := outside.NewAuthority(t), outside.NewAuthority(t)
	_, secure := stranger.Server(t, oneManifest(t), outside.InAnHour(), "registry.test")
	_, plain := outside.Server(t, oneManifest(t))
	for name, tt := range map[string]struct {
		entry Entry
		at    string
		text  string
	}{
		"verify":      {Entry{Host: "registry.test", TLS: outbound.TLSVerify}, secure, "tls: skip"},
		"a CA":        {Entry{Host: "registry.test", CAFile: ca.File}, secure, "tls: skip"},
		"plain":       {Entry{Host: "registry.test", TLS: outbound.TLSVerify}, plain, "tls: off"},
		"said of TLS": {Entry{Host: "registry.test"}, secure, "--insecure-registry registry.test"},
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, Options{Registries: []Entry{tt.entry},
				Dial: outside.DialTo(map[string]string{"registry.test:443": tt.at})})
			_, err := c.Head(t.Context(), mustRef(t, "registry.test/app:1"))
			e := outside.WantKind(t, err, image.Unavailable, "registry.test", tt.text)
			if strings.Contains(e.Suggestion, "--insecure-registry") == (tt.text == "tls: skip" || tt.text == "tls: off") {
				t.Errorf("it suggests %q", e.Suggestion)
			}
		})
	}
}

func TestPlainHTTPIsNotSpokenToOtherHosts(t *testing.T) {
	rec, addr := outside.Server(t, oneManifest(t))
	c := client(t, Options{Dial: outside.DialTo(map[string]string{"registry.test:443": addr, "registry.test:80": addr})})
	_, err := c.Head(t.Context(), mustRef(t, "registry.test/app:1"))
	outside.WantKind(t, err, image.Unavailable, "registry.test", "plain HTTP where TLS is expected",
		"--insecure-registry registry.test")
	if got := rec.Requests(); len(got) != 0 {
		t.Errorf("requests went out: %v", got)
	}
}

func TestAHostThatChangesItsSchemeIsFoundOutAgain(t *testing.T) {
	ca := outside.NewAuthority(t)
	_, plainAddr := outside.Server(t, oneManifest(t))
	_, tlsAddr := ca.Server(t, oneManifest(t), outside.InAnHour(), "127.0.0.1")
	addresses := map[string]string{"127.0.0.1:5000": plainAddr}
	c := client(t, Options{CAFiles: []string{ca.File}, Dial: outside.DialTo(addresses)})
	if _, err := c.Head(t.Context(), mustRef(t, "127.0.0.1:5000/app:1")); err != nil {
		t.Fatal(err)
	}
	addresses["127.0.0.1:5000"] = tlsAddr
	_ = c.Close()
	if _, err := c.Head(t.Context(), mustRef(t, "127.0.0.1:5000/app:1")); err != nil {
		t.Errorf("after the registry moved to TLS: %v", err)
	}
}

func TestCAFilesMustHoldCertificates(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(empty, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{empty, empty + ".missing"} {
		if _, err := New(Options{CAFiles: []string{file}}); err == nil {
			t.Errorf("%s was taken", file)
		}
	}
}

func TestHostsRememberedAreBounded(t *testing.T) {
	c := client(t, Options{})
	for i := range 3 * maxHosts {
		c.upstreams.slot(string(rune('a'+i%26)) + time.Duration(i).String())
	}
	if len(c.upstreams.slots) > maxHosts {
		t.Errorf("%d hosts are remembered", len(c.upstreams.slots))
	}
}
