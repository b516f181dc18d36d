package removal

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"

	"github.com/stowage/stowage/image"
)

// fingerprint is a hash of everything that a plan says it does, also of what its lists leave out.
type fingerprint struct{ lines hash.Hash }

func newFingerprint() fingerprint { return fingerprint{sha256.New()} }

// line adds to the fingerprint.
func (f fingerprint) line(format string, args ...any) {
	_, _ = fmt.Fprintf(f.lines, format+"\n", args...) // a hash takes everything
}

func (f fingerprint) digest() image.Digest {
	return image.Digest("sha256:" + hex.EncodeToString(f.lines.Sum(nil)))
}
