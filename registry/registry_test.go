package registry

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/olareg/olareg"
	"github.com/olareg/olareg/config"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
)

// recorder notes the requests that reach a server.
type recorder struct {
	http.Handler
	mu   sync.Mutex
	seen []*http.Request
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.seen = append(r.seen, req)
	r.mu.Unlock()
	r.Handler.ServeHTTP(w, req)
}

// requests gives those seen, as "METHOD path", without the probe of /v2/.
func (r *recorder) requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, req := range r.seen {
		if req.URL.Path != "/v2/" {
			all = append(all, req.Method+" "+req.URL.Path)
		}
	}
	return all
}

func (r *recorder) last() *http.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[len(r.seen)-1]
}

// server starts a registry over plain HTTP; its host is 127.0.0.1:port. A handler that is called for /v2/
// itself need not care.
func server(t *testing.T, h http.HandlerFunc) (*recorder, string) {
	t.Helper()
	rec := &recorder{Handler: registryRoot(h)}
	srv := httptest.NewServer(rec)
	t.Cleanup(srv.Close)
	return rec, strings.TrimPrefix(srv.URL, "http://")
}

func registryRoot(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/v2/" {
			return
		}
		h(w, req)
	}
}

// client makes a client without anybody's credentials, unless opts has some.
func client(t *testing.T, opts Options) *Client {
	t.Helper()
	if opts.DockerConfig == "" {
		opts.DockerConfig = t.TempDir()
	}
	opts.AllowPrivate = true // the servers of tests are on this machine; see TestGuard for the rest
	c, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// dockerConfigDir writes a config.json.
func dockerConfigDir(t *testing.T, conf any) string {
	t.Helper()
	dir := t.TempDir()
	writeDockerConfig(t, dir, conf)
	return dir
}

func writeDockerConfig(t *testing.T, dir string, conf any) {
	t.Helper()
	raw, err := json.Marshal(conf)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func login(user, password string) map[string]any {
	return map[string]any{"auth": base64.StdEncoding.EncodeToString([]byte(user + ":" + password))}
}

func auths(host string, auth map[string]any) map[string]any {
	return map[string]any{"auths": map[string]any{host: auth}}
}

func mustRef(t *testing.T, s string) image.Reference {
	t.Helper()
	r, err := image.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wantKind fails the test unless err is an image.Error of the kind, in one printable line that contains the
// texts (in its message or suggestion), and gives it back.
func wantKind(t *testing.T, err error, kind image.Kind, texts ...string) *image.Error {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want kind %s", kind)
	}
	var e *image.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is a %T (%v), want an image.Error", err, err)
	}
	if e.Kind != kind {
		t.Errorf("kind is %s (%v), want %s", e.Kind, err, kind)
	}
	for _, text := range texts {
		if !strings.Contains(e.Message+"\n"+e.Suggestion, text) {
			t.Errorf("neither message %q nor suggestion %q contains %q", e.Message, e.Suggestion, text)
		}
	}
	if strings.ContainsAny(e.Message+e.Suggestion, "\n\r\x1b\x00") {
		t.Errorf("message is not one printable line: %q", e.Message+e.Suggestion)
	}
	return e
}

// testImage is a manifest with its config and one layer.
type testImage struct {
	raw    []byte
	config []byte
	layer  []byte
}

func (i testImage) digest() image.Digest { return image.DigestOf(i.raw) }
func (i testImage) layerDescriptor() image.Descriptor {
	return image.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: image.DigestOf(i.layer), Size: int64(len(i.layer))}
}

func newImage(t *testing.T, layer []byte) testImage {
	t.Helper()
	conf := []byte(`{"os":"linux","architecture":"amd64","config":{},"rootfs":{"type":"layers","diff_ids":["` + image.DigestOf(layer).String() + `"]}}`)
	i := testImage{config: conf, layer: layer}
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Layers: []image.Descriptor{i.layerDescriptor()}}
	m.SchemaVersion = 2
	m.Config = image.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: image.DigestOf(conf), Size: int64(len(conf))}
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	i.raw = raw
	return i
}

func newIndex(t *testing.T, images ...testImage) []byte {
	t.Helper()
	idx := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex}
	idx.SchemaVersion = 2
	for _, i := range images {
		idx.Manifests = append(idx.Manifests, image.Descriptor{
			MediaType: ocispec.MediaTypeImageManifest, Digest: i.digest(), Size: int64(len(i.raw)),
			Platform: &ocispec.Platform{OS: "linux", Architecture: "amd64"},
		})
	}
	raw, err := json.Marshal(idx)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// realRegistry starts olareg, behind wrap where that is given.
func realRegistry(t *testing.T, wrap func(http.Handler) http.Handler) (*recorder, string) {
	t.Helper()
	reg := olareg.New(config.Config{
		Storage: config.ConfigStorage{StoreType: config.StoreMem},
		Log:     slog.New(slog.DiscardHandler),
	})
	var h http.Handler = reg
	if wrap != nil {
		h = wrap(h)
	}
	rec := &recorder{Handler: h}
	srv := httptest.NewServer(rec)
	t.Cleanup(func() {
		srv.Close()
		_ = reg.Close()
	})
	return rec, strings.TrimPrefix(srv.URL, "http://")
}

// push puts an image with its blobs under a tag.
func push(t *testing.T, host, repo, tag string, i testImage) {
	t.Helper()
	for _, blob := range [][]byte{i.config, i.layer} {
		send(t, http.MethodPost, "http://"+host+"/v2/"+repo+"/blobs/uploads/?digest="+image.DigestOf(blob).String(), "application/octet-stream", blob)
	}
	pushManifest(t, host, repo, tag, ocispec.MediaTypeImageManifest, i.raw)
}

func pushManifest(t *testing.T, host, repo, tag, mediaType string, raw []byte) {
	t.Helper()
	send(t, http.MethodPut, "http://"+host+"/v2/"+repo+"/manifests/"+tag, mediaType, raw)
}

func send(t *testing.T, method, url, contentType string, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("%s %s: %s %s", method, url, resp.Status, text)
	}
}

// authority is a certificate authority of a test's own.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its certificate
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return authority{cert: cert, key: key, file: file}
}

// tlsServer starts a server with a certificate for the names that is valid until then; its address is
// 127.0.0.1:port.
func (a authority) tlsServer(t *testing.T, h http.HandlerFunc, until time.Time, names ...string) (*recorder, string) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "test server"},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until,
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	rec := &recorder{Handler: registryRoot(h)}
	srv := httptest.NewUnstartedServer(rec)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return rec, strings.TrimPrefix(srv.URL, "https://")
}

func inAnHour() time.Time { return time.Now().Add(time.Hour) }

// dialTo stands in for the network: host:port to the address of a server of the test. Other hosts do not
// exist.
func dialTo(addresses map[string]string) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		to, found := addresses[address]
		if !found {
			host, _, _ := net.SplitHostPort(address)
			return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}}
		}
		return new(net.Dialer).DialContext(ctx, network, to)
	}
}

// errorBody writes a registry's error.
func errorBody(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]any{"code": code, "message": message}}})
}

// manifest serves a manifest or an index, as a registry does.
func manifest(w http.ResponseWriter, mediaType string, raw []byte) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Docker-Content-Digest", image.DigestOf(raw).String())
	_, _ = w.Write(raw)
}
