package blob

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stowage/stowage/image"
)

func TestHasNeedsTheExactSize(t *testing.T) {
	s := open(t, t.TempDir())
	d := store(t, s, []byte("blob"))
	for size, want := range map[int64]bool{-1: true, 0: false, 3: false, 4: true, 5: false} {
		if got := s.Has(d, size); got != want {
			t.Errorf("Has(%d) = %v", size, got)
		}
	}
	if size, err := s.Size(d); err != nil || size != 4 {
		t.Errorf("Size = %d, %v", size, err)
	}
}

func TestWhatIsNotStoredIsNotFound(t *testing.T) {
	s := open(t, t.TempDir())
	wantNotStored(t, s, image.DigestOf([]byte("x")))
}

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
			if err := plant(s.blobPath(d.Encoded())); err != nil {
				t.Fatal(err)
			}
			wantNotStored(t, s, d)
			if _, err := os.Lstat(s.blobPath(d.Encoded())); err != nil {
				t.Errorf("it was removed: %v", err)
			}
		})
	}
}

func TestReadAllRefusesWhatIsOverItsLimit(t *testing.T) {
	s := open(t, t.TempDir())
	d := store(t, s, []byte("blob"))
	wantBlob(t, s, d, []byte("blob"))
	_, err := s.ReadAll(d, 3)
	wantKind(t, err, image.TooLarge)
}

func TestReadAllNoticesADamagedBlob(t *testing.T) {
	s := open(t, t.TempDir())
	d := image.DigestOf([]byte("blob"))
	if err := os.WriteFile(s.blobPath(d.Encoded()), []byte("blub"), 0o444); err != nil {
		t.Fatal(err)
	}
	_, err := s.ReadAll(d, 4)
	wantKind(t, err, image.Damaged)
}

func TestOpenReadsFromAnyPlace(t *testing.T) {
	s := open(t, t.TempDir())
	d := store(t, s, []byte("0123456789"))
	f, err := s.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if freed, err := s.Remove(d); freed != 10 || err != nil { // under the reader
		t.Fatalf("Remove = %d, %v", freed, err)
	}
	part := make([]byte, 3)
	if _, err := f.ReadAt(part, 6); err != nil || string(part) != "678" {
		t.Fatalf("ReadAt = %q, %v", part, err)
	}
	if _, err := f.WriteString("x"); err == nil {
		t.Fatal("a blob can be written")
	}
	wantNotStored(t, s, d)
}

func TestErrorsDoNotNameFilesOfTheServerToPeople(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	_, err := s.Open(image.DigestOf([]byte("x")))
	if image.KindOf(err) == image.Internal || strings.Contains(err.Error(), dir) {
		t.Fatalf("shown: %v", err)
	}
}
