package auth

import (
	"context"
	"errors"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// Password signs somebody in. The secret is what the session's cookie holds. Too many tries are refused before anything
// is hashed or looked up, with image.RateLimited; a wrong name and a wrong password are the same, image.SignIn.
func (e *Entrance) Password(
	ctx context.Context, v Visit, typed, password string,
) (secret string, s Session, err error) {
	name, invalid := ParseName(typed)
	if invalid != nil {
		name = typed
	}
	attempt, err := e.slow.try(name, v.Address)
	if err != nil {
		return "", Session{}, e.refuse(v, Person{}, err)
	}
	person, err := e.verify(ctx, v, name, password)
	switch {
	case errors.Is(err, errWrong):
		attempt.failed()
		return "", Session{}, e.refuse(v, person, err)
	case err != nil && image.KindOf(err) != image.Forbidden:
		attempt.dropped()
		return "", Session{}, err
	}
	attempt.passed()
	if err != nil {
		return "", Session{}, e.refuse(v, person, err)
	}
	return e.begin(ctx, v, person, WayPassword)
}

// errWrong is what a wrong name and a wrong password have in common.
var errWrong = image.Errorf(image.SignIn, "the name or the password is wrong").
	Suggest("Try again, or ask an administrator for a one-time code.")

// verify returns the person called name, if there is one, and errWrong where the password is not theirs, or
// image.Forbidden where they may not come in. All that are wrong take the same time.
func (e *Entrance) verify(ctx context.Context, v Visit, name, password string) (Person, error) {
	person, kept, err := e.people.Kept(ctx, name)
	if err != nil && image.KindOf(err) != image.NotFound {
		return Person{}, err
	}
	same, old, err := e.passwords.Verify(ctx, kept, password, v.Address)
	switch {
	case err != nil:
		return Person{}, err
	case !same:
		return person, errWrong
	case !old:
		return person, person.LetIn()
	}
	hash, err := e.passwords.Hash(ctx, password, v.Address)
	if err == nil {
		err = e.people.Rehash(ctx, person.ID, hash)
	}
	if err != nil {
		return Person{}, err
	}
	return person, person.LetIn()
}

// Arrive opens a session for somebody whom a provider has let in.
func (e *Entrance) Arrive(ctx context.Context, v Visit, p Person, way Way) (secret string, s Session, err error) {
	if err := p.LetIn(); err != nil {
		return "", Session{}, e.refuse(v, p, err)
	}
	return e.begin(ctx, v, p, way)
}

func (e *Entrance) begin(ctx context.Context, v Visit, p Person, way Way) (secret string, s Session, err error) {
	now := e.now()
	secret = newSecret()
	s = Session{
		Person: p.ID, Way: way, Made: now, Seen: now, Ends: now.Add(way.life()), Address: v.Address, Agent: v.Agent,
	}
	s, err = e.sessions.Begin(shelf.WithWayIn(ctx, v.wayIn()), p.Actor(), s, hashOf(secret))
	return secret, s, err
}

// refuse notes a sign-in of person that was refused, and returns err. A name that nobody has is not noted: people type
// their password in its place.
func (e *Entrance) refuse(v Visit, person Person, err error) error {
	line := shelf.Line{
		By:     shelf.Party{Kind: image.ActorAnonymous, Name: v.Address},
		From:   v.wayIn(),
		Action: image.ActionSignIn, Outcome: shelf.Refused, Detail: err.Error(),
	}
	if person.ID != 0 {
		line.About = shelf.PartyOf(person.Actor())
	}
	e.refusals.note(line)
	return err
}

// Refused notes that who asks was refused an action.
func (e *Entrance) Refused(ctx context.Context, action image.Action, what image.Reference, why error) {
	p, _ := Of(ctx)
	e.refusals.note(shelf.Line{
		By: shelf.PartyOf(p.Actor), From: p.WayIn(), Action: action, What: what, Outcome: shelf.Refused, Detail: why.Error(),
	})
}

// SignOut ends the session that p showed.
func (e *Entrance) SignOut(ctx context.Context, p Principal) error {
	if p.Via != ViaSession {
		return nil
	}
	return e.sessions.End(ctx, p.Actor, image.ActionSignOut, p.Holds)
}

// Session returns the principal of a session's secret; image.SignIn where the session has ended.
func (e *Entrance) Session(ctx context.Context, v Visit, secret string) (Principal, error) {
	s, person, err := e.sessions.Find(ctx, hashOf(secret))
	if err != nil && image.KindOf(err) != image.NotFound {
		return Principal{}, err
	}
	now := e.now()
	if at := e.uses.seen(s.ID); at.After(s.Seen) {
		s.Seen = at
	}
	if err != nil || s.Ended(now) {
		return Principal{}, image.Errorf(image.SignIn, "your session has ended").Suggest("Sign in again.")
	}
	if err := person.LetIn(); err != nil {
		return Principal{}, err
	}
	if now.Sub(s.Seen) >= usesEvery {
		e.uses.session(s.ID, now)
	}
	p := principalOf(person, v)
	p.Via, p.Holds, p.Until, p.Renew = ViaSession, s.ID, s.Ends, s.Renew
	return p, nil
}

// Renew gives the session that p showed a new secret; an empty one where another request has done so. The secret before
// is good for half a minute more.
func (e *Entrance) Renew(ctx context.Context, p Principal) (secret string, err error) {
	secret = newSecret()
	renewed, err := e.sessions.Renew(ctx, p.Holds, hashOf(secret), renewOverlaps)
	if err != nil || !renewed {
		return "", err
	}
	return secret, nil
}

// ChangePassword changes p's own password, which ends their other sessions, and gives this one a new secret.
func (e *Entrance) ChangePassword(ctx context.Context, p Principal, old, password string) (secret string, err error) {
	if err := CheckPassword(password, p.Actor.Name); err != nil {
		return "", err
	}
	attempt, err := e.slow.try(p.Actor.Name, p.Address)
	if err != nil {
		return "", err
	}
	_, err = e.verify(ctx, Visit{Address: p.Address}, p.Actor.Name, old)
	switch {
	case errors.Is(err, errWrong):
		attempt.failed()
		return "", image.Errorf(image.Invalid, "the old password is wrong")
	case err != nil:
		attempt.dropped()
		return "", err
	}
	attempt.passed()
	hash, err := e.passwords.Hash(ctx, password, p.Address)
	if err != nil {
		return "", err
	}
	secret = newSecret()
	return secret, e.people.SetPassword(ctx, p.Actor, p.ID, hash, p.Holds, hashOf(secret))
}
