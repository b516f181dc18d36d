package layer

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
)

func TestLastSizeOfEachPathCounts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s, want := newSizes(), map[string]int64{}
	choices := []int64{0, 1, 4096, isLarge - 1, isLarge, isLarge + 1, 1 << 40}
	for range 50_000 {
		path, size := fmt.Sprint("/path/", r.IntN(20_000)), choices[r.IntN(len(choices))]
		s.set(path, size)
		want[path] = size
	}
	var total int64
	large := 0
	for _, size := range want {
		total += size
		if size >= isLarge {
			large++
		}
	}
	if s.total != total {
		t.Errorf("total %d, want %d", s.total, total)
	}
	if len(s.large) != large {
		t.Errorf("%d large sizes kept, want %d", len(s.large), large)
	}
}

func TestPathsWithoutSizeTakeNoMemory(t *testing.T) {
	s := newSizes()
	for i := range 10 * firstSlots {
		s.set(fmt.Sprint(i), 0)
	}
	if s.used != 0 || len(s.hashes) != firstSlots {
		t.Errorf("%d of %d slots used", s.used, len(s.hashes))
	}
}

func TestMillionPathsTake12MiB(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := newSizes()
	for i := range defaultEntries {
		s.set(fmt.Sprintf("/usr/lib/node_modules/%d", i), 1)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if s.total != defaultEntries {
		t.Errorf("total %d, want %d", s.total, defaultEntries)
	}
	if got := after.HeapAlloc - before.HeapAlloc; got > 13<<20 {
		t.Errorf("%.1f MiB, want 12", float64(got)/mib)
	}
	runtime.KeepAlive(s)
}
