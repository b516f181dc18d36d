package blob

import (
	"io/fs"
	"syscall"
)

// stamp tells the bytes of a file from others, as far as the file system does: whoever writes to the file, or puts
// another in its place, changes it. The zero stamp is that of a file that is not there.
type stamp struct {
	Inode    uint64 `json:"inode"`
	Size     int64  `json:"size"`
	Modified int64  `json:"modified"` // nanoseconds
}

func stampOf(info fs.FileInfo) stamp {
	st := stamp{Size: info.Size(), Modified: info.ModTime().UnixNano()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		st.Inode = sys.Ino
	}
	return st
}
