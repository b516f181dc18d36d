// Package listing is the list of images in memory: filters, orders and pages of it, without the database. It follows a
// Feed.
package listing

import (
	"cmp"
	"hash/maphash"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unique"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/memo"
	"github.com/stowage/stowage/shelf"
)

// Index is the list in memory: of each row what filters and orders need, and the rows in each order. Any combination of
// filters and any page is answered from it in a few milliseconds at 100,000 rows, which no set of SQL indexes does. The
// database is the truth: before each answer the index takes over what changed there (CatchUp), so it needs nobody to
// tell it and is right after a crash. Writers never wait for it. A row takes some 280 bytes, and 16 for each label.
type Index struct {
	seed maphash.Seed
	turn chan struct{} // holds a token while somebody brings the index up to date

	mu      sync.RWMutex
	change  int64 // up to which it knows the list; negative: nothing was read yet
	entries []entry
	free    []uint32 // places in entries without a row
	repos   map[int64]*repository
	sets    map[unique.Handle[string]]int // how many rows have each set of platforms
	orders  [orderCount][]uint32          // places in entries
	passed  *memo.Recent[predicateKey, *passed]
	offered atomic.Pointer[offeredAt]
}

// entry is a row of the list.
type entry struct {
	id        int64 // 0: no row
	name      string
	labels    string // see listlabels
	repo      *repository
	platforms unique.Handle[string] // as in the database, joined by blanks
	digest    [32]byte
	imageID   uint64 // its first digits, which put it in order
	created   int64  // milliseconds, as the database has them
	pulled    int64
	size      int64
	unpacked  int64
	total     int64
	handedAt  int64  // 0: never
	handed    uint32 // how often it was handed out, as far as that goes
	direct    uint32 // of that, by its digest
	reason    reasonCode
	update    updateCode
	pinned    bool
	upper     bool // name has upper-case letters
}

// repository is what the rows of a repository have in common.
type repository struct {
	id       int64
	name     image.Repository
	familiar string
	host     string
	rows     int
}

type reasonCode uint8

const (
	tagged reasonCode = iota
	askedFor
	dangling
)

var reasonCodes = map[shelf.Reason]reasonCode{shelf.ByTag: tagged, shelf.ByDigest: askedFor, shelf.Dangling: dangling}

// updateCode is an UpdateState in the order of SortUpdate.
type updateCode uint8

var updateCodes = map[shelf.UpdateState]updateCode{shelf.UpdateAvailable: 0, shelf.UpdateGone: 1,
	shelf.UpdateUnknown: 2, shelf.UpdateCurrent: 3, shelf.UpdateUnchecked: 4}

// order names one of the orders that the index keeps.
type order int

const (
	inID         order = iota // by the row's ID, for finding it
	inRepository              // by repository and digest, for grouping
	inName
	inPlatforms
	inImageID
	inCreated
	inPulled
	inSize
	inUnpacked
	inUpdate
	inDownloads
	orderCount
)

// rowOrders are the orders of rows that people can choose.
var rowOrders = map[shelf.Sort]order{
	"": inName, shelf.SortName: inName, shelf.SortPlatforms: inPlatforms, shelf.SortID: inImageID,
	shelf.SortCreated: inCreated, shelf.SortPulled: inPulled,
	shelf.SortSize: inSize, shelf.SortUnpacked: inUnpacked, shelf.SortUpdate: inUpdate, shelf.SortDownloads: inDownloads,
}

// New makes an empty index, which has read nothing yet.
func New() *Index {
	return &Index{
		seed: maphash.MakeSeed(), turn: make(chan struct{}, 1), change: -1,
		passed: memo.NewRecent[predicateKey, *passed](mostPassed),
	}
}

// compare puts two places in order. No two are equal, since their IDs differ.
func (x *Index) compare(o order, i, j uint32) int {
	a, b := &x.entries[i], &x.entries[j]
	c := 0
	switch o {
	case inID:
		return cmp.Compare(a.id, b.id)
	case inRepository:
		if a.repo != b.repo {
			return cmp.Or(strings.Compare(a.repo.familiar, b.repo.familiar), cmp.Compare(a.repo.id, b.repo.id))
		}
		return cmp.Or(slices.Compare(a.digest[:], b.digest[:]), cmp.Compare(a.id, b.id))
	case inPlatforms:
		if a.platforms != b.platforms {
			c = strings.Compare(a.platforms.Value(), b.platforms.Value())
		}
	case inImageID:
		c = cmp.Compare(a.imageID, b.imageID)
	case inCreated:
		c = cmp.Compare(a.created, b.created)
	case inPulled:
		c = cmp.Compare(a.pulled, b.pulled)
	case inSize:
		c = cmp.Compare(a.size, b.size)
	case inUnpacked:
		c = cmp.Compare(a.unpacked, b.unpacked)
	case inUpdate:
		c = cmp.Compare(a.update, b.update)
	case inDownloads:
		c = cmp.Or(cmp.Compare(a.handed, b.handed), cmp.Compare(a.handedAt, b.handedAt))
	case inName, orderCount:
	}
	if c != 0 {
		return c
	}
	return cmp.Or(strings.Compare(a.name, b.name), cmp.Compare(a.id, b.id))
}

// place finds a row by its ID.
func (x *Index) place(id int64) (uint32, bool) {
	at, found := slices.BinarySearchFunc(x.orders[inID], id,
		func(i uint32, id int64) int { return cmp.Compare(x.entries[i].id, id) })
	if !found {
		return 0, false
	}
	return x.orders[inID][at], true
}

// apply takes rows out and puts others in. An ID can be among both: the row has changed. The caller holds mu.
func (x *Index) apply(gone []int64, come []entry) {
	dropped := newBitset(len(x.entries))
	var touched []uint32
	for _, id := range gone {
		if i, found := x.place(id); found && !dropped.has(i) {
			dropped.set(i)
			touched = append(touched, i)
			x.forget(&x.entries[i])
		}
	}
	for _, i := range touched {
		x.entries[i] = entry{}
	}
	x.free = append(x.free, touched...)
	added := make([]uint32, len(come))
	for k, e := range come {
		added[k] = x.add(e)
	}
	for o := range orderCount {
		if len(touched) > 0 {
			x.orders[o] = slices.DeleteFunc(x.orders[o], dropped.has)
		}
		slices.SortFunc(added, func(i, j uint32) int { return x.compare(o, i, j) })
		x.orders[o] = x.merge(o, x.orders[o], added)
	}
	x.changed(append(touched, added...))
}

// forget takes a row out of the counts.
func (x *Index) forget(e *entry) {
	if e.repo.rows--; e.repo.rows == 0 {
		delete(x.repos, e.repo.id)
	}
	if x.sets[e.platforms]--; x.sets[e.platforms] == 0 {
		delete(x.sets, e.platforms)
	}
}

// add returns a row a place and counts it.
func (x *Index) add(e entry) uint32 {
	x.count(&e)
	if n := len(x.free); n > 0 {
		i := x.free[n-1]
		x.free = x.free[:n-1]
		x.entries[i] = e
		return i
	}
	x.entries = append(x.entries, e)
	return uint32(len(x.entries) - 1)
}

// count counts a row. Its repository may be one that is known already.
func (x *Index) count(e *entry) {
	if known := x.repos[e.repo.id]; known != nil {
		e.repo = known
	} else {
		x.repos[e.repo.id] = e.repo
	}
	e.repo.rows++
	x.sets[e.platforms]++
}

// merge puts sorted places into an order, from its end: what lies between two of them moves as one.
func (x *Index) merge(o order, list, added []uint32) []uint32 {
	end := len(list)
	list = slices.Grow(list, len(added))[:end+len(added)]
	for k := len(added) - 1; k >= 0; k-- {
		at, _ := slices.BinarySearchFunc(list[:end], added[k], func(i, j uint32) int { return x.compare(o, i, j) })
		copy(list[at+k+1:], list[at:end])
		list[at+k] = added[k]
		end = at
	}
	return list
}

// Offers returns what the filters can be set to.
func (x *Index) Offers() shelf.Offers {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if known := x.offered.Load(); known != nil && known.change == x.change {
		return known.Offers
	}
	o := x.offersNow()
	x.offered.Store(&offeredAt{o, x.change})
	return o
}

// offeredAt is what was offered as of a change.
type offeredAt struct {
	shelf.Offers
	change int64
}

func (x *Index) offersNow() (o shelf.Offers) {
	hosts, platforms := map[string]bool{}, map[string]bool{}
	for _, r := range x.repos {
		hosts[r.host] = true
	}
	for set := range x.sets {
		for p := range strings.FieldsSeq(set.Value()) {
			platforms[p] = true
		}
	}
	for h := range hosts {
		o.Registries = append(o.Registries, h)
	}
	slices.Sort(o.Registries)
	for s := range platforms {
		if p := image.StoredPlatform(s); p != (image.Platform{}) {
			o.Platforms = append(o.Platforms, p)
		}
	}
	slices.SortFunc(o.Platforms, func(a, b image.Platform) int { return strings.Compare(a.String(), b.String()) })
	return o
}

// bitset holds places.
type bitset []uint64

func newBitset(n int) bitset { return make(bitset, (n+63)/64) }

func (b bitset) set(i uint32)      { b[i/64] |= 1 << (i % 64) }
func (b bitset) clear(i uint32)    { b[i/64] &^= 1 << (i % 64) }
func (b bitset) has(i uint32) bool { return b[i/64]&(1<<(i%64)) != 0 }

func (b bitset) setAll(places []uint32) {
	for _, i := range places {
		b.set(i)
	}
}

func (b bitset) count() (n int) {
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// keep takes out what is not in other, which is as long.
func (b bitset) keep(other bitset) {
	for i := range b {
		b[i] &= other[i]
	}
}
