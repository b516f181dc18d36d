package blob

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
)

// manyBytes are bytes that do not repeat.
func manyBytes(n int) []byte {
	random := rand.New(rand.NewPCG(3, uint64(n)))
	raw := make([]byte, n)
	for i := range raw {
		raw[i] = byte(random.Uint32())
	}
	return raw
}

// flip changes one byte of a stored blob, as a disk does, and what tells of the change is another time.
func flip(t *testing.T, s *Store, d image.Digest, at int64) {
	t.Helper()
	path := s.Folder.blobPath(d.Encoded())
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	one := make([]byte, 1)
	if _, err := f.ReadAt(one, at); err != nil {
		t.Fatal(err)
	}
	one[0] ^= 0x10
	if _, err := f.WriteAt(one, at); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Close(), os.Chtimes(path, time.Now(), time.Now().Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
}

// again opens the store's folder as the next process does.
func again(t *testing.T, s *Store) *Store {
	t.Helper()
	return open(t, s.Folder.dir)
}

func TestABlobIsProvedOnceAndThenItsFileItselfIsHandedOut(t *testing.T) {
	s := open(t, t.TempDir())
	raw := manyBytes(300 << 10)
	d := store(t, s, raw)
	isFile := func(s *Store) bool {
		t.Helper()
		f, size, err := s.OpenProved(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		got, err := io.ReadAll(f)
		if err != nil || size != int64(len(raw)) || !bytes.Equal(got, raw) {
			t.Fatalf("%d bytes of %d, %v", len(got), size, err)
		}
		_, plain := f.(*os.File)
		return plain
	}
	if !isFile(s) {
		t.Error("what was proved when it was written is proved again")
	}
	s = again(t, s)
	if isFile(s) {
		t.Error("nobody has proved it since the start")
	}
	if !isFile(s) {
		t.Error("it is proved a second time")
	}
}

func TestTheEndOfADamagedBlobIsNeverHandedOut(t *testing.T) {
	raw := manyBytes(300 << 10)
	for name, at := range map[string]int64{"first byte": 0, "middle": 150 << 10, "held back": 290 << 10, "last byte": 300<<10 - 1} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			d := store(t, s, raw)
			flip(t, s, d, at)
			s = again(t, s)
			f, _, err := s.OpenProved(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			got, err := io.ReadAll(f)
			wantKind(t, err, image.Damaged)
			if len(got) > len(raw)-Unproved {
				t.Errorf("%d bytes of %d were handed out", len(got), len(raw))
			}
			isDamaged(t, s, d, len(raw))
			isDamaged(t, again(t, s), d, len(raw))
		})
	}
}

// isDamaged checks that a blob is known to be damaged and had by nobody.
func isDamaged(t *testing.T, s *Store, d image.Digest, size int) {
	t.Helper()
	_, _, err := s.OpenProved(t.Context(), d)
	wantKind(t, err, image.Damaged)
	_, err = s.ReadAll(d, int64(size))
	wantKind(t, err, image.Damaged)
	wantKind(t, s.Prove(t.Context(), d, nil), image.Damaged)
	if all := s.Marks.All(); s.Has(d, int64(size)) || !s.Marks.Has(d) || len(all) != 1 || all[0] != d {
		t.Errorf("it is there, and damaged are %v", all)
	}
}

func TestAPartOfADamagedBlobIsNotHandedOutEither(t *testing.T) {
	s := open(t, t.TempDir())
	raw := manyBytes(300 << 10)
	d := store(t, s, raw)
	whole := again(t, s)
	f, _, err := whole.OpenProved(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	part := make([]byte, 1000)
	for _, at := range []int64{200_000, 10, 299 << 10, 0} { // in any order
		if _, err := f.Seek(at, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(f, part); err != nil || !bytes.Equal(part, raw[at:at+1000]) {
			t.Fatalf("from %d: %v", at, err)
		}
	}
	flip(t, s, d, 5)
	s = again(t, s)
	f, _, err = s.OpenProved(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(200_000, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	n, err := f.Read(part)
	wantKind(t, err, image.Damaged)
	if n != 0 {
		t.Errorf("%d bytes", n)
	}
}

func TestABlobThatIsWrittenAnewIsMended(t *testing.T) {
	s := open(t, t.TempDir())
	raw := manyBytes(300 << 10)
	d := store(t, s, raw)
	flip(t, s, d, 7)
	s = again(t, s)
	wantKind(t, s.Prove(t.Context(), d, nil), image.Damaged)
	store(t, s, raw)
	for _, s := range []*Store{s, again(t, s)} {
		wantBlob(t, s, d, raw)
		if all := s.Marks.All(); len(all) != 0 || !s.Has(d, int64(len(raw))) {
			t.Errorf("damaged are %v", all)
		}
	}
	if names, err := os.ReadDir(s.Marks.dir); err != nil || len(names) != 0 {
		t.Errorf("marks %v, %v", names, err)
	}
}

func TestADamagedBlobThatSeveralFindAtOnceIsMarked(t *testing.T) {
	s := open(t, t.TempDir())
	d := store(t, s, manyBytes(1<<10))
	flip(t, s, d, 7)
	s.Marks.OnDamage(func(_ image.Digest, mark error) {
		if mark != nil {
			t.Errorf("the mark is not kept: %v", mark)
		}
	})
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() { _ = s.Damage(d) })
	}
	all.Wait()
	if !again(t, s).Marks.Has(d) {
		t.Error("the next start does not know")
	}
}

func TestAPartOfAFileThatWasReplacedMeanwhileIsNotHandedOut(t *testing.T) {
	s := open(t, t.TempDir())
	raw := manyBytes(300 << 10)
	d := store(t, s, raw)
	flip(t, s, d, 200_010)
	s = again(t, s)
	f, _, err := s.OpenProved(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	right := s.Folder.blobPath(d.Encoded()) + ".right"
	if err := errors.Join(os.WriteFile(right, raw, 0o600), os.Rename(right, s.Folder.blobPath(d.Encoded()))); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(200_000, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	n, err := f.Read(make([]byte, 100))
	wantKind(t, err, image.Damaged)
	if n != 0 {
		t.Errorf("%d bytes of the file that was there before", n)
	}
	wantBlob(t, s, d, raw)
}

func TestAFileThatSomebodyPutInThePlaceOfADamagedOneIsProvedAnew(t *testing.T) {
	s := open(t, t.TempDir())
	raw := []byte("small")
	d := store(t, s, raw)
	flip(t, s, d, 1)
	_, err := s.ReadAll(d, 100)
	wantKind(t, err, image.Damaged)
	path := s.Folder.blobPath(d.Encoded())
	if err := errors.Join(os.Remove(path), os.WriteFile(path, raw, 0o444)); err != nil {
		t.Fatal(err)
	}
	wantBlob(t, again(t, s), d, raw)
	wantBlob(t, s, d, raw)
}

func TestSeveralWhoWantABlobProvedWaitForOneAndACancelEndsIt(t *testing.T) {
	s := open(t, t.TempDir())
	raw := manyBytes(4 << 20)
	d := store(t, s, raw)
	s = again(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Prove(ctx, d, func(int) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatalf("it ended with %v", err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	read := 0
	for range 8 {
		wg.Go(func() {
			if err := s.Prove(t.Context(), d, func(n int) { mu.Lock(); read += n; mu.Unlock() }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if read != len(raw) {
		t.Errorf("%d bytes were read of %d", read, len(raw))
	}
}
