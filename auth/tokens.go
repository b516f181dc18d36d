package auth

import (
	"context"

	"github.com/stowage/stowage/image"
)

// Token returns the principal of a token; image.SignIn where it is none, has ended or was revoked.
func (e *Entrance) Token(ctx context.Context, v Visit, token string) (Principal, error) {
	wrong := image.Errorf(image.SignIn, "this token is not good").
		Suggest("It may have been revoked, or its time is over. Make a new one.")
	if !IsToken(token) {
		return Principal{}, wrong
	}
	t, person, robot, err := e.tokens.Find(ctx, hashOf(token))
	if err != nil && image.KindOf(err) != image.NotFound {
		return Principal{}, err
	}
	now := e.now()
	if err != nil || t.Ended(now) {
		return Principal{}, wrong
	}
	p, letIn := principalOf(person, v), person.LetIn
	p.Role = lower(p.Role, t.Role)
	if person.ID == 0 {
		p = Principal{Actor: robot.Actor(), ID: robot.ID, Grants: robot.Grants, Address: v.Address, Request: v.Request}
		letIn = robot.LetIn
	}
	if err := letIn(); err != nil {
		return Principal{}, err
	}
	p.Via, p.Holds, p.Until = ViaToken, t.ID, t.Ends
	e.uses.token(t.ID, TokenUse{now, v.Address, v.Agent})
	return p, nil
}

// MakeToken makes a token for p, with a role that is at most theirs, or for a robot. It is shown once. Whether p may do
// that has been asked.
func (e *Entrance) MakeToken(ctx context.Context, p Principal, t Token) (token string, made Token, err error) {
	if err := e.checkToken(p, &t); err != nil {
		return "", Token{}, err
	}
	token = newToken()
	t.Hint, t.Made, t.MadeBy = hint(token), e.now(), p.Actor.Name
	made, err = e.tokens.Make(ctx, p.Actor, t, hashOf(token))
	return token, made, err
}

// checkToken refuses a token that may more than its owner or lasts too long, and one for somebody else.
func (e *Entrance) checkToken(p Principal, t *Token) error {
	if longest := e.longestToken; longest > 0 && (t.Ends.IsZero() || t.Ends.After(e.now().Add(longest))) {
		return image.Errorf(image.Invalid, "a token ends after %d days at the latest", int(longest.Hours()/24))
	}
	if t.Owner.Kind == image.ActorRobot {
		t.Role = NoRole // what a robot may is said of the robot
		return nil
	}
	if _, err := ParseRole(string(t.Role)); err != nil {
		return err
	}
	if t.Owner != p.Actor {
		return image.Errorf(image.Forbidden, "nobody makes tokens for somebody else").Suggest("Make one for a robot.")
	}
	if !p.Role.AtLeast(t.Role) {
		return image.Errorf(image.Forbidden, "a token may do no more than its owner").
			Suggest("Choose the role %s for it.", p.Role)
	}
	return nil
}
