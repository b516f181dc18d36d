package handlers

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage"
)

func TestPagesNameWhatIsDamagedOnTheDiskAndLeadToPullingItAgain(t *testing.T) {
	dir := t.TempDir()
	s := newShelf(t, func(o *storage.Options) { o.Dir = dir })
	s.pull("postgres:15")
	s.get("/storage").lacks(t, "Damaged blobs")
	target, err := s.store.Target(t.Context(), image.Reference{Repository: "docker.io/library/postgres", Tag: "15"})
	if err != nil {
		t.Fatal(err)
	}
	layer, config := s.layerOf("postgres:15", 0), target.Images[0].ID
	for _, d := range []image.Digest{layer, config} {
		path := filepath.Join(dir, "blobs", "sha256", d.Encoded())
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		raw[len(raw)/2] ^= 1
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Now(), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.store.ProveBlob(t.Context(), image.Descriptor{Digest: d, Size: int64(len(raw))}, nil); err != nil {
			t.Fatal(err)
		}
	}
	const pullAgain = `href="/pull?ref=postgres:15&amp;platform=linux/amd64"`
	s.get("/storage").is(t, http.StatusOK, "Damaged blobs", "2 blobs", string(layer), string(config), pullAgain)
	s.get("/images/docker.io/library/postgres:15").is(t, http.StatusInternalServerError, "2 parts of this image are not what was stored", string(layer), "This cannot be shown", pullAgain)
	s.get("/images/docker.io/library/postgres:15/manifest").is(t, http.StatusOK, "2 parts of this image", pullAgain)
	s.get("/layers/"+string(layer)).is(t, http.StatusOK, "This layer is damaged")
	s.get("/images/docker.io/library/postgres:15/archive").is(t, http.StatusConflict, "missing on this server")
	s.get("/storage", "Accept-Language", "ko").is(t, http.StatusOK, "손상된 블롭")
	s.pull("postgres:15")
	s.get("/storage").lacks(t, "Damaged blobs")
	s.get("/images/docker.io/library/postgres:15").is(t, http.StatusOK)
}
