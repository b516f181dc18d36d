package layer_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"

	"github.com/stowage/stowage/image/layer"
)

// entry is one entry of a test's tar.
type entry struct {
	header tar.Header
	body   string
}

func file(name, body string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(body))}, body}
}

func special(kind byte, name, target string) entry {
	return entry{tar.Header{Typeflag: kind, Name: name, Linkname: target, Mode: 0o755}, ""}
}

func tarOf(tb testing.TB, entries ...entry) []byte {
	tb.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		if err := w.WriteHeader(&e.header); err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write([]byte(e.body)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// rawEntry is a tar entry as bytes, for what archive/tar does not write: sparse files, bare extended headers. extra is
// put at offset 386, where old GNU headers keep their sparse map.
func rawEntry(kind byte, name string, body, extra []byte) []byte {
	block := make([]byte, 512, 512+len(body)+511)
	copy(block[100:], "0000644\x00")
	copy(block[108:], "0000000\x000000000\x00")
	copy(block[124:], fmt.Sprintf("%011o\x00", len(body)))
	copy(block[136:], "00000000000\x00")
	block[156] = kind
	if kind == tar.TypeGNUSparse {
		copy(block[257:], "ustar  \x00")
	} else {
		copy(block[257:], "ustar\x0000")
	}
	copy(block[386:], extra)
	seal(block, name)
	block = append(block, body...)
	return append(block, make([]byte, -len(body)&511)...)
}

// seal names a header block and writes its checksum.
func seal(block []byte, name string) {
	copy(block, name)
	copy(block[148:], "        ") // the checksum itself counts as spaces
	sum := 0
	for _, b := range block[:512] {
		sum += int(b)
	}
	copy(block[148:], fmt.Sprintf("%06o\x00 ", sum))
}

// paxRecord is one record of a PAX extended header, whose length counts itself.
func paxRecord(key, value string) string {
	n := len(key) + len(value) + 3
	for {
		record := fmt.Sprintf("%d %s=%s\n", n, key, value)
		if len(record) == n {
			return record
		}
		n = len(record)
	}
}

// paxSparse is a GNU sparse file in PAX format 1.0: size bytes with only data, at offset 0, written.
func paxSparse(name string, size int64, data string) []byte {
	sparseMap := fmt.Sprintf("1\n0\n%d\n", len(data))
	records := paxRecord("GNU.sparse.major", "1") + paxRecord("GNU.sparse.minor", "0") +
		paxRecord("GNU.sparse.name", name) + paxRecord("GNU.sparse.realsize", fmt.Sprint(size))
	body := sparseMap + strings.Repeat("\x00", 512-len(sparseMap)) + data
	return append(rawEntry(tar.TypeXHeader, "PaxHeaders/x", []byte(records), nil),
		rawEntry(tar.TypeReg, "GNUSparseFile.0/x", []byte(body), nil)...)
}

// gnuSparse is the same in the old GNU format.
func gnuSparse(name string, size int64, data string) []byte {
	extra := fmt.Sprintf("%011o\x00%011o\x00", 0, len(data)) + strings.Repeat("\x00", 97-24) +
		fmt.Sprintf("%011o\x00", size)
	return rawEntry(tar.TypeGNUSparse, name, []byte(data), []byte(extra))
}

func endMarker() []byte { return make([]byte, 1024) }

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func gzipped(tb testing.TB, data []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func zstdCompressed(tb testing.TB, data []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// encodings are the ways a layer's tar is stored.
var encodings = []struct {
	kind   layer.Compression
	encode func(testing.TB, []byte) []byte
}{
	{layer.Uncompressed, func(_ testing.TB, data []byte) []byte { return data }},
	{layer.Gzip, gzipped},
	{layer.Zstd, zstdCompressed},
}

func inspect(blob []byte) (layer.Result, error) {
	return layer.Inspect(context.Background(), bytes.NewReader(blob), layer.DefaultLimits(int64(len(blob))))
}

func mustInspect(tb testing.TB, blob []byte) layer.Result {
	tb.Helper()
	result, err := inspect(blob)
	if err != nil {
		tb.Fatal(err)
	}
	return result
}

func sha256Of(data []byte) digest.Digest {
	return digest.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256(data)))
}
