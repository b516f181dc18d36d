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
	info, err := os.Lstat(filepath.Join(s.dir, "blobs", "sha256", d.Encoded()))
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
	entries, err := os.ReadDir(s.ingest)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 0 {
		t.Fatalf("left in the ingest folder: %v", entries)
	}
}

func TestABlobOfNoBytesIsStored(t *testing.T) {
	s := open(t, t.TempDir())
	if d := store(t, s, nil); !s.Has(d, 0) {
		t.Fatal("the empty blob is not stored")
	}
}

func TestWriterContinuesWhereAnEarlierOneStopped(t *testing.T) {
	dir := t.TempDir()
	raw := bytes.Repeat([]byte("0123456789"), 100_000) // several times the buffer that reads it back
	d, half := image.DigestOf(raw), len(raw)/2
	first := writer(t, open(t, dir), d, int64(len(raw)))
	write(t, first, raw[:half])
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	s := open(t, dir) // as after a restart
	if got := s.Partial(d); got != int64(half) {
		t.Fatalf("Partial = %d, want %d", got, half)
	}
	second := writer(t, s, d, int64(len(raw)))
	if got := second.Offset(); got != int64(half) {
		t.Fatalf("Offset = %d, want %d", got, half)
	}
	write(t, second, raw[half:])
	if err := second.Commit(); err != nil {
		t.Fatal(err)
	}
	wantBlob(t, s, d, raw)
	if got := s.Partial(d); got != 0 {
		t.Fatalf("Partial = %d after Commit", got)
	}
}

func TestWriterContinuesAPartialThatACrashLeftReadOnly(t *testing.T) {
	s := open(t, t.TempDir())
	raw := []byte("all of it")
	d := image.DigestOf(raw)
	if err := os.WriteFile(s.partialPath(d.Encoded()), raw, 0o444); err != nil {
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
			plant(t, s.partialPath(d.Encoded()))
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

func TestWrongBytesAreCorruptAndGone(t *testing.T) {
	s := open(t, t.TempDir())
	right, wrong := []byte("right"), []byte("wrong")
	d := image.DigestOf(right)
	w := writer(t, s, d, 5)
	write(t, w, wrong)
	wantKind(t, w.Commit(), image.Corrupt)
	if w.Offset() != 0 || s.Partial(d) != 0 || s.Has(d, -1) {
		t.Fatal("something of a corrupt blob stayed")
	}
	wantEmptyIngest(t, s)

	if err := w.Restart(); err != nil { // the same writer may try again
		t.Fatal(err)
	}
	write(t, w, right)
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	wantBlob(t, s, d, right)
}

func TestTooFewBytesAreCorruptAndGone(t *testing.T) {
	s := open(t, t.TempDir())
	d := image.DigestOf([]byte("whole"))
	w := writer(t, s, d, 5)
	write(t, w, []byte("who"))
	wantKind(t, w.Commit(), image.Corrupt)
	if w.Offset() != 0 || s.Has(d, -1) {
		t.Fatal("something of a short blob stayed")
	}
	wantEmptyIngest(t, s)
}

func TestTooManyBytesAreCorruptAndGone(t *testing.T) {
	s := open(t, t.TempDir())
	d := image.DigestOf([]byte("whole"))
	w := writer(t, s, d, 5)
	write(t, w, []byte("who"))
	n, err := w.Write([]byte("le!"))
	wantKind(t, err, image.Corrupt)
	if n != 0 || w.Offset() != 0 {
		t.Fatalf("Write = %d, Offset = %d", n, w.Offset())
	}
	wantEmptyIngest(t, s)
	if _, err := w.Write([]byte("w")); err == nil {
		t.Fatal("a corrupt writer takes bytes without Restart")
	}
	if err := w.Commit(); err == nil {
		t.Fatal("a corrupt writer can be committed")
	}
}

func TestTheSizeMustMatchTooWhereTheDigestDoes(t *testing.T) {
	s := open(t, t.TempDir())
	raw := []byte("whole")
	w := writer(t, s, image.DigestOf(raw), 6)
	write(t, w, raw)
	wantKind(t, w.Commit(), image.Corrupt)
}

func TestRestartForgetsWhatIsThere(t *testing.T) {
	s := open(t, t.TempDir())
	raw := []byte("blob")
	d := image.DigestOf(raw)
	w := writer(t, s, d, 4)
	write(t, w, []byte("xxx"))
	if err := w.Restart(); err != nil {
		t.Fatal(err)
	}
	if w.Offset() != 0 || s.Partial(d) != 0 {
		t.Fatalf("after Restart: Offset %d, Partial %d", w.Offset(), s.Partial(d))
	}
	write(t, w, raw)
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	wantBlob(t, s, d, raw)
}

func TestOneWriterPerDigest(t *testing.T) {
	s := open(t, t.TempDir())
	raw := []byte("blob")
	d := image.DigestOf(raw)
	first := writer(t, s, d, 4)
	_, err := s.Writer(d, 4)
	wantKind(t, err, image.Conflict)
	_, err = s.RemovePartial(d)
	wantKind(t, err, image.Conflict)
	writer(t, s, image.DigestOf([]byte("other")), 5)

	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := writer(t, s, d, 4)
	write(t, second, raw)
	if err := second.Commit(); err != nil {
		t.Fatal(err)
	}
	writer(t, s, d, 4) // Commit gave it up too
}

func TestClosingAFinishedWriterHarmsNothing(t *testing.T) {
	s := open(t, t.TempDir())
	raw := []byte("blob")
	d := image.DigestOf(raw)
	first := writer(t, s, d, 4)
	write(t, first, raw)
	if err := first.Commit(); err != nil {
		t.Fatal(err)
	}
	second := writer(t, s, d, 4)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Writer(d, 4); image.KindOf(err) != image.Conflict {
		t.Fatalf("closing the first writer gave up the second: %v", err)
	}
	for _, err := range []error{first.Restart(), first.Commit(), second.Close(), second.Close()} {
		if err != nil && image.KindOf(err) != image.Internal {
			t.Fatal(err)
		}
	}
	if first.Restart() == nil {
		t.Fatal("a committed writer can be restarted")
	}
	wantBlob(t, s, d, raw)
}

func TestAWriterThatReceivedNothingLeavesNothing(t *testing.T) {
	s := open(t, t.TempDir())
	if err := writer(t, s, image.DigestOf([]byte("x")), 1).Close(); err != nil {
		t.Fatal(err)
	}
	wantEmptyIngest(t, s)
}

func TestImpossibleSizesAreRefused(t *testing.T) {
	s := open(t, t.TempDir())
	d := image.DigestOf([]byte("x"))
	_, err := s.Writer(d, -1)
	wantKind(t, err, image.Invalid)
	_, err = s.Writer(d, image.MaxBlobSize+1)
	wantKind(t, err, image.TooLarge)
	writer(t, s, d, 1) // a refusal holds nothing
}

func TestCommitReplacesADamagedBlob(t *testing.T) {
	s := open(t, t.TempDir())
	raw := []byte("blob")
	d := image.DigestOf(raw)
	if err := os.WriteFile(s.blobPath(d.Encoded()), []byte("blo"), 0o444); err != nil {
		t.Fatal(err)
	}
	if s.Has(d, 4) {
		t.Fatal("a blob of the wrong size counts as stored")
	}
	store(t, s, raw)
	wantBlob(t, s, d, raw)
}
