package address

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// Pages of people.
const (
	SignInPath     = "/sign-in"
	CodePath       = "/sign-in/code"
	SignOutPath    = "/sign-out"
	FirstStartPath = "/first-start"

	ProfilePath     = "/profile"
	PasswordPath    = "/profile/password"
	EndSessionsPath = "/profile/sessions/end"
	TokensPath      = "/profile/tokens"

	AdminPath  = "/admin"
	PeoplePath = "/admin/people"
	RecordPath = "/admin/record"
	ExportPath = "/admin/record/export"
)

// SignIn returns the address of the page to sign in at, which leads back to a page of ours.
func SignIn(back string) string { return withBack(SignInPath, back) }

// Code returns the address of the page that takes a one-time code, which leads back to a page of ours.
func Code(back string) string { return withBack(CodePath, back) }

func withBack(path, back string) string {
	var q query
	if back != "/" {
		q.addSaid("back", back)
	}
	return q.after(path)
}

// EndSession returns the address that ends one of one's own sessions.
func EndSession(id int64) string { return "/profile/sessions/" + strconv.FormatInt(id, 10) + "/end" }

// RevokeToken returns the address that revokes one of one's own tokens.
func RevokeToken(id int64) string { return TokensPath + "/" + strconv.FormatInt(id, 10) + "/revoke" }

// Person returns the address that does something to somebody: role, code, sign-out, disable, enable, remove.
func Person(name, what string) string { return PeoplePath + "/" + url.PathEscape(name) + "/" + what }

// ParseNumber reads the number of a session, a token or a line of the record. Errors are of kind NotFound.
func ParseNumber(id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 1 {
		return 0, image.Errorf(image.NotFound, "there is nothing with the number %.40q", id)
	}
	return n, nil
}

// Record is the address of the record.
type Record struct {
	By         string // a person, a robot, an address, or "former member 17"
	Action     image.Action
	Repository string // with * for any text
	From       string // a day as 2006-01-02
	Until      string // a day, which counts
	Troubled   bool   // refused or failed only
	Credential string
	Request    string
	Before     int64 // only lines before this one
}

// day is how the record's address has days.
const day = "2006-01-02"

// String formats the address.
func (r Record) String() string { return r.query().after(RecordPath) }

// Export formats the address of the same lines as a file.
func (r Record) Export() string {
	r.Before = 0
	return r.query().after(ExportPath)
}

func (r Record) query() (q query) {
	q.addSaid("by", r.By)
	q.addSaid("action", string(r.Action))
	q.addSaid("repository", r.Repository)
	q.addSaid("from", r.From)
	q.addSaid("until", r.Until)
	q.addFlag("troubled", r.Troubled)
	q.addSaid("credential", r.Credential)
	q.addSaid("request", r.Request)
	if r.Before != 0 {
		q.add("before", strconv.FormatInt(r.Before, 10))
	}
	return q
}

// ParseRecord reads the query of the record's address. Errors are of kind Invalid.
func ParseRecord(said url.Values) (Record, error) {
	word := func(name string) string { return strings.TrimSpace(said.Get(name)) }
	r := Record{
		By: word("by"), Action: image.Action(word("action")), Repository: word("repository"), From: word("from"),
		Until: word("until"), Troubled: said.Get("troubled") == "1", Credential: word("credential"), Request: word("request"),
	}
	for _, d := range []string{r.From, r.Until} {
		if _, err := time.Parse(day, d); d != "" && err != nil {
			return Record{}, image.Errorf(image.Invalid, "%.40q is not a day", d).Suggest("Write it as 2026-03-31.")
		}
	}
	if before := said.Get("before"); before != "" {
		n, err := strconv.ParseInt(before, 10, 64)
		if err != nil || n < 1 {
			return Record{}, image.Errorf(image.Invalid, "%.40q is not the number of a line", before)
		}
		r.Before = n
	}
	return r, nil
}

// Query returns what the address asks of the record.
func (r Record) Query() shelf.LineQuery {
	q := shelf.LineQuery{
		By: r.By, Repository: r.Repository, Credential: r.Credential, Request: r.Request, Troubled: r.Troubled,
		Before: r.Before,
	}
	if r.Action != "" {
		q.Actions = []image.Action{r.Action}
	}
	if ref, err := image.ParseRepositoryReference(r.Repository); err == nil && !strings.Contains(r.Repository, "*") {
		q.Repository = string(ref.Repository) // lines have the whole name
	}
	q.From, _ = time.Parse(day, r.From) // they were read
	if until, err := time.Parse(day, r.Until); err == nil {
		q.Until = until.AddDate(0, 0, 1)
	}
	return q
}
