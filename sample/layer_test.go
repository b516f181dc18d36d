package sample_test

import (
	"archive/tar"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/sample"
)

func content(t *testing.T, l *sample.Layer) sample.LayerContent {
	t.Helper()
	c, err := l.Content()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLayerStatesItsTrueDigestsInEachCompression(t *testing.T) {
	files := []sample.File{sample.Dir("a"), sample.Text("a/b", "text"), sample.Program("a/c", "seed", 100_000)}
	var diffID digest.Digest
	for c, mediaType := range map[sample.Compression]string{sample.Gzip: "gzip", sample.Zstd: "zstd", sample.Uncompressed: "tar"} {
		got := content(t, sample.NewLayer(c, files...))
		if got.Digest != digest.FromBytes(got.Blob) || got.Size != int64(len(got.Blob)) {
			t.Errorf("%s: digest or size is not that of the blob", c)
		}
		if d := unpackedDigest(t, mediaType, got.Blob); d != got.DiffID {
			t.Errorf("%s: diff ID is %s, stated %s", c, d, got.DiffID)
		}
		n, err := io.Copy(io.Discard, unpacked(t, mediaType, got.Blob))
		if err != nil || n != got.Unpacked {
			t.Errorf("%s: %d bytes unpacked, stated %d: %v", c, n, got.Unpacked, err)
		}
		if diffID != "" && got.DiffID != diffID {
			t.Errorf("%s: diff ID differs from that in another compression", c)
		}
		diffID = got.DiffID
	}
	if _, err := sample.NewLayer("lzma").Content(); err == nil {
		t.Error("an unknown compression was accepted")
	}
}

func TestGeneratedContentCompressesAsProgramsDo(t *testing.T) {
	got := content(t, sample.NewLayer(sample.Gzip, sample.Program("x", "seed", 1_000_000)))
	if ratio := float64(got.Size) / float64(got.Unpacked); ratio < 0.3 || ratio > 0.6 {
		t.Errorf("compressed to %.2f, wanted 0.3 to 0.6", ratio)
	}
	other := content(t, sample.NewLayer(sample.Gzip, sample.Program("x", "other", 1_000_000)))
	if other.Digest == got.Digest {
		t.Error("two seeds make the same content")
	}
}

func TestLayerHoldsEachKindOfEntry(t *testing.T) {
	blob := content(t, sample.NewLayer(sample.Uncompressed,
		sample.Dir("d"), sample.Text("d/f", "body"), sample.Data("d/g", "s", 10), sample.Symlink("d/s", "f"), sample.Hardlink("d/h", "d/f"),
		sample.Whiteout("d/gone"), sample.Whiteout("top"), sample.Opaque("d"), sample.File{Name: "zero", Size: 3},
		sample.File{Name: "xattr", Body: "x", PAX: map[string]string{"SCHILY.xattr.user.a": "b"}})).Blob
	want := []struct {
		name string
		kind byte
		mode int64
		link string
		body string // empty: not compared
	}{
		{"d/", tar.TypeDir, 0o755, "", ""}, {"d/f", tar.TypeReg, 0o644, "", "body"}, {"d/g", tar.TypeReg, 0o644, "", ""}, {"d/s", tar.TypeSymlink, 0o777, "f", ""},
		{"d/h", tar.TypeLink, 0o644, "d/f", ""}, {"d/.wh.gone", tar.TypeReg, 0o644, "", ""}, {".wh.top", tar.TypeReg, 0o644, "", ""}, {"d/.wh..wh..opq", tar.TypeReg, 0o644, "", ""},
		{"zero", tar.TypeReg, 0o644, "", "\x00\x00\x00"}, {"xattr", tar.TypeReg, 0o644, "", "x"},
	}
	tr := tar.NewReader(strings.NewReader(string(blob)))
	for _, w := range want {
		h, err := tr.Next()
		if err != nil {
			t.Fatalf("%s: %v", w.name, err)
		}
		body, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		if h.Name != w.name || h.Typeflag != w.kind || h.Mode != w.mode || h.Linkname != w.link || (w.body != "" && string(body) != w.body) || !h.ModTime.Equal(sample.Epoch) {
			t.Errorf("entry is %q type %c mode %o link %q body %q, wanted %+v", h.Name, h.Typeflag, h.Mode, h.Linkname, body, w)
		}
		if w.name == "xattr" && h.PAXRecords["SCHILY.xattr.user.a"] != "b" {
			t.Errorf("PAX records are %v", h.PAXRecords)
		}
	}
	if _, err := tr.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last entry: %v", err)
	}
}

func TestImageThatCannotBeBuiltSaysWhichLayer(t *testing.T) {
	im := sample.Image{Steps: []sample.Step{{By: "COPY bad", Layer: sample.NewLayer(sample.Gzip, sample.File{Name: "a\x00b"})}}}
	_, err := sample.Index{Entries: []sample.Source{im}}.Build()
	if err == nil || !strings.Contains(err.Error(), "COPY bad") {
		t.Errorf("error is %v", err)
	}
}

func TestMediaTypesAreOCIsOrDockers(t *testing.T) {
	layer := func(c sample.Compression) sample.Step { return sample.Step{Layer: sample.NewLayer(c)} }
	all := []sample.Step{layer(sample.Gzip), layer(sample.Zstd), layer(sample.Uncompressed)}
	for _, w := range []struct {
		docker bool
		want   []string
	}{
		{false, []string{v1.MediaTypeImageManifest, v1.MediaTypeImageConfig, v1.MediaTypeImageLayerGzip, v1.MediaTypeImageLayerZstd, v1.MediaTypeImageLayer}},
		{true, []string{
			"application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.container.image.v1+json",
			"application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.docker.image.rootfs.diff.tar.zstd", "application/vnd.docker.image.rootfs.diff.tar",
		}},
	} {
		b := build(t, sample.Image{Steps: all, Docker: w.docker})
		got := []string{b.Descriptor.MediaType}
		for _, blob := range b.Blobs {
			got = append(got, blob.Descriptor.MediaType)
		}
		if strings.Join(got, " ") != strings.Join(w.want, " ") {
			t.Errorf("docker %v: %v", w.docker, got)
		}
		if !strings.Contains(string(b.Body), `"mediaType": "`+w.want[0]+`"`) {
			t.Errorf("manifest does not state its own media type: %s", b.Body)
		}
	}
}
