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
)

// oneManifest serves one manifest under each name.
func oneManifest(t *testing.T) http.HandlerFunc {
	t.Helper()
	raw := newImage(t, []byte("layer")).raw
	return func(w http.ResponseWriter, _ *http.Request) { manifest(w, ocispec.MediaTypeImageManifest, raw) }
}

func TestLoopbackHosts(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:5000": true, "LOCALHOST:1": true, "127.0.0.1:5000": true, "127.9.9.9": true,
		"[::1]:5000": true, "[::1]": true, "docker.io": false, "localhost.example.com": false, "10.0.0.1:5000": false, "128.0.0.1": false,
	} {
		if got := loopback(host); got != want {
			t.Errorf("loopback(%q) is %v", host, got)
		}
	}
}

func TestInsecureHostsNameAPortOrAllPorts(t *testing.T) {
	hosts := newInsecureHosts([]string{"a.test:5000", "B.test", "[::1]:7"})
	for host, want := range map[string]bool{
		"a.test:5000": true, "a.test:5001": false, "a.test": false, "b.test": true, "b.test:9": true, "c.test": false, "[::1]:7": true, "[::1]:8": false,
	} {
		if got := hosts.has(host); got != want {
			t.Errorf("%q is insecure: %v", host, got)
		}
	}
}

func TestLoopbackIsSpokenToInPlainHTTPAndAskedOnce(t *testing.T) {
	rec, host := server(t, oneManifest(t))
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
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if probes := len(rec.seen) - 10; probes != 1 {
		t.Errorf("the host was asked %d times how it is spoken to", probes)
	}
}

func TestLoopbackWithTLSAndItsOwnAuthority(t *testing.T) {
	ca := newAuthority(t)
	_, host := ca.tlsServer(t, oneManifest(t), inAnHour(), "127.0.0.1")
	if _, err := client(t, Options{CAFiles: []string{ca.file}}).Head(t.Context(), mustRef(t, host+"/app:1")); err != nil {
		t.Errorf("with its CA: %v", err)
	}
	if _, err := client(t, Options{InsecureHosts: []string{host}}).Head(t.Context(), mustRef(t, host+"/app:1")); err != nil {
		t.Errorf("as an insecure host: %v", err)
	}
	_, err := client(t, Options{}).Head(t.Context(), mustRef(t, host+"/app:1"))
	wantKind(t, err, image.Unavailable, host, "unknown authority", "--registry-ca FILE", "--insecure-registry "+host)
}

func TestInsecureHostsAreAskedWithTLSFirst(t *testing.T) {
	ca := newAuthority(t)
	_, tlsAddr := ca.tlsServer(t, oneManifest(t), inAnHour(), "another.test")
	plain, plainAddr := server(t, oneManifest(t))
	dial := dialTo(map[string]string{"both.test:443": tlsAddr, "both.test:80": plainAddr, "plain.test:80": plainAddr, "plain.test:5000": plainAddr})
	c := client(t, Options{InsecureHosts: []string{"both.test", "plain.test"}, dial: dial})
	if _, err := c.Head(t.Context(), mustRef(t, "both.test/app:1")); err != nil {
		t.Error(err)
	}
	if got := plain.requests(); len(got) != 0 {
		t.Errorf("plain HTTP was used: %v", got)
	}
	for _, ref := range []string{"plain.test/app:1", "plain.test:5000/app:1"} {
		if _, err := c.Head(t.Context(), mustRef(t, ref)); err != nil {
			t.Error(err)
		}
	}
}

func TestCertificatesThatAreNotTrusted(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	for name, tt := range map[string]struct {
		ca    authority
		until time.Time
		host  string
		text  string
	}{
		"unknown authority": {stranger, inAnHour(), "registry.test", "unknown authority"},
		"expired":           {ca, time.Now().Add(-time.Hour), "registry.test", "expired"},
		"wrong name":        {ca, inAnHour(), "another.test", "another host"},
	} {
		t.Run(name, func(t *testing.T) {
			rec, addr := tt.ca.tlsServer(t, oneManifest(t), tt.until, tt.host)
			c := client(t, Options{CAFiles: []string{ca.file}, dial: dialTo(map[string]string{"registry.test:443": addr})})
			_, err := c.Head(t.Context(), mustRef(t, "registry.test/app:1"))
			wantKind(t, err, image.Unavailable, "registry.test", tt.text, "--registry-ca")
			if got := rec.requests(); len(got) != 0 {
				t.Errorf("requests went out: %v", got)
			}
		})
	}
}

func TestWhatTheListSaysOfTLSIsNotForInsecureRegistryToChange(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	_, secure := stranger.tlsServer(t, oneManifest(t), inAnHour(), "registry.test")
	_, plain := server(t, oneManifest(t))
	for name, tt := range map[string]struct {
		entry Listed
		at    string
		text  string
	}{
		"verify":      {Listed{Host: "registry.test", TLS: TLSVerify}, secure, "tls: skip"},
		"a CA":        {Listed{Host: "registry.test", CAFile: ca.file}, secure, "tls: skip"},
		"plain":       {Listed{Host: "registry.test", TLS: TLSVerify}, plain, "tls: off"},
		"said of TLS": {Listed{Host: "registry.test"}, secure, "--insecure-registry registry.test"},
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, Options{Registries: []Listed{tt.entry}, dial: dialTo(map[string]string{"registry.test:443": tt.at})})
			_, err := c.Head(t.Context(), mustRef(t, "registry.test/app:1"))
			e := wantKind(t, err, image.Unavailable, "registry.test", tt.text)
			if strings.Contains(e.Suggestion, "--insecure-registry") == (tt.text == "tls: skip" || tt.text == "tls: off") {
				t.Errorf("it suggests %q", e.Suggestion)
			}
			if tt.at == secure {
				_, err = c.Search(t.Context(), "registry.test", Query{Text: "app"})
				wantKind(t, err, image.Unavailable, tt.text)
			}
		})
	}
}

func TestPlainHTTPIsNotSpokenToOtherHosts(t *testing.T) {
	rec, addr := server(t, oneManifest(t))
	c := client(t, Options{dial: dialTo(map[string]string{"registry.test:443": addr, "registry.test:80": addr})})
	_, err := c.Head(t.Context(), mustRef(t, "registry.test/app:1"))
	wantKind(t, err, image.Unavailable, "registry.test", "plain HTTP where TLS is expected", "--insecure-registry registry.test")
	if got := rec.requests(); len(got) != 0 {
		t.Errorf("requests went out: %v", got)
	}
}

func TestAHostThatChangesItsSchemeIsFoundOutAgain(t *testing.T) {
	ca := newAuthority(t)
	_, plainAddr := server(t, oneManifest(t))
	_, tlsAddr := ca.tlsServer(t, oneManifest(t), inAnHour(), "127.0.0.1")
	addresses := map[string]string{"127.0.0.1:5000": plainAddr}
	c := client(t, Options{CAFiles: []string{ca.file}, dial: dialTo(addresses)})
	if _, err := c.Head(t.Context(), mustRef(t, "127.0.0.1:5000/app:1")); err != nil {
		t.Fatal(err)
	}
	addresses["127.0.0.1:5000"] = tlsAddr
	c.roads.verified.CloseIdleConnections()
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
		c.slot(string(rune('a'+i%26)) + time.Duration(i).String())
	}
	if len(c.slots) > maxHosts {
		t.Errorf("%d hosts are remembered", len(c.slots))
	}
}
