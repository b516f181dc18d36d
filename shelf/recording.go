package shelf

import (
	"context"
	"fmt"
	"time"

	"github.com/stowage/stowage/image"
)

// Line is a line of the record: who did what, from where, and how it ended.
type Line struct {
	ID      int64
	At      time.Time
	Since   time.Time // of the first of them where Times is more than one
	Times   int       // how often it happened: what repeats is one line
	By      Party
	From    WayIn
	Action  image.Action
	What    image.Reference // the image; the zero value where it is about none
	About   Party           // the person, robot or group that it is about; the zero value where it is about none
	Outcome Ending
	Detail  string // in words, without secrets; at most MaxLineDetail bytes are kept
}

// MaxLineDetail bounds the detail of a line.
const MaxLineDetail = 1000

// Ending says how what a line tells of ended.
type Ending string

// The endings.
const (
	Done    Ending = "done"
	Refused Ending = "refused"
	Failed  Ending = "failed"
)

// Kinds of parties that do nothing themselves.
const (
	PartyGroup    image.ActorKind = "group"
	PartyRegistry image.ActorKind = "registry"
)

// Party is whom a line names. The zero Party is nobody.
type Party struct {
	Kind   image.ActorKind
	Name   string
	Former int64 // the number of a person who was removed, whose name is gone
}

// PartyOf returns an actor as lines name it.
func PartyOf(a image.Actor) Party { return Party{Kind: a.Kind, Name: a.Name} }

// String returns the party's name.
func (p Party) String() string {
	if p.Former != 0 {
		return fmt.Sprintf("former member %d", p.Former)
	}
	return p.Name
}

// WayIn says how a request came in.
type WayIn struct {
	Via        string // session, token, proxy, local, terminal; empty for who showed nothing
	Credential string // which session or token it was, never what is secret of it
	Address    string
	Request    string // the ID that the log has, too
}

type wayInKey struct{}

// WithWayIn returns ctx with what the record says of where a request came from.
func WithWayIn(ctx context.Context, w WayIn) context.Context {
	return context.WithValue(ctx, wayInKey{}, w)
}

// WayInOf returns where the request of ctx came from; the zerw WayIn of what the server does by itself.
func WayInOf(ctx context.Context) WayIn {
	w, _ := ctx.Value(wayInKey{}).(WayIn)
	return w
}

// LineQuery chooses lines of the record. Empty fields choose all.
type LineQuery struct {
	By         string         // a name, or "former member 17"
	Actions    []image.Action // any of them
	Repository string         // with * for any text
	About      string         // as By
	Credential string
	Request    string
	From       time.Time
	Until      time.Time // exclusive
	Troubled   bool      // refused or failed
	Before     int64     // only lines older than this one, to go on
	After      int64     // only lines newer than this one; then the nearest ones to it
	Limit      int
}
