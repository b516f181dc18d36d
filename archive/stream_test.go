package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/stowage/stowage/image"
)

func TestABlobThatIsNotWholeIsNeverTheEnd(t *testing.T) {
	layer := bytes.Repeat([]byte("layer"), small)
	for name, spoil := range map[string]func(s *testShelf, d image.Digest){
		"missing": func(s *testShelf, d image.Digest) { delete(s.blobs, d) },
		"short":   func(s *testShelf, d image.Digest) { s.blobs[d] = s.blobs[d][:len(layer)-1] },
		"long":    func(s *testShelf, d image.Digest) { s.blobs[d] = append(s.blobs[d], 0) },
	} {
		s := newShelf()
		i := s.image("a", layer)
		a := archiveOf(t, Docker, Export{Name: ref(t, "app:1"), Target: i.Manifest, Images: []Image{i}})
		spoil(s, i.Layers[0].Digest)
		for way, read := range map[string]func(*Stream) (int64, error){
			"read":   func(st *Stream) (int64, error) { return io.Copy(io.Discard, struct{ io.Reader }{st}) },
			"copied": func(st *Stream) (int64, error) { return st.CopyN(io.Discard, a.Size()) },
		} {
			stream := a.Stream(s.get)
			n, err := read(stream)
			if !errors.Is(err, ErrBlob) || n >= a.Size() {
				t.Errorf("%s, %s: %d of %d bytes, %v", name, way, n, a.Size(), err)
			}
			if err := stream.Close(); err != nil || s.open != 0 {
				t.Errorf("%s, %s: %d blobs are left open, %v", name, way, s.open, err)
			}
		}
	}
}

// shrinking is a file that becomes shorter while it is read.
type shrinking struct {
	*os.File
	t *testing.T
}

func (f *shrinking) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	if n > 0 {
		if err := os.Truncate(f.Name(), 10); err != nil {
			f.t.Error(err)
		}
	}
	return n, err
}

func TestABlobThatBecomesShorterIsAnError(t *testing.T) {
	layer := bytes.Repeat([]byte("layer"), 20*small)
	for _, way := range []string{"read", "copied"} {
		s := newShelf()
		i := s.image("a", layer)
		a := archiveOf(t, Docker, Export{Name: ref(t, "app:1"), Target: i.Manifest, Images: []Image{i}})
		path := filepath.Join(t.TempDir(), "layer")
		if err := os.WriteFile(path, layer, 0o600); err != nil {
			t.Fatal(err)
		}
		stream := a.Stream(func(d image.Digest) (Blob, error) {
			if d != i.Layers[0].Digest {
				return s.get(d)
			}
			f, err := os.Open(path)
			return &shrinking{f, t}, err
		})
		var n int64
		var err error
		if way == "read" {
			n, err = io.Copy(io.Discard, struct{ io.Reader }{stream})
		} else {
			n, err = stream.CopyN(io.Discard, a.Size())
		}
		if !errors.Is(err, ErrBlob) || !errors.Is(err, io.ErrUnexpectedEOF) || n >= a.Size() {
			t.Errorf("%s: %d of %d bytes, %v", way, n, a.Size(), err)
		}
		if err := stream.Close(); err != nil {
			t.Error(err)
		}
	}
}

// refusing is a client that goes away.
type refusing struct{ takes int64 }

var errGone = errors.New("the client is gone")

func (w *refusing) Write(p []byte) (int, error) {
	n := min(int64(len(p)), w.takes)
	w.takes -= n
	if n < int64(len(p)) {
		return int(n), errGone
	}
	return int(n), nil
}

func TestAClientThatGoesIsNotTakenForABrokenBlob(t *testing.T) {
	s := newShelf()
	i := s.image("a", bytes.Repeat([]byte("layer"), small))
	a := archiveOf(t, Docker, Export{Name: ref(t, "app:1"), Target: i.Manifest, Images: []Image{i}})
	whole := s.read(t, a)
	for _, takes := range []int64{0, 100, 5000, a.Size() / 2, a.Size() - 1} {
		stream := a.Stream(s.get)
		n, err := stream.CopyN(&refusing{takes}, a.Size())
		if !errors.Is(err, errGone) || errors.Is(err, ErrBlob) || n != takes {
			t.Errorf("after %d bytes: %d, %v", takes, n, err)
		}
		// What was not taken can still be read.
		if _, err := stream.Seek(takes, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(stream); err != nil || !bytes.Equal(rest, whole[takes:]) {
			t.Errorf("after %d bytes the rest is %d bytes, %v", takes, len(rest), err)
		}
		if err := stream.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestSeekingBeforeTheBeginningIsRefused(t *testing.T) {
	s := newShelf()
	i := s.image("a")
	stream := archiveOf(t, Docker, Export{Target: i.Manifest, Images: []Image{i}}).Stream(s.get)
	for _, c := range []struct {
		offset int64
		whence int
	}{{-1, io.SeekStart}, {-1 << 40, io.SeekEnd}, {0, 7}} {
		if _, err := stream.Seek(c.offset, c.whence); err == nil {
			t.Errorf("seek to %d from %d was done", c.offset, c.whence)
		}
	}
	if n, err := stream.Seek(10, io.SeekEnd); err != nil || n <= 10 {
		t.Fatalf("after the end: %d, %v", n, err)
	}
	if n, err := stream.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("read after the end: %d, %v", n, err)
	}
}

// huge is a blob of zeros that nobody could keep.
type huge struct{ at, size int64 }

func (h *huge) Read(p []byte) (int, error) {
	if h.at >= h.size {
		return 0, io.EOF
	}
	n := min(int64(len(p)), h.size-h.at)
	clear(p[:n])
	h.at += n
	return int(n), nil
}

func (h *huge) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += h.at
	case io.SeekEnd:
		offset += h.size
	}
	h.at = offset
	return offset, nil
}

func (h *huge) Close() error { return nil }

func TestALayerOverEightGiBIsReadByOthersToo(t *testing.T) {
	s := newShelf()
	i := s.image("a", []byte("small"))
	i.Layers = append([]image.Descriptor{{Digest: image.DigestOf([]byte("huge")), Size: 9<<30 + 1}}, i.Layers...)
	a := archiveOf(t, Docker, Export{Name: ref(t, "app:1"), Target: i.Manifest, Images: []Image{i}})
	stream := a.Stream(func(d image.Digest) (Blob, error) {
		if d == i.Layers[0].Digest {
			return &huge{size: 9<<30 + 1}, nil
		}
		return s.get(d)
	})
	defer stream.Close()
	sizes := map[string]int64{}
	r := tar.NewReader(stream) // which seeks over what nobody reads
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		sizes[h.Name] = h.Size
	}
	for _, l := range i.Layers {
		if sizes[blobName(l.Digest)] != l.Size {
			t.Errorf("%s has %d bytes, want %d", l.Digest, sizes[blobName(l.Digest)], l.Size)
		}
	}
}

func TestTenThousandBlobsTakeLittleMemory(t *testing.T) {
	const blobs, each = 10_000, 1000 // bytes
	var images []Image
	for n := range blobs / 10 {
		i := Image{Manifest: image.Descriptor{Digest: image.DigestOf(fmt.Appendf(nil, "m%d", n))},
			Config: image.Descriptor{Digest: image.DigestOf(fmt.Appendf(nil, "c%d", n))}}
		for l := range 8 {
			i.Layers = append(i.Layers, image.Descriptor{Digest: image.DigestOf(fmt.Appendf(nil, "%d %d", n, l)), Size: 1 << 30})
		}
		images = append(images, i)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	a := archiveOf(t, Docker, Export{Target: images[0].Manifest, Images: images})
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > blobs*each {
		t.Errorf("%d blobs take %d bytes", len(a.Blobs()), grown)
	}
	if len(a.Blobs()) != blobs || a.Size() < 8000<<30 {
		t.Errorf("%d blobs, %d bytes", len(a.Blobs()), a.Size())
	}
}

func TestACompressedArchiveIsTheSameInside(t *testing.T) {
	s := newShelf()
	i := s.image("a", bytes.Repeat([]byte("layer"), small))
	a := archiveOf(t, Docker, Export{Name: ref(t, "app:1"), Target: i.Manifest, Images: []Image{i}})
	for c, unpack := range map[Compression]func(io.Reader) (io.Reader, error){
		Gzip: func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		Zstd: func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
	} {
		var packed bytes.Buffer
		w, err := c.Writer(&packed)
		if err != nil {
			t.Fatal(err)
		}
		stream := a.Stream(s.get)
		if _, err := stream.CopyN(w, a.Size()); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Close(), stream.Close()); err != nil {
			t.Fatal(err)
		}
		r, err := unpack(&packed)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, s.read(t, a)) {
			t.Errorf("%s: %d bytes, %v", c, len(got), err)
		}
	}
}

func TestFormatsAndCompressionsAreReadByName(t *testing.T) {
	for s, want := range map[string]Format{"": Docker, "docker": Docker, "oci": OCI} {
		if got, err := ParseFormat(s); err != nil || got != want {
			t.Errorf("format %q: %q, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "gzip", "zstd"} {
		if got, err := ParseCompression(s); err != nil || string(got) != s {
			t.Errorf("compression %q: %q, %v", s, got, err)
		}
	}
	if _, err := ParseFormat("zip"); image.KindOf(err) != image.Invalid {
		t.Error(err)
	}
	if _, err := ParseCompression("xz"); image.KindOf(err) != image.Invalid {
		t.Error(err)
	}
}
