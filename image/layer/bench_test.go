package layer_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/stowage/stowage/image/layer"
)

// program is a layer of some 200 MB as package installations leave it: files of a few kB to a few hundred kB in which
// words repeat, so that it compresses about twice.
func program(tb testing.TB) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 4000)
	for i := range words {
		word := make([]byte, 2+r.IntN(10))
		for j := range word {
			word[j] = byte(r.IntN(256))
		}
		words[i] = string(word)
	}
	var entries []entry
	for total, i := 0, 0; total < 200_000_000; i++ {
		var body strings.Builder
		for size := 2000 << r.IntN(8); body.Len() < size; {
			body.WriteString(words[min(r.IntN(len(words)), r.IntN(len(words)))])
		}
		entries = append(entries, file(fmt.Sprintf("usr/lib/package-%d/file-%d", i/50, i), body.String()))
		total += body.Len()
	}
	return tarOf(tb, entries...)
}

// BenchmarkInspect compares Inspect with its floor: decompressing and hashing without looking at the tar.
func BenchmarkInspect(b *testing.B) {
	plain := program(b)
	for _, encoding := range encodings {
		blob := encoding.encode(b, plain)
		b.Run(string(encoding.kind), func(b *testing.B) {
			b.SetBytes(int64(len(plain)))
			b.ReportAllocs()
			for b.Loop() {
				mustInspect(b, blob)
			}
			b.ReportMetric(float64(len(plain))/float64(len(blob)), "ratio")
		})
		if encoding.kind == layer.Gzip {
			b.Run("floor: gunzip", func(b *testing.B) { floor(b, blob, io.Discard) })
			b.Run("floor: gunzip and sha256", func(b *testing.B) { floor(b, blob, sha256.New()) })
		}
	}
}

func floor(b *testing.B, blob []byte, w io.Writer) {
	for b.Loop() {
		z, err := gzip.NewReader(bytes.NewReader(blob))
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(w, z)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(n)
	}
}

// BenchmarkInspectMillionEntries reports the peak memory for the most entries that the default limits allow, each with
// a path and a size of its own.
func BenchmarkInspectMillionEntries(b *testing.B) {
	link := rawEntry(tar.TypeSymlink, "00000000", nil, nil)
	copy(link[157:], "target")
	for b.Loop() {
		part := make([]byte, len(link))
		next := func(i int) []byte {
			if i == 1_000_000 {
				return nil
			}
			copy(part, link)
			seal(part, fmt.Sprintf("%08d", i))
			return part
		}
		reads := 0
		peak := peakMemory(func(sample func()) {
			r := &repeated{part: next, sample: func() {
				if reads++; reads%64 == 0 {
					sample()
				}
			}}
			result, err := layer.Inspect(context.Background(), r, layer.DefaultLimits(0))
			if err != nil || result.UnpackedSize != 6_000_000 {
				b.Fatal(result, err)
			}
		})
		b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
	}
}
