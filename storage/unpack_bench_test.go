//go:build unix

package storage

import (
	"archive/tar"
	"bytes"
	"io"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/stowage/stowage/image"
)

// The layers of the benchmark: 1 GiB once they are unpacked.
const (
	unpackLayers = 8
	unpackBytes  = 128 << 20 // of each
)

// BenchmarkUnpack1GiB unpacks 1 GiB of layers (uncompressed), which is 0.45 GiB of gzip, and compares that with nothing
// but decompressing the same blobs, one after the other on one core. Both take turns, so that whatever else the machine
// does slows both down. Two figures count: the ratio of the wall times, and what it would be on two cores that do nothing
// else, half the ratio of the processor times.
func BenchmarkUnpack1GiB(b *testing.B) {
	store, err := Open(b.Context(), Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	}()
	layers := benchBlobs(b, store)
	unpack := func() {
		if _, err := (writing{store.folder.db}).ExecContext(b.Context(), `UPDATE layers SET state = 'pending', diff_id = '', unpacked = NULL`); err != nil {
			b.Fatal(err)
		}
		if err := store.Unpacker.AwaitUnpacked(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	gunzip := func() {
		for _, d := range layers {
			gunzipOnly(b, store, d)
		}
	}
	unpack() // once to warm the page cache
	var wall, cpu [2]time.Duration
	for b.Loop() {
		for i, work := range []func(){unpack, gunzip} {
			began, used := time.Now(), processorTime(b)
			work()
			wall[i] += time.Since(began)
			cpu[i] += processorTime(b) - used
		}
	}
	var verified, unpacked int64
	if err := store.folder.db.QueryRowContext(b.Context(), `SELECT count(*), sum(unpacked) FROM layers WHERE state = 'verified'`).Scan(&verified, &unpacked); err != nil || verified != unpackLayers {
		b.Fatalf("%d layers of %d were unpacked (%v)", verified, unpackLayers, err)
	}
	b.SetBytes(unpacked)
	b.ReportMetric(float64(wall[0])/float64(wall[1]), "of-gunzip-wall")
	b.ReportMetric(float64(cpu[0])/float64(cpu[1])/2, "of-gunzip-on-2-cores")
	b.ReportMetric(wall[1].Seconds()/float64(b.N), "gunzip-s")
	b.ReportMetric(wall[0].Seconds()/float64(b.N), "unpack-s")
}

func processorTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func gunzipOnly(tb testing.TB, s *Store, d image.Digest) {
	f, err := s.folder.blobs.Open(d)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, z, make([]byte, 64<<10)); err != nil {
		tb.Fatal(err)
	}
}

// benchBlobs stores layers that differ in their first file. The rest is compressed once: a gzip stream may have several
// members.
func benchBlobs(b *testing.B, s *Store) []image.Digest {
	b.Helper()
	rest := zip(b, programs(b, unpackBytes))
	var all []image.Digest
	for i := range unpackLayers {
		first := tarEntry(b, "first", bytes.Repeat([]byte{byte(i)}, 100))
		blob := append(zip(b, first), rest...)
		d := image.DigestOf(blob)
		w, err := s.Blobs.NewBlob(image.Descriptor{Digest: d, Size: int64(len(blob))})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write(blob); err != nil {
			b.Fatal(err)
		}
		if err := w.Commit(); err != nil {
			b.Fatal(err)
		}
		for _, query := range []string{`INSERT INTO blobs (digest, size, stored_at) VALUES (?1, ?2, 0)`, `INSERT INTO layers (digest) SELECT ?1 WHERE ?2 > 0`} {
			if _, err := (writing{s.folder.db}).ExecContext(b.Context(), query, d, len(blob)); err != nil {
				b.Fatal(err)
			}
		}
		all = append(all, d)
	}
	return all
}

// programs is a tar of files of a few kB to a few hundred kB in which words repeat, as in programs and libraries: it
// compresses to some 45 %.
func programs(tb testing.TB, size int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	words := make([][]byte, 4000)
	for i := range words {
		words[i] = make([]byte, 3+r.IntN(12))
		for j := range words[i] {
			words[i][j] = byte(r.IntN(256))
		}
	}
	var out, body bytes.Buffer
	for out.Len() < size {
		body.Reset()
		for most := 2000 << r.IntN(8); body.Len() < most; {
			body.Write(words[min(r.IntN(len(words)), r.IntN(len(words)), r.IntN(len(words)))])
		}
		out.Write(tarEntry(tb, "usr/lib/file", body.Bytes()))
	}
	out.Write(make([]byte, 1024))
	return out.Bytes()
}

// tarEntry is a file in a tar, without the tar's end.
func tarEntry(tb testing.TB, name string, body []byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(body))}); err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(body); err != nil {
		tb.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func zip(tb testing.TB, raw []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(raw); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}
