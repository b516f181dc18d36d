package image

import (
	"strings"

	_ "crypto/sha256" // go-digest needs the algorithm linked in
	_ "crypto/sha512" // and this one, to name it in what is refused

	"github.com/opencontainers/go-digest"
)

// Digest is the sha256 of a blob's bytes, as "sha256:<64 hex digits>". A Digest that came out of
// ParseDigest is safe as a file name.
type Digest = digest.Digest

// ParseDigest reads "sha256:<64 lower-case hex digits>". Other algorithms are refused: docker and the
// registries name images by sha256, and the blob folder has no place for others.
func ParseDigest(s string) (Digest, error) {
	d, err := digest.Parse(s)
	if err != nil {
		return "", Errorf(Invalid, "%q is not a digest: it must be sha256: and 64 hex digits", Shorten(s)).Because(err)
	}
	if d.Algorithm() != digest.SHA256 {
		return "", Errorf(Invalid, "digest algorithm %q is not supported, only sha256 is", d.Algorithm())
	}
	return d, nil
}

// DigestOf returns the digest of b.
func DigestOf(b []byte) Digest { return digest.SHA256.FromBytes(b) }

// ShortDigest returns the first 12 hex digits, as docker shows image IDs and layers.
func ShortDigest(d Digest) string {
	_, hex, found := strings.Cut(string(d), ":")
	if !found {
		hex = string(d)
	}
	if len(hex) > 12 {
		return hex[:12]
	}
	return hex
}

// ParseIDPrefix reads an image ID or the beginning of one: "sha256:" or nothing, then 1 to 64 hex digits in lower
// case, as docker takes them. It returns the digits.
func ParseIDPrefix(s string) (string, bool) {
	hex := strings.TrimPrefix(s, "sha256:")
	if hex == "" || len(hex) > 64 {
		return "", false
	}
	for _, c := range hex {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return "", false
		}
	}
	return hex, true
}

// NotAnID returns the error of what begins like an image ID and is none.
func NotAnID(name string) error {
	return Errorf(Invalid, "%.80q is not an image ID", name).Suggest("An image ID is sha256: and up to 64 hex digits.")
}

// Shorten returns s cut to 100 characters, so that hostile input cannot fill a message.
func Shorten(s string) string {
	const most = 100
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
