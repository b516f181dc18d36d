package blob

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stowage/stowage/image"
)

const (
	largeBlob    = 1 << 30 // bytes
	networkRead  = 32 << 10
	smallBlobs   = 120
	smallBlob    = 64 << 10
	smallWorkers = 8
)

// BenchmarkLargeBlob sets one blob of 1 GiB beside what it cannot be faster than: the hash alone, and the
// disk alone.
func BenchmarkLargeBlob(b *testing.B) {
	chunk := bytes.Repeat([]byte("0123456789abcdef"), networkRead/16)
	hash := sha256.New()
	for range largeBlob / networkRead {
		hash.Write(chunk)
	}
	d := image.Digest("sha256:" + hexDigits(hash.Sum(nil)))

	b.Run("commit", func(b *testing.B) {
		b.SetBytes(largeBlob)
		s := open(b, b.TempDir())
		for b.Loop() {
			w := writer(b, s, d, largeBlob)
			for range largeBlob / networkRead {
				if _, err := w.Write(chunk); err != nil {
					b.Fatal(err)
				}
			}
			if err := w.Commit(); err != nil {
				b.Fatal(err)
			}
			if _, err := s.Remove(d); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("resume", func(b *testing.B) {
		b.SetBytes(largeBlob)
		s := open(b, b.TempDir())
		w := writer(b, s, d, largeBlob)
		for range largeBlob / networkRead {
			if _, err := w.Write(chunk); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if err := writer(b, s, d, largeBlob).Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("floor=sha256", func(b *testing.B) {
		b.SetBytes(largeBlob)
		for b.Loop() {
			hash := sha256.New()
			for range largeBlob / networkRead {
				hash.Write(chunk)
			}
			hash.Sum(nil)
		}
	})
	b.Run("floor=disk", func(b *testing.B) {
		b.SetBytes(largeBlob)
		path := filepath.Join(b.TempDir(), "file")
		for b.Loop() {
			f, err := os.Create(path)
			if err != nil {
				b.Fatal(err)
			}
			for range largeBlob / networkRead {
				if _, err := f.Write(chunk); err != nil {
					b.Fatal(err)
				}
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
			if err := f.Close(); err != nil {
				b.Fatal(err)
			}
			if err := os.Remove(path); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkSmallBlobs commits the layers of an image that has many small ones, one after the other and as
// a pull does.
func BenchmarkSmallBlobs(b *testing.B) {
	var blobs [][]byte
	for i := range smallBlobs {
		raw := make([]byte, smallBlob)
		binary.LittleEndian.PutUint64(raw, uint64(i))
		blobs = append(blobs, raw)
	}
	commit := func(b *testing.B, s *Store, raw []byte) {
		w, err := s.Partials.Writer(image.DigestOf(raw), int64(len(raw)))
		if err != nil {
			b.Error(err)
			return
		}
		if _, err := io.Copy(w, bytes.NewReader(raw)); err != nil {
			b.Error(err)
		}
		if err := w.Commit(); err != nil {
			b.Error(err)
		}
	}
	b.Run("serial", func(b *testing.B) {
		b.SetBytes(smallBlobs * smallBlob)
		s := open(b, b.TempDir())
		for b.Loop() {
			for _, raw := range blobs {
				commit(b, s, raw)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.SetBytes(smallBlobs * smallBlob)
		s := open(b, b.TempDir())
		for b.Loop() {
			queue := make(chan []byte)
			var workers sync.WaitGroup
			for range smallWorkers {
				workers.Go(func() {
					for raw := range queue {
						commit(b, s, raw)
					}
				})
			}
			for _, raw := range blobs {
				queue <- raw
			}
			close(queue)
			workers.Wait()
		}
	})
}
