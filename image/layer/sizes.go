package layer

import (
	"hash/maphash"
	"math"
)

// sizes sums the sizes of paths where the last size given for a path wins. It remembers 12 bytes for each path that is
// not empty instead of the path: a 64-bit hash and the size. The hash is seeded at random, so that nobody can prepare
// collisions; with a million paths two of them collide by chance in one of 37 million layers, which would make the sum
// wrong by one file's size and nothing else.
type sizes struct {
	total int64

	seed   maphash.Seed
	hashes []uint64 // open addressing, linear probing, length a power of two; 0 is a free slot
	sizes  []uint32 // beside hashes; isLarge sends to large
	large  map[uint64]int64
	used   int
}

const (
	firstSlots = 1 << 10
	isLarge    = math.MaxUint32
)

func newSizes() *sizes {
	return &sizes{
		seed:   maphash.MakeSeed(),
		hashes: make([]uint64, firstSlots),
		sizes:  make([]uint32, firstSlots),
		large:  map[uint64]int64{},
	}
}

// set makes size the size of path, which must be clean.
func (s *sizes) set(path string, size int64) {
	h := max(maphash.String(s.seed, path), 1)
	i, found := s.slot(h)
	switch {
	case found:
		s.total += size - s.get(i)
	case size == 0:
		return // nothing to replace, nothing to add
	default:
		if s.used >= len(s.hashes)/32*31 {
			s.grow()
			i, _ = s.slot(h)
		}
		s.hashes[i] = h
		s.used++
		s.total += size
	}
	if size < isLarge {
		delete(s.large, h)
		s.sizes[i] = uint32(size)
	} else {
		s.large[h] = size
		s.sizes[i] = isLarge
	}
}

func (s *sizes) get(i int) int64 {
	if s.sizes[i] == isLarge {
		return s.large[s.hashes[i]]
	}
	return int64(s.sizes[i])
}

// slot returns the place of h, or the free slot where it belongs.
func (s *sizes) slot(h uint64) (i int, found bool) {
	mask := len(s.hashes) - 1
	for i = int(h) & mask; s.hashes[i] != 0; i = (i + 1) & mask {
		if s.hashes[i] == h {
			return i, true
		}
	}
	return i, false
}

// grow doubles the table. It is let to fill up to 31 in 32 before, because a table of 2^20 slots (12 MiB) then holds a
// million paths; probing gets longer at the end (about 200 slots), and is still small beside parsing a tar header.
func (s *sizes) grow() {
	hashes, values := s.hashes, s.sizes
	s.hashes = make([]uint64, 2*len(hashes))
	s.sizes = make([]uint32, 2*len(values))
	for j, h := range hashes {
		if h != 0 {
			i, _ := s.slot(h)
			s.hashes[i], s.sizes[i] = h, values[j]
		}
	}
}
