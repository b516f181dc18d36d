package blob

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/stowage/stowage/image"
)

// Reader is a blob, or the part of it that is there, opened for reading. It is an alias, so that those who read blobs
// can name it without this package. Only what OpenProved returns may be an *os.File as well, which the kernel can send.
type Reader = interface {
	io.ReaderAt
	io.Closer
	// Size returns the bytes that were there when it was opened.
	Size() int64
}

// file is a Reader of a file on the disk.
type file struct {
	*os.File
	size int64
}

func (f file) Size() int64 { return f.size }

// noFollow keeps a link that somebody put into the data folder from leading out of it.
const noFollow = syscall.O_NOFOLLOW

func openFile(d image.Digest, path string) (*os.File, fs.FileInfo, error) {
	// Non-blocking, so that opening something that is no file (a named pipe) does not wait for ever.
	f, err := os.OpenFile(path, os.O_RDONLY|noFollow|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP) {
		return nil, nil, notStored(d)
	}
	if err != nil {
		return nil, nil, failure("open blob "+string(d), err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, nil, failure("open blob "+string(d), errors.Join(err, f.Close()))
	}
	if !info.Mode().IsRegular() {
		_ = f.Close() // nothing was read
		return nil, nil, notStored(d)
	}
	return f, info, nil
}
