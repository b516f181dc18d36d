package sample_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
)

// second is the second layer of a bad image: what the manifest and config state, and its bytes.
func second(t *testing.T, s sample.Source) (sample.Blob, digest.Digest) {
	t.Helper()
	b := build(t, s)
	return b.Layers()[1], b.DiffIDs[1]
}

func TestBadLayersHoldInAllButTheirOneFault(t *testing.T) {
	bomb, err := sample.Bomb(8 << 20)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name                  string
		source                sample.Source
		size, unpacks, diffID bool // whether these hold
		tar                   bool
	}{
		{"wrong diff ID", sample.WrongDiffID(), true, true, false, true},
		{"wrong size", sample.WrongSize(7), false, true, true, true},
		{"not gzip", sample.NotGzip(), true, false, false, false},
		{"not tar", sample.NotTar(), true, true, true, false},
		{"truncated", sample.Truncated(), true, false, false, false},
		{"trailing", sample.Trailing(), true, false, false, false},
		{"bomb", bomb, true, true, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, stated := second(t, c.source)
			if l.Descriptor.Digest != digest.FromBytes(l.Data) {
				t.Error("the digest does not hold")
			}
			if got := l.Descriptor.Size == int64(len(l.Data)); got != c.size {
				t.Errorf("size holds: %v", got)
			}
			raw, err := gunzip(l.Data)
			if got := err == nil; got != c.unpacks {
				t.Fatalf("unpacks: %v (%v)", got, err)
			}
			if got := digest.FromBytes(raw) == stated; got != c.diffID && c.unpacks {
				t.Errorf("diff ID holds: %v", got)
			}
			_, err = tar.NewReader(bytes.NewReader(raw)).Next()
			if got := err == nil; got != c.tar && c.unpacks {
				t.Errorf("is a tar: %v (%v)", got, err)
			}
			if err := fake.NewEmptyRegistry().Push(t.Context(), "test/bad", c.source, "latest"); err != nil {
				t.Errorf("a registry does not take it: %v", err)
			}
		})
	}
}

func gunzip(blob []byte) ([]byte, error) {
	c, err := sample.RawLayer(sample.Gzip, sample.LayerContent{Blob: blob}).As(sample.Uncompressed).Content()
	return c.Blob, err
}

func TestBombIsSmallAndUnpacksToWhatWasAsked(t *testing.T) {
	im, err := sample.Bomb(64 << 20)
	if err != nil {
		t.Fatal(err)
	}
	l, _ := second(t, im)
	if l.Descriptor.Size > 400_000 {
		t.Errorf("blob has %d bytes", l.Descriptor.Size)
	}
	n, err := io.Copy(io.Discard, unpacked(t, "gzip", l.Data))
	if err != nil || n < 64<<20 {
		t.Errorf("unpacks to %d bytes: %v", n, err)
	}
}

func TestBadConfigsHaveDigestsThatHold(t *testing.T) {
	missing, err := sample.MissingDiffID()
	if err != nil {
		t.Fatal(err)
	}
	broken, err := sample.BadConfig()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []sample.Built{missing, broken} {
		var man v1.Manifest
		if err := json.Unmarshal(b.Body, &man); err != nil {
			t.Fatal(err)
		}
		c := b.Blobs[0]
		if man.Config.Digest != digest.FromBytes(c.Data) || man.Config.Size != int64(len(c.Data)) || b.Digest() != digest.FromBytes(b.Body) || b.Descriptor.Size != int64(len(b.Body)) {
			t.Errorf("manifest %s does not describe config %s", b.Body, c.Data)
		}
		if err := fake.NewEmptyRegistry().Push(t.Context(), "test/bad", b, "latest"); err != nil {
			t.Errorf("a registry does not take it: %v", err)
		}
	}
	var conf v1.Image
	if err := json.Unmarshal(missing.Blobs[0].Data, &conf); err != nil || len(conf.RootFS.DiffIDs) != 1 || len(missing.Layers()) != 2 {
		t.Errorf("%d diff IDs for %d layers: %v", len(conf.RootFS.DiffIDs), len(missing.Layers()), err)
	}
	if json.Valid(broken.Blobs[0].Data) {
		t.Error("the bad config is JSON")
	}
}

func TestDeepIndexHasAnImageUnderItsIndexes(t *testing.T) {
	s := sample.DeepIndex(40)
	n := 0
	for b := build(t, s); len(b.Children) > 0; b = b.Children[0] {
		n++
	}
	if n != 40 {
		t.Errorf("%d indexes", n)
	}
	if err := fake.NewEmptyRegistry().Push(t.Context(), "test/deep", s, "latest"); err != nil {
		t.Error(err)
	}
	if got := len(build(t, sample.WideIndex(300)).Children); got != 300 {
		t.Errorf("wide index has %d entries", got)
	}
}

func TestDocumentIsAnArtifactWithTheEmptyConfig(t *testing.T) {
	b := build(t, sample.Document("application/vnd.example.unknown"))
	var man v1.Manifest
	if err := json.Unmarshal(b.Body, &man); err != nil {
		t.Fatal(err)
	}
	if man.ArtifactType != "application/vnd.example.unknown" || man.Config.MediaType != v1.MediaTypeEmptyJSON || string(b.Blobs[0].Data) != "{}" {
		t.Errorf("manifest is %s", b.Body)
	}
	if err := fake.NewEmptyRegistry().Push(t.Context(), "test/document", b, "latest"); err != nil {
		t.Error(err)
	}
}

// names lists the entries of a gzip layer.
func names(t *testing.T, blob []byte) []string {
	t.Helper()
	var all []string
	tr := tar.NewReader(unpacked(t, "gzip", blob))
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			t.Fatal(err)
		}
		all = append(all, h.Name)
	}
}

func TestNamesInBadLayersAreWrittenAsTheyAre(t *testing.T) {
	twice, _ := second(t, sample.DuplicatePaths())
	if got := names(t, twice.Data); !slices.Equal(got[:2], []string{"twice", "twice"}) {
		t.Errorf("duplicates are %q", got)
	}
	out, _ := second(t, sample.Traversal())
	for _, want := range []string{"../../../../../../tmp/stowage-dotdot", "/tmp/stowage-absolute", "out/stowage-through-symlink", ".."} {
		if !slices.Contains(names(t, out.Data), want) {
			t.Errorf("no %q in the traversal", want)
		}
	}
	weird := build(t, sample.WeirdNames()).Layers()
	got := names(t, weird[1].Data)
	for _, want := range []string{"names/new\nline", "names/bad-utf8-\xff\xfe", "names/\u202egnp.exe", "names/" + strings.Repeat("deep/", 60) + "leaf", "./dot-slash", "fifo"} {
		if !slices.Contains(got, want) {
			t.Errorf("no %q among the names", want)
		}
	}
	if got := names(t, weird[2].Data); !slices.Contains(got, ".wh.never-there") || !slices.Contains(got, "dir/.wh..wh..opq") {
		t.Errorf("whiteouts are %q", got)
	}
	many, _ := second(t, sample.ManyFiles(5000))
	if got := len(names(t, many.Data)); got != 5000 {
		t.Errorf("%d files", got)
	}
}

func TestSizedLayersAreAsLongAsAskedAndDiffer(t *testing.T) {
	b := build(t, sample.Sized(3, 100_000, v1.Platform{OS: "linux", Architecture: "amd64"}))
	seen := map[digest.Digest]bool{}
	for _, l := range b.Children[0].Layers() {
		if l.Descriptor.Size < 100_000 || l.Descriptor.Size > 103_000 {
			t.Errorf("layer has %d bytes", l.Descriptor.Size)
		}
		if d := unpackedDigest(t, "gzip", l.Data); seen[d] {
			t.Error("two layers are equal")
		} else {
			seen[d] = true
		}
	}
	if len(seen) != 3 {
		t.Errorf("%d layers", len(seen))
	}
}
