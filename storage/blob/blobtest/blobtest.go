// Package blobtest is what every store of blobs promises, as tests.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/blob"
)

// Store is what the tests ask of a store. What the methods promise stands beside those of blob.Store.
type Store interface {
	Has(d image.Digest, size int64) bool
	Size(d image.Digest) (int64, error)
	Open(d image.Digest) (blob.Reader, error)
	OpenProved(ctx context.Context, d image.Digest) (io.ReadSeekCloser, int64, error)
	ReadAll(d image.Digest, limit int64) ([]byte, error)
	Remove(d image.Digest) (freed int64, err error)
	Walk(ctx context.Context, visit func(d image.Digest, size int64, modTime time.Time) error) (strays int, err error)

	Writer(d image.Digest, size int64) (Writer, error)
	Partial(d image.Digest) int64
	OpenPartial(d image.Digest) (blob.Reader, error)
	RemovePartial(d image.Digest) (freed int64, err error)
}

// Writer receives one blob.
type Writer interface {
	io.Writer
	Offset() int64
	Restart() error
	Commit() error
	Close() error
}

// Run runs every test on stores of their own. again opens the store of the same place once more, as after a restart.
func Run(t *testing.T, open func(t *testing.T) (s Store, again func() Store)) {
	for name, test := range map[string]func(*bed){
		"a blob is found by its exact size":               (*bed).exactSize,
		"what is not stored is not found":                 (*bed).notStored,
		"what is no digest is refused":                    (*bed).noDigests,
		"reading a blob whole has a limit":                (*bed).limit,
		"a blob is read from any place while it goes":     (*bed).readsOn,
		"a blob is handed out whole":                      (*bed).handedOut,
		"a blob of no bytes is stored":                    (*bed).empty,
		"a writer goes on where an earlier one stopped":   (*bed).continues,
		"wrong bytes are corrupt and gone":                (*bed).wrong,
		"too few bytes are corrupt and gone":              (*bed).tooFew,
		"too many bytes are corrupt and gone":             (*bed).tooMany,
		"the size must match where the digest does":       (*bed).sizeToo,
		"a restart forgets what is there":                 (*bed).restarts,
		"a digest has one writer":                         (*bed).oneWriter,
		"closing a finished writer harms nothing":         (*bed).closedTwice,
		"a writer that received nothing leaves nothing":   (*bed).nothing,
		"impossible sizes are refused":                    (*bed).impossible,
		"what is written is read before it is whole":      (*bed).partial,
		"every blob is visited once, and may be removed":  (*bed).walks,
		"a walk ends with its visitor or with its caller": (*bed).walkEnds,
	} {
		t.Run(name, func(t *testing.T) {
			s, again := open(t)
			test(&bed{T: t, s: s, again: again})
		})
	}
}

// bed is one test.
type bed struct {
	*testing.T
	s     Store
	again func() Store
}

func (b *bed) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bed) want(err error, want image.Kind) {
	b.Helper()
	if err == nil || image.KindOf(err) != want {
		b.Fatalf("error %v has kind %s, want %s", err, image.KindOf(err), want)
	}
}

func (b *bed) writer(d image.Digest, size int) Writer {
	b.Helper()
	w, err := b.s.Writer(d, int64(size))
	b.must(err)
	b.Cleanup(func() { _ = w.Close() })
	return w
}

func (b *bed) write(w Writer, text string) {
	b.Helper()
	if n, err := io.WriteString(w, text); err != nil || n != len(text) {
		b.Fatalf("Write of %d bytes = %d, %v", len(text), n, err)
	}
}

// put stores a blob.
func (b *bed) put(text string) image.Digest {
	b.Helper()
	d := digest(text)
	w := b.writer(d, len(text))
	b.write(w, text)
	b.must(w.Commit())
	return d
}

func digest(text string) image.Digest { return image.DigestOf([]byte(text)) }

func (b *bed) holds(d image.Digest, want string) {
	b.Helper()
	if got, err := b.s.ReadAll(d, int64(len(want))); err != nil || string(got) != want {
		b.Fatalf("blob %s holds other bytes than were stored: %v", d, err)
	}
}

// gone proves that nothing is stored of a digest.
func (b *bed) gone(d image.Digest) {
	b.Helper()
	if b.s.Has(d, -1) || b.s.Partial(d) != 0 {
		b.Fatalf("something of %s is stored", d)
	}
	_, err := b.s.Size(d)
	b.want(err, image.NotFound)
	_, err = b.s.Open(d)
	b.want(err, image.NotFound)
	_, _, err = b.s.OpenProved(b.Context(), d)
	b.want(err, image.NotFound)
	_, err = b.s.OpenPartial(d)
	b.want(err, image.NotFound)
	_, err = b.s.ReadAll(d, 10)
	b.want(err, image.NotFound)
	if freed, err := b.s.Remove(d); freed != 0 || err != nil {
		b.Fatalf("Remove = %d, %v", freed, err)
	}
}

func (b *bed) exactSize() {
	d := b.put("blob")
	for size, want := range map[int64]bool{-1: true, 0: false, 3: false, 4: true, 5: false} {
		if got := b.s.Has(d, size); got != want {
			b.Errorf("Has(%d) = %v", size, got)
		}
	}
	if size, err := b.s.Size(d); err != nil || size != 4 {
		b.Errorf("Size = %d, %v", size, err)
	}
}

func (b *bed) notStored() { b.gone(digest("x")) }

func (b *bed) noDigests() {
	hex := strings.Repeat("a", 64)
	for _, d := range []image.Digest{
		"", "sha256:", "sha256:../../oci-layout", image.Digest("sha256:" + strings.ToUpper(hex)), image.Digest(hex),
		image.Digest("sha512:" + hex + hex), image.Digest("sha256:" + hex + "/"), image.Digest("sha256:" + hex[1:] + "\x00"),
	} {
		_, err := b.s.Writer(d, 1)
		b.want(err, image.Invalid)
		_, err = b.s.Open(d)
		b.want(err, image.Invalid)
		_, err = b.s.ReadAll(d, 1)
		b.want(err, image.Invalid)
		_, err = b.s.Size(d)
		b.want(err, image.Invalid)
		_, err = b.s.Remove(d)
		b.want(err, image.Invalid)
		_, err = b.s.RemovePartial(d)
		b.want(err, image.Invalid)
		if b.s.Has(d, -1) || b.s.Partial(d) != 0 {
			b.Errorf("%q is no digest, and is stored", d)
		}
	}
}

func (b *bed) limit() {
	d := b.put("blob")
	b.holds(d, "blob")
	_, err := b.s.ReadAll(d, 3)
	b.want(err, image.TooLarge)
}

func (b *bed) readsOn() {
	d := b.put("0123456789")
	f, err := b.s.Open(d)
	b.must(err)
	defer f.Close()
	if freed, err := b.s.Remove(d); freed != 10 || err != nil { // under the reader
		b.Fatalf("Remove = %d, %v", freed, err)
	}
	part := make([]byte, 3)
	if _, err := f.ReadAt(part, 6); err != nil || string(part) != "678" || f.Size() != 10 {
		b.Fatalf("ReadAt = %q, %v of %d bytes", part, err, f.Size())
	}
	b.gone(d)
}

func (b *bed) handedOut() {
	text := strings.Repeat("0123456789", 50_000)
	d := b.put(text)
	for range 2 { // the second time it is known to be right
		f, size, err := b.s.OpenProved(b.Context(), d)
		b.must(err)
		got, err := io.ReadAll(f)
		if err != nil || string(got) != text || size != int64(len(text)) {
			b.Fatalf("%d bytes of %d were handed out: %v", len(got), size, err)
		}
		_, err = f.Seek(7, io.SeekStart)
		b.must(err)
		if n, err := io.ReadFull(f, got[:5]); err != nil || string(got[:n]) != "78901" {
			b.Fatalf("a part is %q, %v", got[:n], err)
		}
		b.must(f.Close())
		b.s = b.again()
	}
}

func (b *bed) empty() {
	if d := b.put(""); !b.s.Has(d, 0) {
		b.Fatal("the empty blob is not stored")
	}
}

func (b *bed) continues() {
	text := strings.Repeat("0123456789", 100_000) // several times the buffer that reads it back
	d, half := digest(text), len(text)/2
	first := b.writer(d, len(text))
	b.write(first, text[:half])
	b.must(first.Close())
	b.s = b.again()
	if got := b.s.Partial(d); got != int64(half) {
		b.Fatalf("Partial = %d, want %d", got, half)
	}
	second := b.writer(d, len(text))
	if got := second.Offset(); got != int64(half) {
		b.Fatalf("Offset = %d, want %d", got, half)
	}
	b.write(second, text[half:])
	b.must(second.Commit())
	b.holds(d, text)
	if got := b.s.Partial(d); got != 0 {
		b.Fatalf("Partial = %d after Commit", got)
	}
}

func (b *bed) wrong() {
	d := digest("right")
	w := b.writer(d, 5)
	b.write(w, "wrong")
	b.want(w.Commit(), image.Corrupt)
	if w.Offset() != 0 {
		b.Fatalf("Offset = %d", w.Offset())
	}
	b.gone(d)
	b.must(w.Restart()) // the same writer may try again
	b.write(w, "right")
	b.must(w.Commit())
	b.holds(d, "right")
}

func (b *bed) tooFew() {
	d := digest("whole")
	w := b.writer(d, 5)
	b.write(w, "who")
	b.want(w.Commit(), image.Corrupt)
	if w.Offset() != 0 {
		b.Fatalf("Offset = %d", w.Offset())
	}
	b.gone(d)
}

func (b *bed) tooMany() {
	d := digest("whole")
	w := b.writer(d, 5)
	b.write(w, "who")
	n, err := io.WriteString(w, "le!")
	b.want(err, image.Corrupt)
	if n != 0 || w.Offset() != 0 {
		b.Fatalf("Write = %d, Offset = %d", n, w.Offset())
	}
	b.gone(d)
	if _, err := io.WriteString(w, "w"); err == nil {
		b.Fatal("a corrupt writer takes bytes without Restart")
	}
	if w.Commit() == nil {
		b.Fatal("a corrupt writer can be committed")
	}
}

func (b *bed) sizeToo() {
	w := b.writer(digest("whole"), 6)
	b.write(w, "whole")
	b.want(w.Commit(), image.Corrupt)
}

func (b *bed) restarts() {
	d := digest("blob")
	w := b.writer(d, 4)
	b.write(w, "xxx")
	b.must(w.Restart())
	if w.Offset() != 0 || b.s.Partial(d) != 0 {
		b.Fatalf("after Restart: Offset %d, Partial %d", w.Offset(), b.s.Partial(d))
	}
	b.write(w, "blob")
	b.must(w.Commit())
	b.holds(d, "blob")
}

func (b *bed) oneWriter() {
	d := digest("blob")
	first := b.writer(d, 4)
	_, err := b.s.Writer(d, 4)
	b.want(err, image.Conflict)
	_, err = b.s.RemovePartial(d)
	b.want(err, image.Conflict)
	b.writer(digest("other"), 5)
	b.must(first.Close())
	second := b.writer(d, 4)
	b.write(second, "blob")
	b.must(second.Commit())
	b.writer(d, 4) // Commit gave it up, too
}

func (b *bed) closedTwice() {
	d := digest("blob")
	first := b.writer(d, 4)
	b.write(first, "blob")
	b.must(first.Commit())
	second := b.writer(d, 4)
	b.must(first.Close())
	if _, err := b.s.Writer(d, 4); image.KindOf(err) != image.Conflict {
		b.Fatalf("closing the first writer gave up the second: %v", err)
	}
	for _, err := range []error{first.Restart(), first.Commit(), second.Close(), second.Close()} {
		if err != nil && image.KindOf(err) != image.Internal {
			b.Fatal(err)
		}
	}
	if first.Restart() == nil {
		b.Fatal("a committed writer can be restarted")
	}
	b.holds(d, "blob")
}

func (b *bed) nothing() {
	d := digest("x")
	b.must(b.writer(d, 1).Close())
	b.gone(d)
}

func (b *bed) impossible() {
	d := digest("x")
	_, err := b.s.Writer(d, -1)
	b.want(err, image.Invalid)
	_, err = b.s.Writer(d, image.MaxBlobSize+1)
	b.want(err, image.TooLarge)
	b.writer(d, 1) // a refusal holds nothing
}

func (b *bed) partial() {
	d := digest("0123")
	w := b.writer(d, 4)
	b.write(w, "01")
	f, err := b.s.OpenPartial(d)
	b.must(err)
	defer f.Close()
	b.write(w, "23")
	b.must(w.Commit())
	got := make([]byte, 4)
	if n, err := f.ReadAt(got, 0); err != nil || n != 4 || string(got) != "0123" {
		b.Fatalf("read %q, %v", got[:n], err)
	}
	whole, err := b.s.OpenPartial(d) // it has become the blob
	b.must(err)
	if err := whole.Close(); err != nil || whole.Size() != 4 {
		b.Fatalf("%d bytes, %v", whole.Size(), err)
	}
	_, err = b.s.OpenPartial(digest("x"))
	b.want(err, image.NotFound)
}

func (b *bed) walks() {
	want := map[image.Digest]int64{}
	for i := range 20 {
		text := string(bytes.Repeat([]byte{'a' + byte(i)}, i))
		want[b.put(text)] = int64(i)
	}
	left := b.writer(digest("half"), 4)
	b.write(left, "ha")
	strays, err := b.s.Walk(b.Context(), func(d image.Digest, size int64, modTime time.Time) error {
		if known, ok := want[d]; !ok || known != size {
			b.Errorf("%s with %d bytes: unknown, visited twice or of another size", d, size)
		}
		if age := time.Since(modTime); age < -time.Minute || age > time.Hour {
			b.Errorf("%s was written %v ago", d, age)
		}
		delete(want, d)
		if freed, err := b.s.Remove(d); err != nil || freed != size {
			return fmt.Errorf("remove freed %d: %w", freed, err)
		}
		return nil
	})
	if err != nil || strays != 0 || len(want) != 0 {
		b.Fatalf("Walk = %d strays, %v; %d blobs not visited", strays, err, len(want))
	}
	if _, err := b.s.Walk(b.Context(), func(d image.Digest, _ int64, _ time.Time) error {
		return fmt.Errorf("%s stayed", d)
	}); err != nil {
		b.Fatal(err)
	}
}

func (b *bed) walkEnds() {
	for i := range 10 {
		b.put(fmt.Sprint(i))
	}
	stop, visits := errors.New("stop"), 0
	if _, err := b.s.Walk(b.Context(), func(image.Digest, int64, time.Time) error {
		visits++
		return stop
	}); !errors.Is(err, stop) || visits != 1 {
		b.Fatalf("Walk = %v after %d visits", err, visits)
	}
	ctx, cancel := context.WithCancel(b.Context())
	visits = 0
	if _, err := b.s.Walk(ctx, func(image.Digest, int64, time.Time) error {
		visits++
		cancel()
		return nil
	}); !errors.Is(err, context.Canceled) || visits != 1 {
		b.Fatalf("Walk = %v after %d visits", err, visits)
	}
}
