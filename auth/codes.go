package auth

import (
	"context"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// FirstCode makes the code with which the first administrator comes in, in place of one that was made before;
// image.Conflict where there is an administrator.
func (e *Entrance) FirstCode(ctx context.Context) (string, error) {
	return e.keepCode(ctx, image.Server, "", FirstCodeLife)
}

// Code makes a one-time code for a person, in place of one that was made before.
func (e *Entrance) Code(ctx context.Context, by image.Actor, name string) (string, error) {
	return e.keepCode(ctx, by, name, CodeLife)
}

func (e *Entrance) keepCode(ctx context.Context, by image.Actor, name string, life time.Duration) (string, error) {
	code := newCode()
	read, err := readCode(code)
	if err != nil {
		return "", err
	}
	return code, e.people.KeepCode(ctx, by, name, hashOf(read), life)
}

// First makes the first administrator and signs them in. A wrong code is refused before anything is hashed.
func (e *Entrance) First(ctx context.Context, v Visit, code string, p NewPerson) (secret string, s Session, err error) {
	hash, err := e.tryCode(ctx, v, code, "")
	if err != nil {
		return "", Session{}, err
	}
	if p.Name, p.Display, err = parseNames(p.Name, p.Display); err != nil {
		return "", Session{}, err
	}
	if p.Password, err = e.choose(ctx, v, p.Name, p.Password); err != nil {
		return "", Session{}, err
	}
	p.Role = Admin
	person, err := e.people.First(shelf.WithWayIn(ctx, v.wayIn()), hash, p)
	if err != nil {
		return "", Session{}, err
	}
	return e.begin(ctx, v, person, WayCode)
}

// Redeem sets a person's password with their one-time code, and signs them in.
func (e *Entrance) Redeem(ctx context.Context, v Visit, name, code, password string) (string, Session, error) {
	name, err := ParseName(name)
	if err != nil {
		return "", Session{}, err
	}
	hash, err := e.tryCode(ctx, v, code, name)
	if err != nil {
		return "", Session{}, err
	}
	kept, err := e.choose(ctx, v, name, password)
	if err != nil {
		return "", Session{}, err
	}
	person, err := e.people.Redeem(shelf.WithWayIn(ctx, v.wayIn()), hash, name, kept)
	if err == nil {
		err = person.LetIn()
	}
	if err != nil {
		return "", Session{}, err
	}
	return e.begin(ctx, v, person, WayCode)
}

// tryCode reads a typed code and looks whether it is good for name, five times a minute at most.
func (e *Entrance) tryCode(ctx context.Context, v Visit, typed, name string) (Hash, error) {
	left, err := e.slow.code(v.Address)
	if err != nil {
		return Hash{}, e.refuse(v, Person{}, err)
	}
	code, err := readCode(typed)
	if err != nil {
		return Hash{}, err
	}
	hash := hashOf(code)
	err = e.people.Code(ctx, hash, name)
	if err != nil && image.KindOf(err) == image.NotFound {
		person, _, _ := e.people.Kept(ctx, name) // only for the record
		err = e.refuse(v, person, image.Errorf(image.SignIn, "the code is wrong, or its time is over").
			Suggest("It can be tried %d more times within a minute.", left))
	}
	return hash, err
}

// choose returns a new password as it is kept, or why it is none.
func (e *Entrance) choose(ctx context.Context, v Visit, name, password string) (string, error) {
	if err := CheckPassword(password, name); err != nil {
		return "", err
	}
	return e.passwords.Hash(ctx, password, v.Address)
}

func parseNames(name, display string) (string, string, error) {
	name, err := ParseName(name)
	if err != nil {
		return "", "", err
	}
	display, err = ParseDisplay(display)
	return name, display, err
}
