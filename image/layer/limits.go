package layer

import (
	"errors"
	"math"

	"github.com/docker/go-units"

	"github.com/stowage/stowage/image"
)

const (
	mib = 1 << 20
	gib = 1 << 30

	// floorBytes lets small layers unpack to a preallocated file (database journals, disk images), which is all zeros and
	// compresses a thousandfold.
	floorBytes = 1 * gib
	// maxRatio is how much larger than its blob a layer may be above floorBytes. Programs and libraries compress 2 to
	// 4 times, text and source 5 to 10, logs 20 to 40. Gzip ends at 1032; zstd at some 30,000.
	maxRatio = 250
	// defaultEntries is several times what the largest package trees hold (a monorepo's node_modules: some 300,000).
	defaultEntries = 1_000_000
	// defaultWindow is what the zstd tool itself accepts without --long or --memory, and what its level 22 writes.
	// Builders written in Go write 8 MiB.
	defaultWindow = 128 * mib
)

// Limits bounds one inspection. All fields must be positive; DefaultLimits fills them.
type Limits struct {
	// MaxBytes bounds the uncompressed tar, and also the unpacked size, which can be larger where the
	// tar holds sparse files.
	MaxBytes int64
	// MaxEntries bounds the entries of the tar, PAX global headers included.
	MaxEntries int64
	// MaxWindow bounds the memory that a zstd frame may ask for, in bytes (RFC 8878 section 3.1.1.1.2).
	MaxWindow int64
}

// DefaultLimits returns the limits for a layer blob of compressedSize bytes: 1 GiB or 250 times its size, whichever
// is more, a million entries and a zstd window of 128 MiB.
func DefaultLimits(compressedSize int64) Limits {
	l := Limits{MaxBytes: floorBytes, MaxEntries: defaultEntries, MaxWindow: defaultWindow}
	if compressedSize > math.MaxInt64/maxRatio {
		l.MaxBytes = math.MaxInt64
	} else if scaled := compressedSize * maxRatio; scaled > l.MaxBytes {
		l.MaxBytes = scaled
	}
	return l
}

func (l Limits) validate() error {
	if l.MaxBytes <= 0 || l.MaxEntries <= 0 || l.MaxWindow <= 0 {
		return errors.New("limits must be positive")
	}
	return nil
}

func tooLarge(maxBytes int64) error {
	return &fault{of: ErrTooLarge, why: image.Textf("it unpacks to more than %s", units.HumanSize(float64(maxBytes)))}
}
