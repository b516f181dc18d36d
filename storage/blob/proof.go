package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"runtime"
	"sync"
	"syscall"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/memo"
)

// mostProved bounds the blobs that are known to be proved, some 250 bytes each. Of more, some are proved again.
const mostProved = 1 << 17

// key is a digest's bytes, which take less memory than its text.
type key [sha256.Size]byte

func keyOf(hexDigits string) (k key) {
	_, _ = hex.Decode(k[:], []byte(hexDigits)) // hexOf has proved it
	return k
}

func (k key) digest() image.Digest { return image.Digest("sha256:" + hex.EncodeToString(k[:])) }

// proofs is which stored blobs were proved since the start. A proof holds for as long as the file has the stamp that it
// had then.
type proofs struct {
	marks   *Marks
	hashing chan struct{} // one held by each proof: they read as fast as the disk gives

	proved *memo.Recent[key, stamp]

	mu      sync.Mutex
	proving map[key]chan struct{} // closed when the proof has ended
}

func newProofs(marks *Marks) *proofs {
	return &proofs{
		marks:   marks,
		hashing: make(chan struct{}, max(2, runtime.NumCPU())),
		proved:  memo.NewRecent[key, stamp](mostProved), proving: map[key]chan struct{}{},
	}
}

// of reports what is known of a file.
func (p *proofs) of(k key, st stamp) (proved, damaged bool) {
	if p.marks.of(k, st) {
		return false, true
	}
	was, known := p.proved.Get(k)
	return known && was == st, false
}

// found notes that a blob is damaged, and returns that in words.
func (p *proofs) found(d image.Digest, st stamp) error {
	p.proved.Take(keyOf(d.Encoded()))
	p.marks.add(d, st)
	return damagedBlob(d)
}

// begin makes the caller the one that proves a blob, until end is called, or gives a channel that is closed when
// somebody else has ended.
func (p *proofs) begin(k key) (end func(), other <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ch, taken := p.proving[k]; taken {
		return nil, ch
	}
	ch := make(chan struct{})
	p.proving[k] = ch
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.proving, k)
		close(ch)
	}, nil
}

// Prove reads a stored blob and proves its digest, unless that was done since the start and its file is the same;
// several who want it wait for one. read, which may be nil, is told of the bytes as they are read. NotFound where there
// is no blob; Damaged where its bytes are others, which is remembered from then on.
func (s *Store) Prove(ctx context.Context, d image.Digest, read func(n int)) error {
	for {
		f, st, proved, err := s.open(d)
		if err != nil {
			return err
		}
		if proved {
			return f.Close()
		}
		end, other := s.proofs.begin(keyOf(d.Encoded()))
		if other == nil {
			err := s.proveFile(ctx, d, f, st, read)
			end()
			return errors.Join(err, f.Close())
		}
		_ = f.Close() // nothing was read
		select {
		case <-other:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// proveFile proves an open file.
func (s *Store) proveFile(ctx context.Context, d image.Digest, f *os.File, st stamp, read func(n int)) error {
	select {
	case s.proofs.hashing <- struct{}{}:
		defer func() { <-s.proofs.hashing }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	sum := sha256.New()
	buffer := make([]byte, rehashBuffer)
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := f.Read(buffer)
		sum.Write(buffer[:n])
		if read != nil && n > 0 {
			read(n)
		}
		if errors.Is(err, io.EOF) {
			return s.proofs.judge(d, st, sum)
		}
		if err != nil {
			return s.proofs.unread(d, st, err)
		}
	}
}

// judge notes what the bytes of a whole file have come to.
func (p *proofs) judge(d image.Digest, st stamp, sum hash.Hash) error {
	if hex.EncodeToString(sum.Sum(nil)) != d.Encoded() {
		return p.found(d, st)
	}
	p.proved.Put(keyOf(d.Encoded()), st)
	return nil
}

// unread words that a file cannot be read. One that the disk does not give back is damaged, too.
func (p *proofs) unread(d image.Digest, st stamp, err error) error {
	if errors.Is(err, syscall.EIO) || errors.Is(err, io.ErrUnexpectedEOF) {
		return p.found(d, st)
	}
	return failure("read blob "+string(d), err)
}

// written notes that the file which has just got a blob's name was proved while it was written.
func (p *proofs) written(hexDigits string) {
	st := p.marks.folder.stampOf(hexDigits)
	if st == (stamp{}) {
		return // it is gone again
	}
	p.marks.remove(hexDigits)
	p.proved.Put(keyOf(hexDigits), st)
}

// Damage notes that the file of a blob is not what it should be, or not there, as whoever wanted it has seen.
func (s *Store) Damage(d image.Digest) error {
	name, err := hexOf(d)
	if err != nil {
		return err
	}
	return s.proofs.found(d, s.Folder.stampOf(name))
}

// open opens a stored blob and reports whether it has been proved. NotFound, or Damaged where it is known to be.
func (s *Store) open(d image.Digest) (f *os.File, st stamp, proved bool, err error) {
	name, err := hexOf(d)
	if err != nil {
		return nil, st, false, err
	}
	f, info, err := openFile(d, s.Folder.blobPath(name))
	if err != nil {
		if image.KindOf(err) == image.NotFound && s.Marks.of(keyOf(name), stamp{}) { // found missing before
			err = damagedBlob(d)
		}
		return nil, st, false, err
	}
	st = stampOf(info)
	proved, damaged := s.proofs.of(keyOf(name), st)
	if damaged {
		return nil, st, false, errors.Join(damagedBlob(d), f.Close())
	}
	return f, st, proved, nil
}
