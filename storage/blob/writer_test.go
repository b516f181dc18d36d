package blob

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stowage/stowage/image"
)

func TestCommitStoresAReadOnlyBlobAndLeavesNoPartial(t *testing.T) {
	s := open(t, t.TempDir())
	raw := bytes.Repeat([]byte("layer "), 10_000)
	d := store(t, s, raw)
	wantBlob(t, s, d, raw)
	info, err := os.Lstat(filepath.Join(s.Folder.dir, "blobs", "sha256", d.Encoded()))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o400 {
		t.Errorf("a stored blob has mode %v, want -r--------", info.Mode())
	}
	wantEmptyIngest(t, s)
}

func wantEmptyIngest(t *testing.T, s *Store) {
	t.Helper()
	entries, err := os.ReadDir(s.Folder.ingest)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 0 {
		t.Fatalf("left in the ingest folder: %v", entries)
	}
}

func TestWriterContinuesAPartialThatACrashLeftReadOnly(t *testing.T) {
	s := open(t, t.TempDir())
	raw := []byte("all of it")
	d := image.DigestOf(raw)
	if err := os.WriteFile(s.Folder.partialPath(d.Encoded()), raw, 0o444); err != nil {
		t.Fatal(err)
	}
	w := writer(t, s, d, int64(len(raw)))
	info, err := os.Stat(w.path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 || w.Offset() != w.size {
		t.Fatalf("the partial has mode %v and offset %d", info.Mode(), w.Offset())
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	wantBlob(t, s, d, raw)
}

func TestAPartialThatCannotBeTheBlobIsDiscarded(t *testing.T) {
	raw := bytes.Repeat([]byte("blob"), 1000) // longer than the path in the link
	d := image.DigestOf(raw)
	for name, plant := range map[string]func(t *testing.T, path string){
		"too long": func(t *testing.T, path string) {
			if err := os.WriteFile(path, append(raw[:len(raw):len(raw)], '+'), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"link": func(t *testing.T, path string) {
			target := filepath.Join(t.TempDir(), "target")
			if err := os.WriteFile(target, []byte("bl"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if got, _ := os.ReadFile(target); string(got) != "bl" {
					t.Errorf("the link was followed: its target holds %q", got)
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			plant(t, s.Folder.partialPath(d.Encoded()))
			w := writer(t, s, d, int64(len(raw)))
			if w.Offset() != 0 {
				t.Fatalf("Offset = %d, want 0", w.Offset())
			}
			write(t, w, raw)
			if err := w.Commit(); err != nil {
				t.Fatal(err)
			}
			wantBlob(t, s, d, raw)
		})
	}
}

func TestCommitReplacesADamagedBlob(t *testing.T) {
	s := open(t, t.TempDir())
	raw := []byte("blob")
	d := image.DigestOf(raw)
	if err := os.WriteFile(s.Folder.blobPath(d.Encoded()), []byte("blo"), 0o444); err != nil {
		t.Fatal(err)
	}
	if s.Has(d, 4) {
		t.Fatal("a blob of the wrong size counts as stored")
	}
	store(t, s, raw)
	wantBlob(t, s, d, raw)
}
