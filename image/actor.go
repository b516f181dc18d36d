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

// ActorsNamed is ActorNamed for several names.
func ActorsNamed(names []string) []Actor {
	all := make([]Actor, len(names))
	for i, name := range names {
		all[i] = ActorNamed(name)
	}
	return all
}

// String returns the name that pages and records have of the actor; none of the server.
func (a Actor) String() string { return a.Name }

// LogValue implements slog.LogValuer: a log has the name alone.
func (a Actor) LogValue() slog.Value { return slog.StringValue(a.Name) }

// Action is what a request does: each route has one beside it.
type Action string

// The actions.
const (
	ActionLook     Action = "look"     // see what is stored and what was done
	ActionAsk      Action = "ask"      // have this server ask registries what they have
	ActionDownload Action = "download" // take what is stored out
	ActionPull     Action = "pull"     // bring images in from registries, and cancel that
	ActionUpload   Action = "upload"   // bring images in as an archive
	ActionCheck    Action = "check"    // have registries asked whether tags moved
	ActionPin      Action = "pin"      // pin, and take pins away
	ActionDelete   Action = "delete"   // delete, prune, and undo either
	ActionFree     Action = "free"     // free the disk of what nothing needs
	ActionPrefer   Action = "prefer"   // keep one's own theme and language
	ActionOperate  Action = "operate"  // see how the server does
	ActionTend     Action = "tend"     // what the server does by itself: unpack, sweep, bring older rows up to date

	ActionOpen      Action = "open"      // what everybody gets: the page to sign in at, and its styles
	ActionTemplate  Action = "template"  // run a template over what is stored, compare
	ActionFetch     Action = "fetch"     // have this server fetch what a client of the registry API misses
	ActionOverwrite Action = "overwrite" // upload over a name that a registry owns, move a tag by hand
	ActionForce     Action = "force"     // delete in spite of docker's rules
	ActionOthers    Action = "others"    // act on what others pulled, pinned or began
	ActionMetrics   Action = "metrics"   // read the server's figures
)

// The actions on people, on what lets them in, and on the server.
const (
	ActionSignIn     Action = "sign-in"
	ActionSignOut    Action = "sign-out"
	ActionProfile    Action = "profile"      // see one's own sessions, tokens and lines of the record
	ActionPassword   Action = "password"     // change one's own password
	ActionSessionEnd Action = "session.end"  // end a session
	ActionTokenMake  Action = "token.make"   // make a token
	ActionTokenEnd   Action = "token.revoke" // revoke a token, or let it end earlier

	ActionAdminister    Action = "administer" // see people, groups, robots, registries and settings
	ActionPersonAdd     Action = "person.add"
	ActionPersonRole    Action = "person.role"
	ActionPersonCode    Action = "person.code"     // make a one-time code for somebody
	ActionPersonSignOut Action = "person.sign-out" // end all sessions of somebody
	ActionPersonDisable Action = "person.disable"
	ActionPersonEnable  Action = "person.enable"
	ActionPersonRemove  Action = "person.remove"
	ActionGroupsSave    Action = "groups.save"
	ActionRobotAdd      Action = "robot.add"
	ActionRobotChange   Action = "robot.change"
	ActionRobotRemove   Action = "robot.remove"
	ActionRegistrySave  Action = "registry.save" // registries, their logins, mirrors
	ActionSettingsSave  Action = "settings.save"
	ActionVerify        Action = "verify" // have everything on the disk proved
	ActionBackup        Action = "backup"

	ActionRecord       Action = "record" // read who did what
	ActionRecordExport Action = "record.export"
	ActionRecordPrune  Action = "record.prune" // done by the server, when lines are old
)
