// Package people has the pages of people: signing in, one's own profile, and the administration of accounts and the
// record.
package people

import (
	"context"
	"net/url"
	"strings"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// Form is what the forms of signing in are filled in with, and what was wrong with what was sent. A password is never
// sent back.
type Form struct {
	Back    string // where it leads on to; empty: to the list
	Name    string
	Display string
	Wrong   *ui.ErrorView // nil: nothing was wrong
}

// goesTo names what a form leads on to, as the visitor's own address says it; empty where that says nothing.
func (f Form) goesTo() string {
	path, _, _ := strings.Cut(f.Back, "?")
	if path == "" || path == "/" || path == address.ImagesPath {
		return ""
	}
	if !strings.HasPrefix(path, address.ImagesPath+"/") {
		return text.Visible(path)
	}
	if plain, err := url.PathUnescape(path); err == nil {
		if a, err := address.ParseImage(plain); err == nil {
			return a.Name()
		}
	}
	return text.Visible(path)
}

// FirstView is the page for the first administrator.
type FirstView struct {
	Form
	File string // that has the code
}

// ProfileView is somebody's own page.
type ProfileView struct {
	Person   auth.Person
	Sessions []auth.Session
	This     int64 // the session that asks
	Tokens   []auth.Token
	May      []image.Text
	MayNot   []image.Text
	Made     *MadeToken    // nil: none was made just now
	Password *ui.ErrorView // why the password was not changed
	Token    *ui.ErrorView // why the token was not made
	Name     string        // of that token
}

// MadeToken is a token that is shown once.
type MadeToken struct {
	Token  string
	Name   string
	Server string // host[:port] for docker login; empty: unknown
}

// TokenDays are what is offered for how long a token lasts.
var TokenDays = []int{7, 30, 90, 365}

// ListView is the page of all people.
type ListView struct {
	People []auth.Person
	Code   *MadeCode // nil: none was made just now
	Form   Form      // of the person who was refused
	You    string
}

// MadeCode is a one-time code that is shown once.
type MadeCode struct {
	Code string
	Name string
	URL  string // where it is typed
}

// RecordView is a page of the record.
type RecordView struct {
	Asked   address.Record
	Lines   []shelf.Line
	Older   bool // there are more
	Actions []image.Action
}

// next is the address of the lines before the last one.
func (v RecordView) next() string {
	v.Asked.Before = v.Lines[len(v.Lines)-1].ID
	return v.Asked.String()
}

// filtered reports whether the page chooses lines.
func (v RecordView) filtered() bool { return v.Asked != address.Record{} }

var ways = map[auth.Way]text.MessageID{
	auth.WayPassword: "people.way_password", auth.WayCode: "people.way_code", auth.WayOpenID: "people.way_provider",
	auth.WayProxy: "people.way_proxy",
}

func wayName(ctx context.Context, w auth.Way) string {
	if id, known := ways[w]; known {
		return text.T(ctx, id)
	}
	return string(w)
}

var outcomes = map[shelf.Ending]struct {
	kind ui.Kind
	word text.MessageID
}{
	shelf.Done: {ui.KindNeutral, "record.done"}, shelf.Refused: {ui.KindWarning, "record.refused"},
	shelf.Failed: {ui.KindError, "record.failed"},
}

// party words who a line names.
func party(ctx context.Context, p shelf.Party) string {
	switch {
	case p.Former != 0:
		return text.T(ctx, "record.former", "Number", p.Former)
	case p.Kind == image.ActorServer:
		return text.T(ctx, "record.server")
	}
	return p.Name
}

// what words what a line is about.
func what(ctx context.Context, l shelf.Line) string {
	if l.About != (shelf.Party{}) && l.About != l.By {
		return party(ctx, l.About)
	}
	switch {
	case l.What.Repository != "":
		return l.What.Familiar()
	case l.What.Digest != "":
		return string(l.What.Digest)
	}
	return ""
}

// inner words a text within a sentence.
func inner(ctx context.Context, words image.Text) string {
	return strings.TrimSuffix(text.ErrorText(ctx, words), ".")
}

// browser names the program and the system of a User-Agent as far as people know them.
func browser(ctx context.Context, agent string) string {
	program, system := first(agent, programs), first(agent, systems)
	switch {
	case program == "":
		if name, _, _ := strings.Cut(agent, " "); name != "" {
			return text.Visible(name)
		}
		return text.T(ctx, "people.unknown_browser")
	case system == "":
		return program
	}
	return text.T(ctx, "people.browser_on", "Browser", program, "System", system)
}

// The programs and systems that people know, the more particular ones first: each calls itself by others' names, too.
var (
	programs = [][2]string{
		{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"},
	}
	systems = [][2]string{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"},
		{"Mac OS X", "macOS"}, {"Linux", "Linux"},
	}
)

func first(agent string, names [][2]string) string {
	for _, n := range names {
		if strings.Contains(agent, n[0]) {
			return n[1]
		}
	}
	return ""
}
