package auth

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// Principal is who asks: each request has exactly one.
type Principal struct {
	Actor   image.Actor
	ID      int64     // of the person or robot; 0 of who has no account
	Display string    // the name that pages show; may be empty
	Role    Role      // of a robot none
	Grants  []Grant   // of a robot
	Via     Via       // how it was found out
	Holds   int64     // the session or the token that was shown; 0 where none was
	Renew   bool      // the session wants a new secret: see Entrance.Renew
	Until   time.Time // when what was shown ends; zero: never
	Address string
	Request string // the ID of the request
}

// Via is how a principal is known.
type Via string

// The ways.
const (
	ViaNothing  Via = ""
	ViaSession  Via = "session"
	ViaToken    Via = "token"
	ViaProxy    Via = "proxy"
	ViaLocal    Via = "local"    // the server listens on its own machine only, and nobody signs in
	ViaTerminal Via = "terminal" // a command on the server's machine
)

// Local returns the principal of a server that has no accounts: everybody may everything.
func Local(actor image.Actor, address, request string) Principal {
	return Principal{Actor: actor, Role: Admin, Via: ViaLocal, Address: address, Request: request}
}

// Terminal returns the principal of a command on the server's machine, run by the user with an ID.
func Terminal(uid string) Principal {
	return Principal{Actor: image.Actor{Kind: image.ActorTerminal, Name: "terminal:" + uid}, Role: Admin, Via: ViaTerminal}
}

// Proxied returns the principal of somebody whom a trusted proxy names, or why they may not come in.
func Proxied(p Person, v Visit) (Principal, error) {
	if err := p.LetIn(); err != nil {
		return Principal{}, err
	}
	who := principalOf(p, v)
	who.Via = ViaProxy
	return who, nil
}

func principalOf(p Person, v Visit) Principal {
	return Principal{Actor: p.Actor(), ID: p.ID, Display: p.Display, Role: p.Role, Address: v.Address, Request: v.Request}
}

// Anonymous returns the principal of who showed nothing; reads says whether they may see what is stored.
func Anonymous(address, request string, reads bool) Principal {
	p := Principal{Actor: image.Actor{Kind: image.ActorAnonymous, Name: address}, Address: address, Request: request}
	if reads {
		p.Role = Reader
	}
	return p
}

// SignedIn reports whether p is more than an address.
func (p Principal) SignedIn() bool { return p.Actor.Kind != image.ActorAnonymous && p.Actor.Kind != "" }

// WayIn returns what the record says of where p came from.
func (p Principal) WayIn() shelf.WayIn {
	return shelf.WayIn{Via: string(p.Via), Credential: credential(p.Via, p.Holds), Address: p.Address, Request: p.Request}
}

// credential names a session or a token as the record does.
func credential(via Via, id int64) string {
	if id == 0 {
		return ""
	}
	return fmt.Sprintf("%s %d", via, id)
}

type principalKey struct{}

// With returns ctx with p as who asks.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(shelf.WithWayIn(ctx, p.WayIn()), principalKey{}, p)
}

// Of returns who asks; false where nobody has found that out.
func Of(ctx context.Context) (Principal, bool) {
	p, known := ctx.Value(principalKey{}).(Principal)
	return p, known
}

// owns reports whether p is among owners. Names are enough: people and robots share none, and none is an address.
func (p Principal) owns(owners []image.Actor) bool {
	return p.SignedIn() && slices.ContainsFunc(owners, func(o image.Actor) bool {
		return o.Kind != image.ActorAnonymous && o.Name == p.Actor.Name
	})
}
