package blob

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
)

// plant puts a blob into place without the cost of making it durable.
func plant(t testing.TB, s *Store, raw []byte) image.Digest {
	t.Helper()
	d := image.DigestOf(raw)
	if err := os.WriteFile(s.Folder.blobPath(d.Encoded()), raw, 0o444); err != nil {
		t.Fatal(err)
	}
	return d
}

// plantMany returns count names, as many blobs have, to the bytes of a few files, which is faster than making
// as many files.
func plantMany(t testing.TB, s *Store, count int) map[image.Digest]int64 {
	t.Helper()
	const perFile = 1000 // far below what a file system allows
	sizes := map[image.Digest]int64{}
	var path string
	for i := range count {
		d, size := image.DigestOf(fmt.Appendf(nil, "name %d", i)), int64(i/perFile)
		sizes[d] = size
		if i%perFile == 0 {
			path = s.Folder.blobPath(d.Encoded())
			if err := os.WriteFile(path, make([]byte, size), 0o444); err != nil {
				t.Fatal(err)
			}
		} else if err := os.Link(path, s.Folder.blobPath(d.Encoded())); err != nil {
			t.Fatal(err)
		}
	}
	return sizes
}

func TestWalkVisitsEveryBlobOnce(t *testing.T) {
	const count = 10_000
	s := open(t, t.TempDir())
	want := plantMany(t, s, count)
	strays, err := s.Walk(t.Context(), func(d image.Digest, size int64, modTime time.Time) error {
		if known, ok := want[d]; !ok || known != size {
			t.Errorf("%s with %d bytes: unknown, visited twice or of another size", d, size)
		}
		if age := time.Since(modTime); age < -time.Minute || age > time.Hour {
			t.Errorf("%s was written %v ago", d, age)
		}
		delete(want, d)
		return nil
	})
	if err != nil || strays != 0 || len(want) != 0 {
		t.Fatalf("Walk = %d strays, %v; %d blobs not visited", strays, err, len(want))
	}
}

func TestWalkLetsItsVisitorRemove(t *testing.T) {
	s := open(t, t.TempDir())
	plantMany(t, s, 3000) // more than one chunk
	remove := func(d image.Digest, size int64, _ time.Time) error {
		if freed, err := s.Remove(d); err != nil || freed != size {
			return fmt.Errorf("remove freed %d: %w", freed, err)
		}
		return nil
	}
	if _, err := s.Walk(t.Context(), remove); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(s.Folder.blobs)
	if err != nil || len(entries) != 0 {
		t.Fatalf("%d blobs stayed, %v", len(entries), err)
	}
}

func TestWalkCountsStraysAndLeavesThem(t *testing.T) {
	s := open(t, t.TempDir())
	d := plant(t, s, []byte("blob"))
	hex := d.Encoded()
	for _, name := range []string{"notes.txt", hex[1:], hex + "0", strings.ToUpper(hex), hex + ".partial"} {
		if err := os.WriteFile(filepath.Join(s.Folder.blobs, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link := strings.Repeat("a", 64)
	if err := os.Symlink(s.Folder.blobPath(hex), s.Folder.blobPath(link)); err != nil {
		t.Fatal(err)
	}
	visits := 0
	strays, err := s.Walk(t.Context(), func(got image.Digest, _ int64, _ time.Time) error {
		visits++
		if got != d {
			t.Errorf("visited %s", got)
		}
		return nil
	})
	if err != nil || visits != 1 || strays != 6 {
		t.Fatalf("%d visits, %d strays, %v; want 1 and 6", visits, strays, err)
	}
	if entries, err := os.ReadDir(s.Folder.blobs); err != nil || len(entries) != 7 {
		t.Fatalf("%d entries are left, %v; want 7", len(entries), err)
	}
}

func TestPartialsAreListedAndRemoved(t *testing.T) {
	s := open(t, t.TempDir())
	d := image.DigestOf([]byte("blob"))
	w := writer(t, s, d, 4)
	write(t, w, []byte("bl"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.Folder.ingest, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	visits := 0
	if err := s.Partials.Walk(t.Context(), func(got image.Digest, size int64, modTime time.Time) error {
		visits++
		if got != d || size != 2 || time.Since(modTime) > time.Hour {
			t.Errorf("visited %s, %d bytes, %v", got, size, modTime)
		}
		return nil
	}); err != nil || visits != 1 {
		t.Fatalf("%d visits, %v", visits, err)
	}
	for _, want := range []int64{2, 0} {
		if freed, err := s.Partials.Remove(d); freed != want || err != nil {
			t.Fatalf("RemovePartial = %d, %v, want %d", freed, err, want)
		}
	}
	if s.Partials.Size(d) != 0 {
		t.Fatal("the partial is still there")
	}
	writer(t, s, d, 4) // removing gave the digest up
}
