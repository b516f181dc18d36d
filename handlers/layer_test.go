package handlers

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
)

// layerOf gives the digest of a layer of the platform that stands for a reference.
func (s *testShelf) layerOf(reference string, position int) image.Digest {
	s.t.Helper()
	layers, err := s.store.ImageLayers(s.t.Context(), s.store.Preferred(s.target(reference).Images).Manifest)
	if err != nil {
		s.t.Fatal(err)
	}
	return layers[position].Digest
}

func TestALayerShowsEveryImageThatUsesIt(t *testing.T) {
	s := newShelf(t)
	s.pull("postgres:15", "linux/amd64")
	s.pull("ghcr.io/acme/api:v2.14.0", "linux/amd64")
	page := s.get("/layers/" + string(s.layerOf("postgres:15", 0)))
	page.is(t, http.StatusOK, "2 images", `href="/images/docker.io/library/postgres:15?platform=linux/amd64"`, `href="/images/ghcr.io/acme/api:v2.14.0?platform=linux/amd64"`)
	page.golden(t, "layer")
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
	s := newShelfOf(t, strings.TrimPrefix(server.URL, "http://"))
	s.pull("broken:1")
	page := s.get("/layers/" + string(s.layerOf("broken:1", 0)))
	page.is(t, http.StatusOK, "This layer cannot be used", "It ends too early (byte ")
	page.golden(t, "layer-broken")
	s.get("/layers/"+string(s.layerOf("broken:1", 0)), "Accept-Language", "ko").is(t, http.StatusOK, "데이터가 중간에 끊겨 있습니다 (tar의 ")
	s.get("/images/docker.io/library/broken:1", "Accept-Language", "ko").is(t, http.StatusOK, "압축을 풀 수 없습니다: 데이터가 중간에 끊겨 있습니다 (tar의 ")
	s.get("/images").is(t, http.StatusOK, "broken")
}

func TestALayerThatIsNotStoredIsNotFound(t *testing.T) {
	s := newShelf(t)
	s.get("/layers/sha256:"+strings.Repeat("0", 64)).is(t, http.StatusNotFound, "No layer sha256:000")
}

func TestALayersAddressMustBeADigest(t *testing.T) {
	s := newShelf(t)
	for _, bad := range []string{"sha256:12", "latest", "sha512:" + strings.Repeat("0", 128), "sha256%3A..%2F..%2Fetc", "%ff"} {
		s.get("/layers/"+bad).is(t, http.StatusBadRequest)
	}
}
