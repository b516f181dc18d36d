//go:build unix

package web

import "syscall"

// openFiles returns how many files the process may open; 0 where that is not known. Go raises it to what is allowed at
// the start.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return uint64(limit.Cur) //nolint:unconvert // signed on some systems
}
