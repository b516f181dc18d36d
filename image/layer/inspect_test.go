package layer_test

import (
	"archive/tar"
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/opencontainers/go-digest"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/image/layer"
)

func TestUnpackedSizeIsWhatDockerCounts(t *testing.T) {
	long := strings.Repeat("long/", 60) + "name"
	raw := func(parts ...[]byte) []byte { return join(append(parts, endMarker())...) }
	tests := map[string]struct {
		tar      []byte
		unpacked int64
		entries  int64
	}{
		"an empty layer":      {tarOf(t), 0, 0},
		"files by their size": {tarOf(t, file("a", "12345"), file("d/b", "123")), 8, 2},
		"an empty file":       {tarOf(t, file("a", "")), 0, 1},
		"directories nothing": {tarOf(t, special(tar.TypeDir, "d/", ""), special(tar.TypeDir, "d/e/", "")), 0, 2},
		"symbolic links by target": {tarOf(t, special(tar.TypeSymlink, "a", "usr/bin/env"),
			special(tar.TypeSymlink, "b", "/x")), 13, 2},
		"hard links once": {tarOf(t, file("a", "12345"), special(tar.TypeLink, "b", "a"),
			special(tar.TypeLink, "c", "b")), 5, 3},
		"devices and FIFOs nothing": {tarOf(t, special(tar.TypeChar, "c", ""), special(tar.TypeBlock, "b", ""),
			special(tar.TypeFifo, "f", "")), 0, 3},
		"whiteouts nothing": {tarOf(t, file("etc/.wh.gone", ""), file(".wh.with-content", "123"),
			file("kept", "1")), 1, 3},
		"an opaque directory": {tarOf(t, special(tar.TypeDir, "d/", ""), file("d/.wh..wh..opq", ""),
			file("d/new", "12")), 2, 3},
		"a whiteout keeps its own": {tarOf(t, file("a", "123"), file(".wh.a", "")), 3, 2},
		"the last of one path":     {tarOf(t, file("a", "12345"), file("b", "1"), file("a", "12")), 3, 3},
		"one path in four spellings": {tarOf(t, file("d/a", "1"), file("./d/a", "12"), file("/d/a", "123"),
			file("../d//./a", "1234")), 4, 4},
		"a file replaced by a link": {tarOf(t, file("a", "12345"), special(tar.TypeSymlink, "a", "bc")), 2, 2},
		"a file replaced by a dir":  {tarOf(t, file("a", "12345"), special(tar.TypeDir, "a/", "")), 0, 2},
		"a file replaced by a hardlink": {tarOf(t, file("b", "1"), file("a", "12345"), special(tar.TypeLink, "a", "b")),
			1, 3},
		"a file replaced by nothing": {tarOf(t, file("a", "12345"), file("a", ""), file("a", "12")), 2, 3},
		"long names apart":           {tarOf(t, file(long+"1", "1"), file(long+"2", "12"), file(long+"1", "123")), 5, 3},
		"a global header is no entry": {tarOf(t, entry{tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header",
			PAXRecords: map[string]string{"comment": "c"}}, ""}, file("a", "1")), 1, 1},
		"a sparse file, PAX 1.0, in full": {raw(paxSparse("s", 100_000, "12345")), 100_000, 1},
		"a sparse file, old GNU, in full": {raw(gnuSparse("s", 100_000, "12345")), 100_000, 1},
		"a sparse file by its real name": {raw(paxSparse("s", 100_000, "12345"),
			rawEntry(tar.TypeReg, "s", []byte("12"), nil)), 2, 2},
		"a contiguous file as a file": {raw(rawEntry(tar.TypeCont, "c", []byte("123"), nil)), 3, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, encoding := range encodings {
				got := mustInspect(t, encoding.encode(t, test.tar))
				want := layer.Result{
					Unpacked: image.Unpacked{
						DiffID:       sha256Of(test.tar),
						UnpackedSize: test.unpacked,
						Entries:      test.entries,
					},
					TarSize:     int64(len(test.tar)),
					Compression: encoding.kind,
				}
				if got != want {
					t.Errorf("%s:\n got %+v\nwant %+v", encoding.kind, got, want)
				}
			}
		})
	}
}

func TestDiffIDCoversEveryByteOfTheTar(t *testing.T) {
	plain := tarOf(t, file("a", strings.Repeat("content ", 50_000)))
	half := len(plain) / 2
	padded := join(plain, make([]byte, 200_000))
	garbage := join(plain, []byte("not a tar at all"))
	unmarked := plain[:len(plain)-1024]
	skippable := join([]byte{0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0}, []byte("abc"))

	tests := map[string]struct {
		blob, tar []byte
		kind      layer.Compression
	}{
		"uncompressed":            {plain, plain, layer.Uncompressed},
		"gzip":                    {gzipped(t, plain), plain, layer.Gzip},
		"gzip of two members":     {join(gzipped(t, plain[:half]), gzipped(t, plain[half:])), plain, layer.Gzip},
		"gzip with empty members": {join(gzipped(t, nil), gzipped(t, plain), gzipped(t, nil)), plain, layer.Gzip},
		"zstd":                    {zstdCompressed(t, plain), plain, layer.Zstd},
		"zstd of two frames": {join(zstdCompressed(t, plain[:half]), zstdCompressed(t, plain[half:])), plain,
			layer.Zstd},
		"zstd with skippable frames":   {join(skippable, zstdCompressed(t, plain), skippable), plain, layer.Zstd},
		"padding after the end marker": {gzipped(t, padded), padded, layer.Gzip},
		"garbage after the end marker": {zstdCompressed(t, garbage), garbage, layer.Zstd},
		"garbage, uncompressed":        {garbage, garbage, layer.Uncompressed},
		"no end marker":                {gzipped(t, unmarked), unmarked, layer.Gzip},
		"no bytes at all":              {nil, nil, layer.Uncompressed},
		"gzip of no bytes":             {gzipped(t, nil), nil, layer.Gzip},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := mustInspect(t, test.blob)
			if got.DiffID != sha256Of(test.tar) || got.TarSize != int64(len(test.tar)) || got.Compression != test.kind {
				t.Errorf("got %+v, want %d bytes of %s with diff ID %s", got, len(test.tar), test.kind, sha256Of(test.tar))
			}
		})
	}
}

// The diff ID of the layer that docker writes for a step without changes is known to everyone: 1,024 zeros.
func TestEmptyLayerHasDockersDiffID(t *testing.T) {
	const want = digest.Digest("sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef")
	if got := mustInspect(t, gzipped(t, tarOf(t))); got.DiffID != want {
		t.Errorf("diff ID %s, want %s", got.DiffID, want)
	}
}

func TestResultDoesNotDependOnHowTheSourceIsCut(t *testing.T) {
	plain := tarOf(t, file("a", strings.Repeat("content ", 500)), special(tar.TypeSymlink, "b", "a"))
	for _, encoding := range encodings {
		blob := encoding.encode(t, plain)
		want := mustInspect(t, blob)
		limits := layer.DefaultLimits(int64(len(blob)))
		got, err := layer.Inspect(context.Background(), iotest.OneByteReader(bytes.NewReader(blob)), limits)
		if err != nil || got != want {
			t.Errorf("%s, one byte at a time: got %+v, %v, want %+v", encoding.kind, got, err, want)
		}
		got, err = layer.Inspect(context.Background(), iotest.DataErrReader(bytes.NewReader(blob)), limits)
		if err != nil || got != want {
			t.Errorf("%s, data with its io.EOF: got %+v, %v, want %+v", encoding.kind, got, err, want)
		}
	}
}
