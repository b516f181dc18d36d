package pages

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stowage/stowage/archive"
	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/handlers"
	"github.com/stowage/stowage/handlers/distribution"
	peoplepages "github.com/stowage/stowage/handlers/people"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/people"
	"github.com/stowage/stowage/storage/record"
	"github.com/stowage/stowage/web"
)

// Password is that of everybody in these tests.
const Password = "correct horse battery"

// Accounts is a shelf on which people sign in, with the registry API.
type Accounts struct {
	*Shelf

	Tables   *people.Tables
	Entrance *auth.Entrance
	Record   *record.Record
	Web      web.Options

	passed atomic.Int64 // since Clock
}

// NewAccounts opens an empty shelf on which people sign in. Those who are named have accounts: "kim admin".
func NewAccounts(t *testing.T, all ...string) *Accounts {
	t.Helper()
	a := &Accounts{Shelf: New(t)}
	now := func() time.Time { return Clock.Add(time.Duration(a.passed.Load())) }
	db := a.Store.Database()
	a.Record = record.New(db, now)
	a.Tables = people.New(db, a.Record, now)
	db.RecordTo(a.Record.Changed)
	a.Entrance = auth.NewEntrance(auth.Options{
		People: a.Tables.People, Sessions: a.Tables.Sessions, Tokens: a.Tables.Tokens, Record: a.Record, Now: now,
	})
	a.Tables.OnEnd(func() {
		if err := a.Entrance.Recheck(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	a.Configure(func(o *handlers.Options) {
		o.Importer = archive.NewImporter(archive.Options{Shelf: a.Store.Recorder, Jobs: a.Jobs})
		o.People = &peoplepages.Options{
			Entrance: a.Entrance, Accounts: a.Tables.People, Sessions: a.Tables.Sessions, Tokens: a.Tables.Tokens,
			Record: a.Record, CodeFile: "/data/first-start-code",
		}
	})
	api := distribution.New(distribution.Options{
		Serving: a.Store.Serving, Blobs: a.Store.Blobs, Images: a.Store.Images, Downloads: a.Store.Downloads,
		Logger: slog.New(slog.DiscardHandler),
	})
	a.Web = web.Options{
		Handlers: a.Handlers, Distribution: api, Stored: api.Stored(), Metrics: prometheus.NewRegistry(),
	}
	a.Pages = serve(t, a.Web, Clock)
	hash, err := auth.NewPasswords().Hash(t.Context(), Password, "")
	for _, words := range all {
		name, role, _ := strings.Cut(words, " ")
		_, failed := a.Tables.People.Add(t.Context(), image.Actor{Kind: image.ActorTerminal, Name: "terminal:0"},
			auth.NewPerson{Name: name, Role: auth.Role(role), Password: hash})
		err = errors.Join(err, failed)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Pass lets time go by.
func (a *Accounts) Pass(d time.Duration) { a.passed.Add(int64(d)) }

// Person returns somebody's account.
func (a *Accounts) Person(name string) auth.Person {
	a.T.Helper()
	p, err := a.Tables.People.One(a.T.Context(), name)
	if err != nil {
		a.T.Fatal(err)
	}
	return p
}

// Session opens a session for somebody, and returns its cookie as a header has it.
func (a *Accounts) Session(name string) string {
	a.T.Helper()
	secret, _, err := a.Entrance.Arrive(a.T.Context(), auth.Visit{Address: "127.0.0.1"}, a.Person(name), auth.WayProxy)
	if err != nil {
		a.T.Fatal(err)
	}
	return SessionCookie + "=" + secret
}

// SessionCookie is the session's cookie over plain HTTP.
const SessionCookie = "stowage_session"

// Token makes a token for somebody that lasts for a day, and returns it.
func (a *Accounts) Token(name string) string {
	a.T.Helper()
	p := a.Person(name)
	token, _, err := a.Entrance.MakeToken(a.T.Context(),
		auth.Principal{Actor: p.Actor(), ID: p.ID, Role: p.Role, Via: auth.ViaSession},
		auth.Token{
			Name: "a token", Owner: p.Actor(), Role: p.Role,
			Ends: Clock.Add(time.Duration(a.passed.Load()) + 24*time.Hour),
		})
	if err != nil {
		a.T.Fatal(err)
	}
	return token
}

// As asks for a page as a browser does, with a session's cookie.
func (a *Accounts) As(cookie, address string, headers ...string) Answer {
	a.T.Helper()
	return a.Get(address, append([]string{"Cookie", cookie, "Accept", "text/html"}, headers...)...)
}

// CookieOf returns the value that an answer gives a cookie; false where it gives none.
func (a Answer) CookieOf(name string) (*http.Cookie, bool) {
	for _, k := range (&http.Response{Header: a.Header}).Cookies() {
		if k.Name == name {
			return k, true
		}
	}
	return nil, false
}

// WithToken asks the registry API with a token.
func (a *Accounts) WithToken(token, address string) Answer {
	a.T.Helper()
	r := httptest.NewRequest(http.MethodGet, address, nil)
	r.SetBasicAuth("anybody", token)
	return a.Do(r)
}
