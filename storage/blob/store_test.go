package blob

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
)

// wantLayout reads the folder as another tool would.
func wantLayout(t *testing.T, dir string) ocispec.Index {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "oci-layout"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(raw)); got != `{"imageLayoutVersion":"1.0.0"}` {
		t.Fatalf("oci-layout = %s", got)
	}
	if info, err := os.Stat(filepath.Join(dir, "blobs", "sha256")); err != nil || !info.IsDir() {
		t.Fatalf("blobs/sha256 is no folder: %v", err)
	}
	return readIndex(t, dir)
}

func readIndex(t testing.TB, dir string) ocispec.Index {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index ocispec.Index
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatalf("index.json: %v", err)
	}
	if index.SchemaVersion != 2 || index.MediaType != ocispec.MediaTypeImageIndex || index.Manifests == nil {
		t.Fatalf("index.json has schema version %d, media type %q, manifests %v", index.SchemaVersion, index.MediaType, index.Manifests)
	}
	return index
}

func TestOpenMakesAnEmptyImageLayout(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	s := open(t, dir)
	if index := wantLayout(t, dir); len(index.Manifests) != 0 {
		t.Fatalf("a new index.json lists %d manifests", len(index.Manifests))
	}
	store(t, s, []byte("blob"))
}

func TestOpenKeepsWhatTheFolderHolds(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	d := store(t, s, []byte("blob"))
	if err := s.WriteIndex(t.Context(), descriptors(3)); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	wantBlob(t, s, d, []byte("blob"))
	if index := wantLayout(t, dir); len(index.Manifests) != 3 {
		t.Fatalf("index.json lists %d manifests after opening again, want 3", len(index.Manifests))
	}
}

func TestOpenFinishesAnInterruptedOpen(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"oci-layout.tmp", "index.json.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{half"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	open(t, dir)
	wantLayout(t, dir)
}

func TestOpenRefusesAForeignLayoutAndLeavesIt(t *testing.T) {
	for name, content := range map[string]string{
		"other version": `{"imageLayoutVersion":"2.0.0"}`,
		"no version":    `{}`,
		"not JSON":      `layout`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "oci-layout")
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Open(dir)
			wantKind(t, err, image.Invalid)
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			if raw, _ := os.ReadFile(path); len(entries) != 1 || string(raw) != content {
				t.Fatalf("the refused folder was changed: %v, oci-layout = %s", entries, raw)
			}
		})
	}
}

func TestOpenRefusesAFileInPlaceOfAFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "blobs"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Open(dir)
	wantKind(t, err, image.Internal)
}

func TestFreeGivesTheVolumesSpace(t *testing.T) {
	free, total, err := open(t, t.TempDir()).Volume.Free()
	if err != nil {
		t.Fatal(err)
	}
	if total == 0 || free > total {
		t.Fatalf("free %d of %d bytes", free, total)
	}
}
