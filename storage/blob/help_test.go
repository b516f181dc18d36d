package blob

import (
	"bytes"
	"encoding/hex"
	"io"
	"testing"

	"github.com/stowage/stowage/image"
)

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func writer(t testing.TB, s *Store, d image.Digest, size int64) *Writer {
	t.Helper()
	w, err := s.Partials.Writer(d, size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func write(t testing.TB, w io.Writer, p []byte) {
	t.Helper()
	if n, err := w.Write(p); err != nil || n != len(p) {
		t.Fatalf("Write of %d bytes = %d, %v", len(p), n, err)
	}
}

// store commits raw and gives its digest.
func store(t testing.TB, s *Store, raw []byte) image.Digest {
	t.Helper()
	d := image.DigestOf(raw)
	w := writer(t, s, d, int64(len(raw)))
	write(t, w, raw)
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return d
}

func wantKind(t testing.TB, err error, want image.Kind) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one of kind %s", want)
	}
	if got := image.KindOf(err); got != want {
		t.Fatalf("error %q has kind %s, want %s", err, got, want)
	}
}

func wantBlob(t testing.TB, s *Store, d image.Digest, want []byte) {
	t.Helper()
	got, err := s.ReadAll(d, int64(len(want)))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("blob %s holds other bytes than were stored", d)
	}
}

func hexDigits(sum []byte) string { return hex.EncodeToString(sum) }
