package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"math/big"
	"strings"

	"github.com/stowage/stowage/image"
)

// Hash is what is kept of a secret. Secrets are random and long, so that one pass of SHA-256 is enough.
type Hash [sha256.Size]byte

func hashOf(secret string) Hash { return sha256.Sum256([]byte(secret)) }

const (
	secretBytes  = 32
	tokenPrefix  = "stw_" // by which scanners for secrets know one
	tokenDigits  = 43     // of secretBytes
	tokenCheck   = 6      // of 32 bits
	hintLength   = 8      // of a token's beginning, by which people tell theirs apart
	codeLength   = 12
	codeGroup    = 4
	codeAlphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ" // without what looks alike: 0 and O, 1 and I
)

// newSecret returns what a session's cookie holds.
func newSecret() string { return base64.RawURLEncoding.EncodeToString(random(secretBytes)) }

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return b
}

// newToken returns a token: its prefix, random digits and a sum of them, so that one that was mistyped, or is none, is
// refused without a look at the database.
func newToken() string {
	digits := base62(new(big.Int).SetBytes(random(secretBytes)), tokenDigits)
	return tokenPrefix + digits + tokenSum(digits)
}

func tokenSum(digits string) string {
	return base62(new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(digits)))), tokenCheck)
}

// base62 writes a number with leading zeros.
func base62(n *big.Int, digits int) string {
	s := n.Text(62)
	return strings.Repeat("0", max(0, digits-len(s))) + s
}

// IsToken reports whether s has the form of a token.
func IsToken(s string) bool {
	digits, ok := strings.CutPrefix(s, tokenPrefix)
	return ok && len(digits) == tokenDigits+tokenCheck && digits[tokenDigits:] == tokenSum(digits[:tokenDigits])
}

// hint returns the beginning of a token.
func hint(token string) string { return token[:hintLength] }

// newCode returns a one-time code as it is shown, in groups.
func newCode() string {
	var b strings.Builder
	for i, r := range random(codeLength) {
		if i > 0 && i%codeGroup == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(codeAlphabet[int(r)%len(codeAlphabet)]) // 256 is a multiple of its length
	}
	return b.String()
}

// readCode returns a typed code as it is hashed. Case, blanks and hyphens do not matter, nor the words before a colon.
func readCode(typed string) (string, error) {
	typed = typed[strings.LastIndexByte(typed, ':')+1:]
	code := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -\u00a0\t\r\n", r) {
			return -1
		}
		return r
	}, strings.ToUpper(typed))
	if len(code) != codeLength || strings.Trim(code, codeAlphabet) != "" {
		return "", image.Errorf(image.Invalid, "a code has %d letters and digits, in groups of %d", codeLength, codeGroup).
			Suggest("Copy it as it is shown.")
	}
	return code, nil
}

// decodePair reads the salt and the hash at the end of a PHC string.
func decodePair(s string) (salt, hash []byte, err error) {
	first, second, found := strings.Cut(s, "$")
	if !found {
		return nil, nil, fmt.Errorf("no hash after the salt")
	}
	if salt, err = base64.RawStdEncoding.DecodeString(first); err != nil {
		return nil, nil, err
	}
	hash, err = base64.RawStdEncoding.DecodeString(second)
	return salt, hash, err
}
