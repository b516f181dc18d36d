package blob

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// BallastName is the file that keeps a part of the reserve, so that somebody else who fills the volume does not get it.
const BallastName = "stowage.reserve"

// The ballast is a share of the reserve. What it is for, recording deletions, takes the same on a large volume.
const (
	ballastShare = 4
	leastBallast = 4 << 20
	mostBallast  = 32 << 20
)

// ballast is a file whose blocks are given up when the volume is full and something has to be recorded that makes room.
type ballast struct {
	path string
	held atomic.Int64 // bytes of the file; 0 while there is none

	mu sync.Mutex // one lays or yields at a time
}

// size returns the bytes that the ballast holds now.
func (b *ballast) size() int64 { return b.held.Load() }

// LayBallast lays the ballast where it is missing and the volume has room for it beside the reserve. That it cannot be
// laid is no error: it is tried again at the next call.
func (v *Volume) LayBallast() {
	b := v.ballast
	b.mu.Lock()
	defer b.mu.Unlock()
	r, err := v.Room()
	if err != nil || r.Reserve == 0 || b.size() > 0 {
		return
	}
	want := min(max(r.Reserve/ballastShare, leastBallast), mostBallast, r.Reserve/2)
	// That of an earlier process counts also where without it there is less than the reserve.
	if info, err := os.Lstat(b.path); err == nil && info.Mode().IsRegular() && blocks(info) >= want {
		b.held.Store(info.Size())
		return
	}
	if r.Low() {
		return
	}
	if b.lay(want) == nil {
		b.held.Store(want)
		return
	}
	_ = os.Remove(b.path) // a part of it is no use
}

// lay writes the file. Its blocks have to be real.
func (b *ballast) lay(size int64) error {
	if err := ignoreMissing(os.Remove(b.path)); err != nil {
		return err
	}
	f, err := os.OpenFile(b.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|noFollow, partialMode)
	if err != nil {
		return err
	}
	err = allocate(f, size)
	return errors.Join(err, f.Close())
}

// YieldBallast returns the ballast up where the volume has less free than it holds, and reports whether it did.
func (v *Volume) YieldBallast() bool {
	b := v.ballast
	b.mu.Lock()
	defer b.mu.Unlock()
	info, err := os.Lstat(b.path) // also of an earlier process
	if err != nil {
		return false
	}
	if free, _, err := v.Free(); err != nil || int64(free) >= info.Size() {
		return false
	}
	if err := os.Remove(b.path); err != nil {
		return false
	}
	b.held.Store(0)
	return true
}

// blocks returns the bytes that a file really takes.
func blocks(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * 512
	}
	return info.Size()
}

// fill writes bytes that no file system can compress away.
func fill(f *os.File, size int64) error {
	_, err := io.CopyN(f, rand.NewChaCha8([32]byte{}), size)
	return err
}
