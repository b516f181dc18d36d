package registry

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/olareg/olareg"
	"github.com/olareg/olareg/config"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/test/outside"
)

func TestMain(m *testing.M) { outside.Main(m) }

// client makes a client without anybody's credentials, unless opts has some.
func client(t testing.TB, opts Options) *Client {
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

// testImage is a manifest with its config and one layer.
type testImage struct {
	raw    []byte
	config []byte
	layer  []byte
}

func (i testImage) digest() image.Digest { return image.DigestOf(i.raw) }
func (i testImage) layerDescriptor() image.Descriptor {
	return image.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: image.DigestOf(i.layer),
		Size: int64(len(i.layer))}
}

func newImage(t *testing.T, layer []byte) testImage {
	t.Helper()
	conf := []byte(`{"os":"linux","architecture":"amd64","config":{},"rootfs":{"type":"layers","diff_ids":["` +
		image.DigestOf(layer).String() + `"]}}`)
	i := testImage{config: conf, layer: layer}
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Layers: []image.Descriptor{i.layerDescriptor()}}
	m.SchemaVersion = 2
	m.Config = image.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: image.DigestOf(conf),
		Size: int64(len(conf))}
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
func realRegistry(t *testing.T, wrap func(http.Handler) http.Handler) (*outside.Recorder, string) {
	t.Helper()
	reg := olareg.New(config.Config{
		Storage: config.ConfigStorage{StoreType: config.StoreMem},
		Log:     slog.New(slog.DiscardHandler),
	})
	var h http.Handler = reg
	if wrap != nil {
		h = wrap(h)
	}
	rec := &outside.Recorder{Handler: h}
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
		send(t, http.MethodPost, "http://"+host+"/v2/"+repo+"/blobs/uploads/?digest="+image.DigestOf(blob).String(),
			"application/octet-stream", blob)
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

// manifest serves a manifest or an index, as a registry does.
func manifest(w http.ResponseWriter, mediaType string, raw []byte) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Docker-Content-Digest", image.DigestOf(raw).String())
	_, _ = w.Write(raw)
}
