//go:build !linux

package blob

import "os"

// writeback is a hint that only Linux takes.
type writeback struct{}

func (*writeback) start(int64) {}

func (*writeback) wrote(*os.File, int64) {}

// allocate makes an empty file so many bytes long, with real blocks.
func allocate(f *os.File, size int64) error { return fill(f, size) }
