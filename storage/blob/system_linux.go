package blob

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// writebackStep is how many bytes are written between two calls.
const writebackStep = 8 << 20

// writeback asks the kernel to begin writing a growing file to the disk while more of it arrives, so that
// the sync at its end has little left to do. It promises nothing: that sync decides.
type writeback struct {
	begun int64 // bytes from the start of the file that were asked for
}

func (b *writeback) start(offset int64) { b.begun = offset }

func (b *writeback) wrote(f *os.File, offset int64) {
	if offset-b.begun < writebackStep {
		return
	}
	// A hint; file systems that cannot do it are no worse off.
	_ = unix.SyncFileRange(int(f.Fd()), b.begun, offset-b.begun, unix.SYNC_FILE_RANGE_WRITE)
	b.begun = offset
}

// allocate makes an empty file so many bytes long, with real blocks.
func allocate(f *os.File, size int64) error {
	err := unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return fill(f, size)
	}
	return err
}
