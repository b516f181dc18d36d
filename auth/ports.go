package auth

import (
	"context"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// PeopleStore has the accounts as the entrance asks for them. Whatever changes one is recorded with the change.
type PeopleStore interface {
	// Kept returns an account with its password's hash, empty where it has none; image.NotFound where there is none.
	Kept(ctx context.Context, name string) (Person, string, error)
	// Rehash keeps another hash of the same password.
	Rehash(ctx context.Context, id int64, hash string) error
	// SetPassword keeps a new one, and ends the person's sessions but keep, which gets a new secret. Codes for the
	// person end, too.
	SetPassword(ctx context.Context, by image.Actor, id int64, hash string, keep int64, secret Hash) error
	// Code returns nil where a code is good: for the person called name, or the first one where that is empty.
	Code(ctx context.Context, code Hash, name string) error
	// KeepCode keeps a code for a person, or the first one where name is empty, in place of one that was there.
	KeepCode(ctx context.Context, by image.Actor, name string, code Hash, life time.Duration) error
	// First makes the first administrator with the first code, which then is no more.
	First(ctx context.Context, code Hash, p NewPerson) (Person, error)
	// Redeem sets a person's password with their code, which then is no more, and ends their sessions.
	Redeem(ctx context.Context, code Hash, name, hash string) (Person, error)
}

// SessionStore has the sessions as the entrance asks for them.
type SessionStore interface {
	// Stands reports whether a session, its person allowed in, has not ended.
	Stands(ctx context.Context, id int64) (bool, error)
	// Begin keeps a session and records the sign-in.
	Begin(ctx context.Context, by image.Actor, s Session, secret Hash) (Session, error)
	// Find returns the session of a secret, and its person; image.NotFound where there is none.
	Find(ctx context.Context, secret Hash) (Session, Person, error)
	// Renew replaces the secret of a session that wants a new one, and reports whether it does; the one before is good for
	// overlap, for requests under way.
	Renew(ctx context.Context, id int64, secret Hash, overlap time.Duration) (renewed bool, err error)
	// End ends a session and records that.
	End(ctx context.Context, by image.Actor, action image.Action, id int64) error
	// Seen notes when sessions were seen last.
	Seen(ctx context.Context, at map[int64]time.Time) error
}

// TokenStore has the tokens as the entrance asks for them.
type TokenStore interface {
	// Find returns the token of a secret with its owner: a person, or a robot where person has no ID; image.NotFound where
	// there is none.
	Find(ctx context.Context, secret Hash) (t Token, person Person, robot Robot, err error)
	// Stands reports whether a token, its owner allowed in, has not ended.
	Stands(ctx context.Context, id int64) (bool, error)
	// Make keeps a token, and records that.
	Make(ctx context.Context, by image.Actor, t Token, secret Hash) (Token, error)
	// Used notes when tokens were used last.
	Used(ctx context.Context, uses map[int64]TokenUse) error
}

// RecordStore is where refusals are noted.
type RecordStore interface {
	Note(ctx context.Context, lines ...shelf.Line) error
}

// TokenUse is the last use of a token.
type TokenUse struct {
	At      time.Time
	Address string
	Agent   string
}

// Visit is where somebody comes from.
type Visit struct {
	Address string
	Agent   string
	Request string
}

// wayIn returns what the record says of v.
func (v Visit) wayIn() shelf.WayIn { return shelf.WayIn{Address: v.Address, Request: v.Request} }
