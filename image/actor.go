package image

import (
	"log/slog"
	"net/netip"
	"strings"
)

// ActorKind says what an actor is.
type ActorKind string

// The kinds of actors.
const (
	ActorPerson    ActorKind = "person"
	ActorRobot     ActorKind = "robot"
	ActorAnonymous ActorKind = "anonymous" // known by an address alone
	ActorTerminal  ActorKind = "terminal"  // whoever has a shell on the server's machine
	ActorServer    ActorKind = "server"
)

// Actor is who does something. The zero Actor is nobody known.
type Actor struct {
	Kind ActorKind
	Name string // hostile text; of an anonymous one the address
}

// Server is the actor of what the server does by itself.
var Server = Actor{Kind: ActorServer}

// ActorNamed returns the actor that a record names: an anonymous one where the name is an address, else a person.
func ActorNamed(name string) Actor {
	if name == "" {
		return Actor{}
	}
	address, _, _ := strings.Cut(strings.TrimPrefix(name, "client "), " (")
	if _, err := netip.ParseAddr(address); err == nil {
		return Actor{Kind: ActorAnonymous, Name: name}
	}
	return Actor{Kind: ActorPerson, Name: name}
}

// String returns the name that pages and records have of the actor; none of the server.
func (a Actor) String() string { return a.Name }

// LogValue implements slog.LogValuer: a log has the name alone.
func (a Actor) LogValue() slog.Value { return slog.StringValue(a.Name) }
