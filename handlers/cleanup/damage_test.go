package cleanup_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage"
	"github.com/stowage/stowage/test/pages"
)

func TestPagesNameWhatIsDamagedOnTheDiskAndLeadToPullingItAgain(t *testing.T) {
	dir := t.TempDir()
	s := pages.New(t, func(o *storage.Options) { o.Dir = dir })
	s.Pull("postgres:15")
	s.Get("/storage").Lacks(t, "Damaged blobs")
	target, err := s.Store.Images.Target(t.Context(), image.Reference{Repository: "docker.io/library/postgres", Tag: "15"})
	if err != nil {
		t.Fatal(err)
	}
	layer, config := s.Layer("postgres:15", 0), target.Images[0].ID
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
		if _, err := s.Store.Blobs.ProveBlob(t.Context(), image.Descriptor{Digest: d, Size: int64(len(raw))}, nil); err != nil {
			t.Fatal(err)
		}
	}
	const pullAgain = `href="/pull?ref=postgres:15&amp;platform=linux/amd64"`
	s.Get("/storage").Is(t, http.StatusOK, "Damaged blobs", "2 blobs", string(layer), string(config), pullAgain)
	s.Get("/images/docker.io/library/postgres:15").Is(t, http.StatusInternalServerError, "2 parts of this image are not what was stored", string(layer), "This cannot be shown", pullAgain)
	s.Get("/images/docker.io/library/postgres:15/manifest").Is(t, http.StatusOK, "2 parts of this image", pullAgain)
	s.Get("/layers/"+string(layer)).Is(t, http.StatusOK, "This layer is damaged")
	s.Get("/images/docker.io/library/postgres:15/archive").Is(t, http.StatusConflict, "missing on this server")
	s.Get("/storage", "Accept-Language", "ko").Is(t, http.StatusOK, "손상된 블롭")
	s.Pull("postgres:15")
	s.Get("/storage").Lacks(t, "Damaged blobs")
	s.Get("/images/docker.io/library/postgres:15").Is(t, http.StatusOK)
}
