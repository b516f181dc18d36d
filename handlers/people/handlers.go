// Package people answers the pages of people: signing in and out, the first start, one's own profile, and the
// administration of accounts and the record.
package people

import (
	"context"
	"errors"
	"iter"
	"log/slog"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/ui"
)

// Accounts is what the pages ask of the accounts.
type Accounts interface {
	List(ctx context.Context) ([]auth.Person, error)
	One(ctx context.Context, name string) (auth.Person, error)
	HasAdmin(ctx context.Context) (bool, error)
	Add(ctx context.Context, by image.Actor, p auth.NewPerson) (auth.Person, error)
	SetRole(ctx context.Context, by image.Actor, name string, role auth.Role) error
	Disable(ctx context.Context, by image.Actor, name string) error
	Enable(ctx context.Context, by image.Actor, name string) error
	Remove(ctx context.Context, by image.Actor, name string) (number int64, err error)
}

// Sessions is what the pages ask of the sessions.
type Sessions interface {
	Of(ctx context.Context, person int64) ([]auth.Session, error)
	End(ctx context.Context, by image.Actor, action image.Action, id int64) error
	EndAll(ctx context.Context, by image.Actor, person, keep int64) (int64, error)
}

// Tokens is what the pages ask of the tokens.
type Tokens interface {
	Of(ctx context.Context, owner image.Actor) ([]auth.Token, error)
	End(ctx context.Context, by, owner image.Actor, id int64) error
}

// Record is what the pages ask of the record.
type Record interface {
	Lines(ctx context.Context, q shelf.LineQuery) ([]shelf.Line, error)
	Export(ctx context.Context, q shelf.LineQuery) iter.Seq2[shelf.Line, error]
	Note(ctx context.Context, lines ...shelf.Line) error
}

// Options are what the pages of people need beside the site.
type Options struct {
	Entrance *auth.Entrance
	Accounts Accounts
	Sessions Sessions
	Tokens   Tokens
	Record   Record

	CodeFile   string // that has the code of the first start
	FirstIsOut func() // called when there is an administrator; may be nil
}

// Handlers are the pages of people.
type Handlers struct {
	Options

	Site *page.Site
	Log  *slog.Logger
}

// who returns who asks.
func who(c echo.Context) auth.Principal {
	p, _ := auth.Of(c.Request().Context())
	return p
}

func visit(c echo.Context) auth.Visit {
	p := who(c)
	return auth.Visit{Address: p.Address, Agent: c.Request().UserAgent(), Request: p.Request}
}

// wrong returns what a form says of an error that is for whoever filled it in, with its status; other errors come back.
func wrong(c echo.Context, err error) (*ui.ErrorView, int, error) {
	var e *image.Error
	if !errors.As(err, &e) || e.Kind == image.Internal {
		return nil, 0, err
	}
	status := page.Status(e.Kind)
	v := ui.NewErrorView(c.Request().Context(), status, e)
	return &v, status, nil
}
