package storage

import (
	"testing"

	"github.com/stowage/stowage/shelf"
)

// BenchmarkUsage counts what uses the disk of the shelf of the benchmarks, and what goes into it.
func BenchmarkUsage(b *testing.B) {
	s := newBenchShelf(b, 0)
	b.Run("count", func(b *testing.B) {
		for b.Loop() {
			u, err := s.Usage.countUsage(b.Context())
			if err != nil || u.Blobs == 0 {
				b.Fatalf("%+v, %v", u, err)
			}
		}
	})
	b.Run("files and sums of a request", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Usage.DiskUse(b.Context(), shelf.Usage{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, asked := range map[string]shelf.Prune{"plan of dangling digests": {}, "plan of all": {All: true}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Removals.PlanPrune(b.Context(), asked); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
