package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/share"
)

// What a hash of a password costs: OWASP's least for Argon2id. Two at once take some 40 MB.
const (
	hashMemory   = 19 * 1024 // KiB
	hashPasses   = 2
	hashThreads  = 1
	hashLength   = 32
	saltLength   = 16
	hashesAtOnce = 2
	hashWait     = 10 * time.Second // for one's turn
)

// Passwords hashes passwords, few at once. Those who wait take turns by their addresses.
type Passwords struct {
	places *share.Places
	stand  string // is compared with where there is no password, so that this costs the same
}

// NewPasswords makes one.
func NewPasswords() *Passwords {
	s := &Passwords{places: share.New(share.Rules{Usual: hashesAtOnce, Most: hashesAtOnce})}
	s.stand = phc{hashMemory, hashPasses, hashThreads, make([]byte, saltLength), make([]byte, hashLength)}.text()
	return s
}

// Hash returns a password as it is kept, a PHC string.
func (s *Passwords) Hash(ctx context.Context, password, address string) (string, error) {
	salt := make([]byte, saltLength)
	_, _ = rand.Read(salt) // it never fails
	p := phc{memory: hashMemory, passes: hashPasses, threads: hashThreads, salt: salt, hash: make([]byte, hashLength)}
	hash, err := s.hashAs(ctx, p, password, address)
	p.hash = hash
	return p.text(), err
}

// Verify reports whether kept is of password, and whether it was hashed otherwise than Hash does it now. An empty kept
// is of no password, and takes as long.
func (s *Passwords) Verify(ctx context.Context, kept, password, address string) (same, old bool, err error) {
	known := kept != "" && len(password) <= maxPassword
	if !known {
		kept, password = s.stand, ""
	}
	p, err := parsePHC(kept)
	if err != nil {
		return false, false, err
	}
	hash, err := s.hashAs(ctx, p, password, address)
	if err != nil {
		return false, false, err
	}
	same = subtle.ConstantTimeCompare(hash, p.hash) == 1 && known
	return same, p.memory != hashMemory || p.passes != hashPasses || p.threads != hashThreads, nil
}

// hashAs hashes password with the salt and the costs of p, when it is address's turn.
func (s *Passwords) hashAs(ctx context.Context, p phc, password, address string) ([]byte, error) {
	wait, cancel := context.WithTimeoutCause(ctx, hashWait, image.Errorf(image.RateLimited,
		"too many people sign in at the same time").Suggest("Try again in a moment."))
	defer cancel()
	release, err := s.places.Take(wait, share.Key{By: share.Requester(address)})
	if err != nil {
		return nil, err
	}
	defer release()
	normal := norm.NFC.AppendString(nil, password)
	return argon2.IDKey(normal, p.salt, p.passes, p.memory, p.threads, uint32(len(p.hash))), nil
}

// phc is a hash with what it was made with, as the Password Hashing Competition's string format has them.
type phc struct {
	memory, passes uint32
	threads        uint8
	salt, hash     []byte
}

// Bounds of what is read, so that a row that somebody wrote into the database costs no more than memory and seconds.
const (
	mostMemory  = 256 * 1024
	mostPasses  = 16
	mostThreads = 16
	mostBytes   = 128
)

const phcFormat = "$argon2id$v=%d$m=%d,t=%d,p=%d$%s"

// text returns p as it is kept.
func (p phc) text() string {
	enc := base64.RawStdEncoding
	return fmt.Sprintf(phcFormat, argon2.Version, p.memory, p.passes, p.threads,
		enc.EncodeToString(p.salt)+"$"+enc.EncodeToString(p.hash))
}

func parsePHC(s string) (phc, error) {
	var p phc
	var version int
	var rest string
	_, err := fmt.Sscanf(s, phcFormat, &version, &p.memory, &p.passes, &p.threads, &rest)
	if err != nil {
		return phc{}, fmt.Errorf("a kept password is no hash by Argon2id: %w", err)
	}
	p.salt, p.hash, err = decodePair(rest)
	switch {
	case err != nil:
		return phc{}, fmt.Errorf("a kept password cannot be read: %w", err)
	case version != argon2.Version:
		return phc{}, fmt.Errorf("a kept password was hashed by version %d of Argon2id", version)
	case p.memory > mostMemory, p.passes > mostPasses, p.threads > mostThreads, p.passes == 0, p.threads == 0,
		len(p.salt) == 0, len(p.salt) > mostBytes, len(p.hash) < saltLength, len(p.hash) > mostBytes:
		return phc{}, fmt.Errorf("a kept password has costs out of bounds: m=%d,t=%d,p=%d", p.memory, p.passes, p.threads)
	}
	return p, nil
}
