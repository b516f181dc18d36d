package blob

import (
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/docker/go-units"

	"github.com/stowage/stowage/image"
)

// What stays free on the volume where nobody said otherwise: a share of it, within bounds that suit both a small
// volume and a large one.
const (
	reserveShare = 20 // a twentieth
	leastReserve = 32 << 20
	mostReserve  = 1 << 30
	tinyShare    = 4 // but never more than a quarter
)

// lookEvery is after how many bytes of blobs, whoever writes them, the volume is looked at again: somebody else may
// write to it, too.
const lookEvery = 1 << 20

// defaultReserve is what stays free of a volume where nobody said otherwise.
func defaultReserve(total int64) int64 {
	return min(max(total/reserveShare, leastReserve), mostReserve, total/tinyShare)
}

// Room is how the volume of the data folder stands. Sizes are bytes.
type Room struct {
	Free     int64 // that may be written
	Volume   int64 // in all
	Reserve  int64 // that stay free of blobs, for the database and index.json; a part of them may be the ballast
	Ballast  int64 // of the reserve, that a file holds
	Promised int64 // that are reserved and not written yet
}

// Left is what can still be promised; negative where less than the reserve is free.
func (r Room) Left() int64 { return r.Free + r.Ballast - r.Reserve - r.Promised }

// Low reports whether the volume is down to its reserve.
func (r Room) Low() bool { return r.Free+r.Ballast < r.Reserve }

// Volume is the room on the volume of the data folder: an account of what was promised to whoever writes blobs. A blob
// counts once, however many want it.
type Volume struct {
	folder  *Folder
	ballast *ballast
	reserve int64        // 0: by the volume's size; negative: none
	unseen  atomic.Int64 // bytes of blobs that were written since the volume was looked at

	mu       sync.Mutex
	promised int64
	claims   map[string]*claim // by hex digits
}

func newVolume(folder *Folder) *Volume {
	return &Volume{folder: folder, ballast: &ballast{path: filepath.Join(folder.dir, BallastName)},
		claims: map[string]*claim{}}
}

// claim is room for one blob.
type claim struct {
	size    int64
	there   int64 // bytes on the disk, of size at most
	holders int
}

func (c *claim) missing() int64 { return max(0, c.size-c.there) }

// Reservation is room without a blob. Release gives back what is left of it.
type Reservation struct {
	volume *Volume
	left   int64 // guarded by volume.mu
}

// KeepFree says how many bytes of the volume stay free of blobs: 0 for a share of it, negative for none. It is called
// before anything is written.
func (v *Volume) KeepFree(bytes int64) { v.reserve = bytes }

// Measure puts something else in place of the file system that is asked for the volume's free bytes and its size, so
// that a test has a small disk anywhere. It is called before anything is written.
func (v *Volume) Measure(volume func(dir string) (free, total uint64, err error)) {
	v.folder.sys.volume = volume
}

// Free returns the bytes that the server may still write to the volume, and the volume's size.
func (v *Volume) Free() (free, total uint64, err error) { return v.folder.free() }

// Room returns how the volume stands.
func (v *Volume) Room() (Room, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.room()
}

// room is Room. v.mu is held.
func (v *Volume) room() (Room, error) {
	free, total, err := v.folder.free()
	if err != nil {
		return Room{}, err
	}
	r := Room{Free: int64(free), Volume: int64(total), Reserve: v.reserve, Promised: v.promised, Ballast: v.ballast.size()}
	switch {
	case r.Reserve == 0:
		r.Reserve = defaultReserve(r.Volume)
	case r.Reserve < 0:
		r.Reserve = 0
	}
	return r, nil
}

// Reserve sets bytes aside, DiskFull where there is no room for them.
func (v *Volume) Reserve(bytes int64) (*Reservation, error) {
	r := &Reservation{volume: v}
	if err := r.Grow(bytes); err != nil {
		return nil, err
	}
	return r, nil
}

// Grow makes sure that bytes are set aside.
func (r *Reservation) Grow(bytes int64) error {
	v := r.volume
	v.mu.Lock()
	defer v.mu.Unlock()
	more := bytes - r.left
	if more <= 0 {
		return nil
	}
	if err := v.refuse(more); err != nil {
		return err
	}
	v.promised += more
	r.left += more
	return nil
}

// spend takes bytes that are about to be written out of what is set aside. Beyond that there has to be room.
func (r *Reservation) spend(bytes int64) error {
	v := r.volume
	looks := v.unseen.Add(bytes) >= lookEvery
	v.mu.Lock()
	defer v.mu.Unlock()
	took := min(r.left, bytes)
	r.left -= took
	v.promised -= took
	if !looks {
		return nil
	}
	v.unseen.Store(0)
	if took < bytes {
		return v.refuse(bytes - took)
	}
	return v.floor(bytes)
}

// Release gives up what is left. It may be called more than once.
func (r *Reservation) Release() {
	r.volume.mu.Lock()
	defer r.volume.mu.Unlock()
	r.volume.promised -= r.left
	r.left = 0
}

// ReserveBlobs sets room aside for what is missing of blobs until release is called, which may be more than once. What
// is stored, and what somebody else reserved already, takes none. from, which may be nil, is used up first. DiskFull
// where there is no room for all of them; nothing is reserved then.
func (s *Store) ReserveBlobs(blobs []image.Descriptor, from *Reservation) (release func(), err error) {
	claims := make(map[string]*claim, len(blobs))
	for _, b := range blobs { // looks at the disk, so not under the lock
		hex, err := hexOf(b.Digest)
		if err != nil {
			return nil, err
		}
		if c := claims[hex]; c != nil {
			c.size = max(c.size, b.Size)
		} else if !s.Has(b.Digest, b.Size) {
			claims[hex] = &claim{size: b.Size, there: min(s.Partials.Size(b.Digest), b.Size)}
		}
	}
	if err := s.Volume.claim(claims, from); err != nil {
		return nil, err
	}
	return sync.OnceFunc(func() {
		for hex := range claims {
			s.Volume.letGo(hex)
		}
	}), nil
}

// claim makes claims for blobs, or joins those that are there.
func (v *Volume) claim(claims map[string]*claim, from *Reservation) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	var more int64
	for hex, c := range claims {
		if have := v.claims[hex]; have == nil {
			more += c.missing()
		} else if c.size > have.size {
			more += c.size - have.size
		}
	}
	var credit int64
	if from != nil {
		credit = min(from.left, more)
	}
	if more > credit {
		if err := v.refuse(more - credit); err != nil {
			return err
		}
	}
	if from != nil {
		from.left -= credit
	}
	v.promised -= credit
	for hex, c := range claims {
		have := v.claims[hex]
		if have == nil {
			have = c
			v.claims[hex] = have
			v.promised += have.missing()
		} else if c.size > have.size {
			v.change(have, func() { have.size = c.size })
		}
		have.holders++
	}
	return nil
}

// change keeps the sum true. v.mu is held.
func (v *Volume) change(c *claim, f func()) {
	v.promised -= c.missing()
	f()
	v.promised += c.missing()
}

func (v *Volume) letGo(hex string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := v.claims[hex]
	if c == nil {
		return
	}
	if c.holders--; c.holders == 0 {
		v.promised -= c.missing()
		delete(v.claims, hex)
	}
}

// at notes how much of a blob is on the disk now.
func (v *Volume) at(hex string, offset int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c := v.claims[hex]; c != nil {
		v.change(c, func() { c.there = min(offset, c.size) })
	}
}

// mayWrite refuses (DiskFull) bytes that would leave less free than the reserve. Mostly it does not look.
func (v *Volume) mayWrite(bytes int) error {
	if v.unseen.Add(int64(bytes)) < lookEvery {
		return nil
	}
	v.unseen.Store(0)
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.floor(int64(bytes))
}

// floor refuses bytes that would leave less free than the reserve, whatever was promised. v.mu is held.
func (v *Volume) floor(bytes int64) error {
	r, err := v.room()
	if err != nil {
		return err
	}
	if r.Free+r.Ballast-bytes >= r.Reserve {
		return nil
	}
	return full("the server's disk is full: %s are free, and %s stay free for the database",
		human(r.Free), human(r.Reserve-r.Ballast))
}

// refuse refuses to promise more bytes than there is room for. v.mu is held.
func (v *Volume) refuse(bytes int64) error {
	if bytes <= 0 {
		return nil
	}
	r, err := v.room()
	if err != nil {
		return err
	}
	left := r.Left()
	if bytes <= left {
		return nil
	}
	missing := bytes - left
	left = max(0, left)
	if r.Promised > 0 {
		return full("not enough room on the server's disk: %s more are needed, there is room for %s beside the %s that other pulls and uploads will take, and %s are missing",
			human(bytes), human(left), human(r.Promised), human(missing))
	}
	return full("not enough room on the server's disk: %s more are needed, there is room for %s, and %s are missing",
		human(bytes), human(left), human(missing))
}

// Check refuses (DiskFull) size more bytes where the volume has no room for them. Nothing is reserved.
func (v *Volume) Check(size int64) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if size <= 0 { // nobody knows how much will come
		return v.floor(lookEvery)
	}
	return v.refuse(size)
}

func human(bytes int64) string { return units.HumanSize(float64(bytes)) }
