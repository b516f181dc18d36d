//go:build !linux

package blob

import "os"

// allocate gives an empty file so many bytes, with real blocks.
func allocate(f *os.File, size int64) error { return fill(f, size) }
