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

// An eighth of the most entries that the default limits allow fills its table to the same degree, 95 in 100, as all of
// them fill theirs.
func TestPathsTake13BytesEach(t *testing.T) {
	const paths = defaultEntries / 8
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := newSizes()
	for i := range paths {
		s.set(fmt.Sprintf("/usr/lib/node_modules/%d", i), 1)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if s.total != paths {
		t.Errorf("total %d, want %d", s.total, paths)
	}
	if got := after.HeapAlloc - before.HeapAlloc; got > 13*paths {
		t.Errorf("%d bytes, want at most %d", got, 13*paths)
	}
	runtime.KeepAlive(s)
}
