package blob

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/stowage/stowage/image"
)

// fullAfter makes the store's disk take room more bytes and then answer that it is full.
func fullAfter(s *Store, room int) {
	s.Folder.sys.write = func(f *os.File, p []byte) (int, error) {
		n, err := f.Write(p[:min(len(p), room)])
		room -= n
		if err == nil && n < len(p) {
			err = &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
		}
		return n, err
	}
}

func TestAFullDiskSaysSoAndKeepsWhatItTook(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	raw := []byte("0123456789")
	d := image.DigestOf(raw)
	fullAfter(s, 7)
	w := writer(t, s, d, 10)
	n, err := w.Write(raw)
	wantKind(t, err, image.DiskFull)
	if n != 7 || w.Offset() != 7 {
		t.Fatalf("Write = %d, Offset = %d, want 7", n, w.Offset())
	}
	var shown *image.Error
	if !errors.As(err, &shown) || shown.Suggestion == "" || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the error has no suggestion or hides its cause: %#v", err)
	}
	wantKind(t, s.WriteIndex(t.Context(), descriptors(1)), image.DiskFull)
	if index := wantLayout(t, dir); len(index.Manifests) != 0 {
		t.Fatal("index.json was replaced")
	}

	fullAfter(s, 1<<20) // somebody made room
	write(t, w, raw[7:])
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	wantBlob(t, s, d, raw)
	wantEmptyIngest(t, s)
}

func TestAnUsedUpQuotaIsAFullDisk(t *testing.T) {
	wantKind(t, failure("write", &os.PathError{Err: syscall.EDQUOT}), image.DiskFull)
	wantKind(t, failure("write", &os.PathError{Err: syscall.EIO}), image.Internal)
}

func TestBytesThatTheDiskDidNotTakeAreDiscarded(t *testing.T) {
	s := open(t, t.TempDir())
	raw := []byte("blob")
	d := image.DigestOf(raw)
	s.Folder.sys.fsync = func(f *os.File) error { return &os.PathError{Op: "sync", Path: f.Name(), Err: syscall.EIO} }
	w := writer(t, s, d, 4)
	write(t, w, raw)
	wantKind(t, w.Commit(), image.Internal)
	if s.Has(d, -1) {
		t.Fatal("a blob is stored that the disk did not take")
	}
	wantEmptyIngest(t, s)

	s.Folder.sys.fsync = (*os.File).Sync
	if err := w.Restart(); err != nil {
		t.Fatal(err)
	}
	write(t, w, raw)
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	wantBlob(t, s, d, raw)
}

func TestABlobWhoseNameIsNotDurableIsNotStored(t *testing.T) {
	s := open(t, t.TempDir())
	raw := []byte("blob")
	d := image.DigestOf(raw)
	s.Folder.sys.fsync = func(f *os.File) error {
		if f.Name() == s.Folder.blobs {
			if s.Has(d, -1) {
				t.Error("Has tells of a blob before its name is durable")
			}
			return syscall.EIO
		}
		return f.Sync()
	}
	w := writer(t, s, d, 4)
	write(t, w, raw)
	wantKind(t, w.Commit(), image.Internal)
	if s.Has(d, -1) {
		t.Fatal("Has tells of a blob whose name did not become durable")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s.Folder.sys.fsync = (*os.File).Sync
	store(t, s, raw) // which must not take it for stored
	if !s.Has(d, 4) {
		t.Fatal("not stored after all")
	}
}

// TestConcurrentCommitsAreDurableWhenTheyReturn counts a name as durable only when a sync of the folder
// began with the name in it.
func TestConcurrentCommitsAreDurableWhenTheyReturn(t *testing.T) {
	s := open(t, t.TempDir())
	var mu sync.Mutex
	content, durable := map[string]bool{}, map[string]bool{}
	syncs := 0
	s.Folder.sys.fsync = func(f *os.File) error {
		if f.Name() != s.Folder.blobs {
			err := f.Sync()
			mu.Lock()
			content[f.Name()] = err == nil
			mu.Unlock()
			return err
		}
		entries, err := os.ReadDir(f.Name())
		if err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		syncs++
		for _, e := range entries {
			durable[e.Name()] = true
		}
		return nil
	}
	const count, workers = 200, 16
	queue := make(chan []byte)
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for raw := range queue {
				d := image.DigestOf(raw)
				w, err := s.Partials.Writer(d, int64(len(raw)))
				if err != nil {
					t.Error(err)
					continue
				}
				if _, err := w.Write(raw); err != nil {
					t.Error(err)
				}
				if err := w.Commit(); err != nil {
					t.Error(err)
				}
				mu.Lock()
				if !content[s.Folder.partialPath(d.Encoded())] || !durable[d.Encoded()] {
					t.Errorf("Commit of %s returned before it was durable", d)
				}
				mu.Unlock()
				if !s.Has(d, int64(len(raw))) {
					t.Errorf("%s is not stored", d)
				}
			}
		})
	}
	for i := range count {
		queue <- fmt.Appendf(nil, "layer %d", i)
	}
	close(queue)
	all.Wait()
	if len(durable) != count || syncs > count {
		t.Errorf("%d blobs in %d syncs of their folder, want %d blobs", len(durable), syncs, count)
	}
}
