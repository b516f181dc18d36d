// Package bench measures pulls, serving, pages and searches beside other programs, and writes docs/benchmarks.md.
package bench
