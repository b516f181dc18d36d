package imagepage_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/pages"
)

func TestALayerShowsEveryImageThatUsesIt(t *testing.T) {
	s := pages.New(t)
	s.Pull("postgres:15", "linux/amd64")
	s.Pull("ghcr.io/acme/api:v2.14.0", "linux/amd64")
	page := s.Get("/layers/" + string(s.Layer("postgres:15", 0)))
	page.Is(t, http.StatusOK, "2 images", `href="/images/docker.io/library/postgres:15?platform=linux/amd64"`, `href="/images/ghcr.io/acme/api:v2.14.0?platform=linux/amd64"`)
	page.Golden(t, "layer")
}

func TestABrokenLayerSaysWhy(t *testing.T) {
	reg := fake.NewEmptyRegistry()
	server := httptest.NewServer(reg)
	t.Cleanup(server.Close)
	content, err := sample.NewLayer(sample.Gzip, sample.Data("usr/data", "broken", 5000)).Content()
	if err != nil {
		t.Fatal(err)
	}
	cut := sample.RawLayer(sample.Gzip, sample.LayerContent{Blob: bytes.Clone(content.Blob[:len(content.Blob)/2]), DiffID: content.DiffID})
	im := sample.Image{Platform: sample.NoLayers().Platform, Steps: []sample.Step{{By: "COPY data /usr", Layer: cut}}}
	if err := reg.Push(t.Context(), "library/broken", im, "1"); err != nil {
		t.Fatal(err)
	}
	s := pages.NewOf(t, strings.TrimPrefix(server.URL, "http://"))
	s.Pull("broken:1")
	page := s.Get("/layers/" + string(s.Layer("broken:1", 0)))
	page.Is(t, http.StatusOK, "This layer cannot be used", "It ends too early (byte ")
	page.Golden(t, "layer-broken")
	s.Get("/layers/"+string(s.Layer("broken:1", 0)), "Accept-Language", "ko").Is(t, http.StatusOK, "데이터가 중간에 끊겨 있습니다 (tar의 ")
	s.Get("/images/docker.io/library/broken:1", "Accept-Language", "ko").Is(t, http.StatusOK, "압축을 풀 수 없습니다: 데이터가 중간에 끊겨 있습니다 (tar의 ")
	s.Get("/images").Is(t, http.StatusOK, "broken")
}

func TestALayerThatIsNotStoredIsNotFound(t *testing.T) {
	s := pages.New(t)
	s.Get("/layers/sha256:"+strings.Repeat("0", 64)).Is(t, http.StatusNotFound, "No layer sha256:000")
}

func TestALayersAddressMustBeADigest(t *testing.T) {
	s := pages.New(t)
	for _, bad := range []string{"sha256:12", "latest", "sha512:" + strings.Repeat("0", 128), "sha256%3A..%2F..%2Fetc", "%ff"} {
		s.Get("/layers/"+bad).Is(t, http.StatusBadRequest)
	}
}
