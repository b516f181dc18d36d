package blob

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stowage/stowage/image"
)

func wantNotStored(t *testing.T, s *Store, d image.Digest) {
	t.Helper()
	if s.Has(d, -1) {
		t.Error("Has tells of it")
	}
	_, err := s.Size(d)
	wantKind(t, err, image.NotFound)
	_, err = s.Open(d)
	wantKind(t, err, image.NotFound)
	_, err = s.ReadAll(d, 10)
	wantKind(t, err, image.NotFound)
	if freed, err := s.Remove(d); freed != 0 || err != nil {
		t.Errorf("Remove = %d, %v", freed, err)
	}
}

func TestOnlyRegularFilesAreBlobs(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := image.DigestOf([]byte("secret"))
	for name, plant := range map[string]func(path string) error{
		"link":   func(path string) error { return os.Symlink(secret, path) },
		"folder": func(path string) error { return os.Mkdir(path, 0o755) },
		"pipe":   func(path string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			if err := plant(s.Folder.blobPath(d.Encoded())); err != nil {
				t.Fatal(err)
			}
			wantNotStored(t, s, d)
			if _, err := os.Lstat(s.Folder.blobPath(d.Encoded())); err != nil {
				t.Errorf("it was removed: %v", err)
			}
		})
	}
}

func TestReadAllNoticesADamagedBlob(t *testing.T) {
	s := open(t, t.TempDir())
	d := image.DigestOf([]byte("blob"))
	if err := os.WriteFile(s.Folder.blobPath(d.Encoded()), []byte("blub"), 0o444); err != nil {
		t.Fatal(err)
	}
	_, err := s.ReadAll(d, 4)
	wantKind(t, err, image.Damaged)
}

func TestErrorsDoNotNameFilesOfTheServerToPeople(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	_, err := s.Open(image.DigestOf([]byte("x")))
	if image.KindOf(err) == image.Internal || strings.Contains(err.Error(), dir) {
		t.Fatalf("shown: %v", err)
	}
}
