package archive

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
)

// testShelf is blobs in memory, and how many of them are open.
type testShelf struct {
	blobs map[image.Digest][]byte
	open  int
}

func newShelf() *testShelf { return &testShelf{blobs: map[image.Digest][]byte{}} }

func (s *testShelf) put(mediaType string, raw []byte) image.Descriptor {
	d := image.DigestOf(raw)
	s.blobs[d] = raw
	return image.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(raw))}
}

// blob counts itself out when it is closed.
type blob struct {
	*bytes.Reader
	shelf *testShelf
}

func (b blob) Close() error {
	b.shelf.open--
	return nil
}

func (s *testShelf) get(d image.Digest) (Blob, error) {
	raw, ok := s.blobs[d]
	if !ok {
		return nil, fmt.Errorf("no blob %s", d)
	}
	s.open++
	return blob{bytes.NewReader(raw), s}, nil
}

// image makes an image of these layers.
func (s *testShelf) image(name string, layers ...[]byte) Image {
	i := Image{
		Manifest: s.put(ocispec.MediaTypeImageManifest, []byte("manifest of "+name)),
		Config:   s.put(ocispec.MediaTypeImageConfig, []byte("config of "+name)),
	}
	for _, l := range layers {
		i.Layers = append(i.Layers, s.put(ocispec.MediaTypeImageLayerGzip, l))
	}
	return i
}

func ref(t *testing.T, s string) image.Reference {
	t.Helper()
	r, err := image.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func archiveOf(t *testing.T, f Format, exports ...Export) *Archive {
	t.Helper()
	a, err := New(exports, f)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// read reads an archive whole.
func (s *testShelf) read(t *testing.T, a *Archive) []byte {
	t.Helper()
	stream := a.Stream(s.get)
	raw, err := io.ReadAll(stream)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
	if s.open != 0 {
		t.Errorf("%d blobs are left open", s.open)
	}
	return raw
}

// files takes a tar apart.
func files(t *testing.T, raw []byte) (names []string, content map[string][]byte) {
	t.Helper()
	content = map[string][]byte{}
	r := tar.NewReader(bytes.NewReader(raw))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names, content
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.ModTime.Unix() != 0 || h.Uid != 0 || h.Gid != 0 || h.Uname != "" {
			t.Errorf("%s tells when or by whom it was made: %+v", h.Name, h)
		}
		if _, twice := content[h.Name]; twice {
			t.Errorf("%s is there twice", h.Name)
		}
		names = append(names, h.Name)
		if content[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

// random makes exports with layers of all kinds of sizes, some of them shared.
func random(s *testShelf, r *rand.Rand) []Export {
	sizes := []int{0, 1, 511, 512, 513, 1024, 5000, small, small + 1, 3*small + 17}
	var pool [][]byte
	for range 1 + r.IntN(8) {
		raw := make([]byte, sizes[r.IntN(len(sizes))])
		for i := range raw {
			raw[i] = byte(r.Uint32())
		}
		pool = append(pool, raw)
	}
	var exports []Export
	for n := range 1 + r.IntN(4) {
		e := Export{Name: image.Reference{Repository: "docker.io/library/app", Tag: fmt.Sprint(n)}}
		for p := range 1 + r.IntN(3) {
			var layers [][]byte
			for range r.IntN(5) {
				layers = append(layers, pool[r.IntN(len(pool))])
			}
			e.Images = append(e.Images, s.image(fmt.Sprint(n, p, len(layers)), layers...))
		}
		e.Target = s.put(ocispec.MediaTypeImageIndex, fmt.Appendf(nil, "index %d %d", n, len(e.Images)))
		e.Indexes = []image.Descriptor{e.Target}
		exports = append(exports, e)
	}
	return exports
}

func TestTheDeclaredSizeIsWhatIsReadFromAnyOffset(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 7))
		s := newShelf()
		exports := random(s, r)
		a := archiveOf(t, Docker, exports...)
		whole := s.read(t, a)
		if int64(len(whole)) != a.Size() {
			t.Fatalf("seed %d: %d bytes were read, %d declared", seed, len(whole), a.Size())
		}
		if again := archiveOf(t, Docker, exports...); again.Digest() != a.Digest() || !bytes.Equal(whole, s.read(t, again)) {
			t.Fatalf("seed %d: made again, the archive is another", seed)
		}
		stream := a.Stream(s.get)
		for range 40 {
			from := r.Int64N(a.Size() + 1)
			n := min(r.Int64N(2*small), a.Size()-from)
			if _, err := stream.Seek(from, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, n)
			if _, err := io.ReadFull(stream, got); err != nil || !bytes.Equal(got, whole[from:from+n]) {
				t.Fatalf("seed %d: read %d bytes from %d: %v", seed, n, from, err)
			}
			var copied bytes.Buffer
			if _, err := stream.Seek(from, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			if k, err := stream.CopyN(&copied, n); err != nil || k != n || !bytes.Equal(copied.Bytes(), whole[from:from+n]) {
				t.Fatalf("seed %d: copied %d of %d bytes from %d: %v", seed, k, n, from, err)
			}
		}
		if err := errors.Join(stream.Close(), stream.Close()); err != nil || s.open != 0 {
			t.Fatalf("seed %d: %d blobs are left open, %v", seed, s.open, err)
		}
	}
}

func TestAStreamReadsAsReadersDo(t *testing.T) {
	s := newShelf()
	a := archiveOf(t, Docker, random(s, rand.New(rand.NewPCG(3, 3)))...)
	if err := iotest.TestReader(a.Stream(s.get), s.read(t, a)); err != nil {
		t.Error(err)
	}
}

func TestEachBlobIsInTheArchiveOnceUnderItsDigest(t *testing.T) {
	s := newShelf()
	base, top := []byte("base"), bytes.Repeat([]byte("top"), 40_000)
	a, b := s.image("a", base, top), s.image("b", base, base, []byte("b"))
	index := s.put(ocispec.MediaTypeImageIndex, []byte("the index as it came"))
	archive := archiveOf(t, Docker,
		Export{Name: ref(t, "app:1"), Target: index, Indexes: []image.Descriptor{index}, Images: []Image{b, a}},
		Export{Name: ref(t, "ghcr.io/org/other:2"), Target: a.Manifest, Images: []Image{a},
			Others: []image.Descriptor{s.put("", []byte("attestation"))}},
	)
	names, content := files(t, s.read(t, archive))
	if want := []string{"oci-layout", "index.json", "manifest.json", "blobs/", "blobs/sha256/"}; !slices.Equal(names[:5],
		want) {
		t.Errorf("the archive begins with %q", names[:5])
	}
	if len(names) != 5+len(s.blobs) || len(archive.Blobs()) != len(s.blobs) {
		t.Errorf("%d files, %d blobs, and %d blobs there are", len(names), len(archive.Blobs()), len(s.blobs))
	}
	for d, raw := range s.blobs {
		if got, ok := content["blobs/sha256/"+d.Encoded()]; !ok || !bytes.Equal(got, raw) {
			t.Errorf("%s: %q, %v", d, got, ok)
		}
	}
	place := func(d image.Descriptor) int { return slices.Index(names, blobName(d.Digest)) }
	if place(index) > place(a.Manifest) || place(a.Config) > place(b.Layers[0]) ||
		place(b.Layers[0]) > place(b.Layers[2]) {
		t.Errorf("documents come before layers, bases before what is on them: %q", names)
	}
}

func TestIndexJSONAndManifestJSONNameTheImages(t *testing.T) {
	s := newShelf()
	a, b, bare := s.image("a", []byte("1"), []byte("2"), []byte("1")), s.image("b", []byte("1")), s.image("bare")
	index := s.put(ocispec.MediaTypeImageIndex, []byte("index"))
	digested := ref(t, "app").WithDigest(bare.Manifest.Digest)
	list := Export{Target: index, Indexes: []image.Descriptor{index}, Images: []Image{a, b}}
	first, second, third := list, list, list
	first.Name, second.Name, third.Name = ref(t, "ubuntu:22.04"), ref(t, "ubuntu:latest"), ref(t, "ghcr.io/org/app:latest")
	archive := archiveOf(t, Docker, first, second, third,
		Export{Name: digested, Target: bare.Manifest, Images: []Image{bare}})
	_, content := files(t, s.read(t, archive))

	if got := string(content["oci-layout"]); got != `{"imageLayoutVersion":"1.0.0"}` {
		t.Errorf("oci-layout: %s", got)
	}
	var layout ocispec.Index
	if err := json.Unmarshal(content["index.json"], &layout); err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, d := range layout.Manifests {
		named = append(named, fmt.Sprint(image.ShortDigest(d.Digest), " ", d.Annotations["io.containerd.image.name"], " ",
			d.Annotations["org.opencontainers.image.ref.name"]))
	}
	want := []string{
		image.ShortDigest(index.Digest) + " docker.io/library/ubuntu:22.04 22.04",
		// latest alone would name two
		image.ShortDigest(index.Digest) + " docker.io/library/ubuntu:latest docker.io/library/ubuntu:latest",
		image.ShortDigest(index.Digest) + " ghcr.io/org/app:latest ghcr.io/org/app:latest",
		image.ShortDigest(bare.Manifest.Digest) + "  ",
	}
	if !slices.Equal(named, want) {
		t.Errorf("index.json lists %q", named)
	}
	if layout.SchemaVersion != 2 || layout.MediaType != ocispec.MediaTypeImageIndex ||
		layout.Manifests[3].Annotations != nil {
		t.Errorf("index.json: %s", content["index.json"])
	}
	wantSaved := fmt.Sprintf(`[{"Config":%q,"RepoTags":["docker.io/library/ubuntu:22.04","docker.io/library/ubuntu:latest","ghcr.io/org/app:latest"],"Layers":[%q,%q,%q]},`+
		`{"Config":%q,"RepoTags":null,"Layers":[]}]`, blobName(a.Config.Digest), blobName(a.Layers[0].Digest),
		blobName(a.Layers[1].Digest), blobName(a.Layers[0].Digest), blobName(bare.Config.Digest))
	if got := string(content["manifest.json"]); got != wantSaved {
		t.Errorf("manifest.json is\n%s\nwant\n%s", got, wantSaved)
	}
}

func TestAnOCIArchiveHasNothingOfDockers(t *testing.T) {
	s := newShelf()
	a := s.image("a", []byte("1"))
	names, content := files(t, s.read(t,
		archiveOf(t, OCI, Export{Name: ref(t, "app:1"), Target: a.Manifest, Images: []Image{a}})))
	if _, ok := content["manifest.json"]; ok || len(names) != 4+3 {
		t.Errorf("it has %q", names)
	}
}

func TestArchivesThatDifferHaveOtherDigests(t *testing.T) {
	s := newShelf()
	a, b := s.image("a", []byte("1"), []byte("2")), s.image("b", []byte("2"))
	seen := map[image.Digest]string{}
	for name, archive := range map[string]*Archive{
		"one":            archiveOf(t, Docker, Export{Name: ref(t, "app:1"), Target: a.Manifest, Images: []Image{a}}),
		"another tag":    archiveOf(t, Docker, Export{Name: ref(t, "app:2"), Target: a.Manifest, Images: []Image{a}}),
		"another image":  archiveOf(t, Docker, Export{Name: ref(t, "app:1"), Target: b.Manifest, Images: []Image{b}}),
		"another format": archiveOf(t, OCI, Export{Name: ref(t, "app:1"), Target: a.Manifest, Images: []Image{a}}),
		"without a name": archiveOf(t, Docker, Export{Target: a.Manifest, Images: []Image{a}}),
	} {
		if other, ok := seen[archive.Digest()]; ok {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[archive.Digest()] = name
	}
}

func TestWhatCannotBeAnArchiveIsRefused(t *testing.T) {
	s := newShelf()
	a := s.image("a", []byte("1"))
	wrong := a
	wrong.Layers = append(slices.Clone(a.Layers), image.Descriptor{Digest: a.Layers[0].Digest, Size: 7})
	path := a
	path.Layers = []image.Descriptor{{Digest: "sha256:../../etc/passwd", Size: 7}}
	many := Export{Name: ref(t, "app:1"), Target: a.Manifest}
	for range MaxParts/2 + 1 {
		many.Images = append(many.Images, a)
	}
	for name, c := range map[string]struct {
		exports []Export
		kind    image.Kind
	}{
		"nothing":           {nil, image.Invalid},
		"no image":          {[]Export{{Name: ref(t, "app:1"), Target: a.Manifest}}, image.Invalid},
		"two sizes":         {[]Export{{Name: ref(t, "app:1"), Target: a.Manifest, Images: []Image{wrong}}}, image.Invalid},
		"a path":            {[]Export{{Name: ref(t, "app:1"), Target: a.Manifest, Images: []Image{path}}}, image.Invalid},
		"more than allowed": {[]Export{many}, image.TooLarge},
	} {
		if _, err := New(c.exports, Docker); image.KindOf(err) != c.kind || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
