package auth

import (
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stowage/stowage/image"
)

// Person is somebody with an account.
type Person struct {
	ID       int64
	Name     string // that they sign in with, and that lists have
	Display  string // that pages have where there is room; may be empty
	Own      Role   // that an administrator gave them; NoRole where their groups decide
	Groups   []string
	Role     Role   // that they have
	RoleFrom string // the group that gives it; empty where it is their own or that of everybody else
	Provider string // who knows them: an issuer, ProviderProxy, or empty where it is this server
	Subject  string // the name that the provider has for them
	Password bool   // they have one here
	Made     time.Time
	MadeBy   string
	Seen     time.Time // zero: never
	Disabled time.Time // zero: they may sign in
}

// ProviderProxy is the Provider of people that a proxy names.
const ProviderProxy = "proxy"

// Actor returns p as one who does something.
func (p Person) Actor() image.Actor { return image.Actor{Kind: image.ActorPerson, Name: p.Name} }

// WithRole returns p with the role that it has where groups have these roles.
func (p Person) WithRole(groups GroupRoles) Person {
	p.Role, p.RoleFrom = p.Own, ""
	if p.Own == NoRole {
		p.Role, p.RoleFrom = groups.Of(p.Groups)
	}
	return p
}

// LetIn returns why p may not come in, an error of kind image.Forbidden; nil where they may.
func (p Person) LetIn() error {
	switch {
	case !p.Disabled.IsZero():
		return image.Errorf(image.Forbidden, "the account %s is disabled", p.Name).Suggest("Ask an administrator.")
	case p.Role == NoRole:
		return image.Errorf(image.Forbidden, "the account %s has no role here", p.Name).
			Suggest("Ask an administrator for one, for you or for one of your groups.")
	}
	return nil
}

// NewPerson is an account to be made.
type NewPerson struct {
	Name     string
	Display  string
	Role     Role // NoRole where groups decide
	Password string
}

const (
	longestName    = 64
	longestDisplay = 100
	inner          = "._-@+" // signs of a name that it does not begin with
	nameSigns      = "abcdefghijklmnopqrstuvwxyz0123456789" + inner
)

// reserved are names that lines of the record have for others.
var reserved = []string{"anonymous", "server", "terminal", "client"}

// ParseName reads the name of a person or a robot: case does not matter.
func ParseName(s string) (string, error) {
	name := strings.ToLower(strings.TrimSpace(s))
	if name == "" || len(name) > longestName || strings.Trim(name, nameSigns) != "" || strings.Contains(inner, name[:1]) {
		return "", image.Errorf(image.Invalid, "%q is not a name", image.Shorten(s)).
			Suggest("A name has at most %d letters from a to z, digits, and . _ - @ + after the first one.", longestName)
	}
	if _, err := netip.ParseAddr(name); err == nil || slices.Contains(reserved, name) {
		return "", image.Errorf(image.Invalid, "the name %s stands for something else", name).Suggest("Choose another one.")
	}
	return name, nil
}

// ParseDisplay reads the name that pages show.
func ParseDisplay(s string) (string, error) {
	s = strings.Join(strings.Fields(s), " ")
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > longestDisplay {
		return "", image.Errorf(image.Invalid, "a displayed name is text of at most %d characters", longestDisplay)
	}
	return s, nil
}

// RoleChange is what saving the roles of groups changes for somebody.
type RoleChange struct {
	Name   string
	Before Role
	After  Role
}

// RoleChanges lists whose role changes when groups get new roles, in the order of people.
func RoleChanges(people []Person, groups GroupRoles) []RoleChange {
	var changes []RoleChange
	for _, p := range people {
		if after := p.WithRole(groups).Role; after != p.Role {
			changes = append(changes, RoleChange{p.Name, p.Role, after})
		}
	}
	return changes
}

// Session is somebody who is signed in with a browser.
type Session struct {
	ID      int64
	Person  int64
	Way     Way
	Made    time.Time
	Seen    time.Time
	Ends    time.Time // whatever happens
	Address string    // of the sign-in
	Agent   string    // the browser, as it calls itself
	Renew   bool      // its secret is to be replaced: the person's role has changed
}

// Way is how somebody signed in.
type Way string

// The ways.
const (
	WayPassword Way = "password"
	WayCode     Way = "code"
	WayOpenID   Way = "oidc"
	WayProxy    Way = "proxy"
)

// How long sessions last.
const (
	SessionIdle   = 12 * time.Hour
	SessionLife   = 7 * 24 * time.Hour
	ProviderLife  = 12 * time.Hour // of those that a provider opened, so that leaving the company takes effect
	renewOverlaps = 30 * time.Second
)

// life returns how long a session lasts at most.
func (w Way) life() time.Duration {
	if w == WayOpenID || w == WayProxy {
		return ProviderLife
	}
	return SessionLife
}

// Ended reports whether s is over.
func (s Session) Ended(now time.Time) bool {
	return !now.Before(s.Ends) || !now.Before(s.Seen.Add(SessionIdle))
}

// Token is what a program shows, of a person or of a robot.
type Token struct {
	ID          int64
	Name        string
	Hint        string // its beginning, by which people tell theirs apart
	Owner       image.Actor
	Role        Role // at most; of a robot's none
	Made        time.Time
	MadeBy      string
	Ends        time.Time // zero: never
	Used        time.Time // zero: never
	UsedAddress string
	UsedAgent   string
}

// Ended reports whether t is over.
func (t Token) Ended(now time.Time) bool { return !t.Ends.IsZero() && !now.Before(t.Ends) }

// Robot is an account for programs. Robots belong to nobody, and outlive people.
type Robot struct {
	ID       int64
	Name     string
	Grants   []Grant
	Made     time.Time
	MadeBy   string
	Disabled time.Time // zero: its tokens are taken
}

// Actor returns r as one who does something.
func (r Robot) Actor() image.Actor { return image.Actor{Kind: image.ActorRobot, Name: r.Name} }

// LetIn returns why r's tokens are not taken, an error of kind image.Forbidden; nil where they are.
func (r Robot) LetIn() error {
	if r.Disabled.IsZero() {
		return nil
	}
	return image.Errorf(image.Forbidden, "the robot %s is disabled", r.Name).Suggest("Ask an administrator.")
}

// How long tokens and codes last.
const (
	TokenLife     = 90 * 24 * time.Hour // where nothing else is said
	TokenListed   = 30 * 24 * time.Hour // after its end
	MostTokens    = 50                  // of a person or a robot
	FirstCodeLife = time.Hour
	CodeLife      = 7 * 24 * time.Hour // of one that an administrator hands over
)
