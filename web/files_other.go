//go:build !unix

package web

// openFiles returns how many files the process may open; 0 where that is not known.
func openFiles() uint64 { return 0 }
