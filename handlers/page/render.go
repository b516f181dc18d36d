package page

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// Cookies of the pages. None holds a secret.
const (
	themeCookie = "theme"
	langCookie  = "lang"
	FlashCookie = "flash"
)

// Render answers with a whole component, or with an error and nothing written: the page is built in
// memory first.
func Render(c echo.Context, status int, page templ.Component) error {
	buf := templ.GetBuffer()
	defer templ.ReleaseBuffer(buf)
	if err := page.Render(ui.WithRoom(c.Request().Context()), bounded{buf}); err != nil {
		return err
	}
	header := c.Response().Header()
	if header.Get(echo.HeaderCacheControl) == "" {
		header.Set(echo.HeaderCacheControl, "no-store") // a fragment must never come back as a page, nor a tag's page stale
	}
	header.Add(echo.HeaderVary, "HX-Request, HX-Request-Type, Accept-Language, Cookie")
	return c.HTMLBlob(status, buf.Bytes())
}

// maxPageBytes bounds a whole page. What a page shows of a document or a list has its own bounds, which are met long
// before; this one is for what nobody thought of.
const maxPageBytes = 8 << 20

// bounded is a buffer that takes at most maxPageBytes bytes.
type bounded struct{ *bytes.Buffer }

// Write implements io.Writer.
func (b bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxPageBytes {
		return 0, errPage
	}
	return b.Buffer.Write(p)
}

// WriteString implements io.StringWriter.
func (b bounded) WriteString(s string) (int, error) {
	if b.Len()+len(s) > maxPageBytes {
		return 0, errPage
	}
	return b.Buffer.WriteString(s)
}

var errPage = image.Errorf(image.TooLarge, "the page would have more than %d MiB", maxPageBytes>>20).
	Suggest("Ask for less of it, or for the original bytes.")

// LeadOn tells htmx to leave the page for another one.
func LeadOn(c echo.Context, to string) error {
	header := c.Response().Header()
	header.Set("HX-Redirect", to)
	header.Set(echo.HeaderCacheControl, "no-store")
	return c.NoContent(http.StatusNoContent)
}

// Partial reports whether htmx wants only the part of the page that the address changes.
func Partial(c echo.Context) bool {
	h := c.Request().Header
	return h.Get("HX-Request") == "true" && h.Get("HX-Request-Type") == "partial"
}

// Chrome fills in the layout around a page, an error's page too.
func (h *Site) Chrome(c echo.Context, title string, active ui.Nav) ui.Chrome {
	return ui.Chrome{
		Title: title, Active: active, Theme: ui.ParseTheme(cookie(c, themeCookie)),
		Path: c.Request().URL.RequestURI(), Query: boxText(c), Flash: h.takeFlash(c),
		RequestID:   c.Response().Header().Get(echo.HeaderXRequestID),
		ActivePulls: h.ActivePulls(), Demo: h.IsDemo(), Trouble: h.trouble(c.Request().Context()),
		Person: person(c),
	}
}

// person returns who is signed in; nil where nobody is, as where there are no accounts.
func person(c echo.Context) *ui.Person {
	p, _ := auth.Of(c.Request().Context())
	if p.Via == auth.ViaLocal || p.Actor.Kind != image.ActorPerson {
		return nil
	}
	return &ui.Person{Name: p.Actor.Name, Display: p.Display, Role: p.Role}
}

// trouble returns what is known against the database and the data folder, as every page says it; nil where there is
// nothing.
func (h *Site) trouble(ctx context.Context) *ui.ErrorView {
	var e *image.Error
	if !errors.As(h.health.Trouble(), &e) || e.Kind == image.Internal {
		return nil
	}
	v := ui.NewErrorView(ctx, Status(e.Kind), e)
	return &v
}

// boxText is what the box in the header says at first: what this page was looked up by. The Search page has a box of
// its own for that.
func boxText(c echo.Context) string {
	if c.Request().URL.Path == address.PullFormPath {
		return c.QueryParam("ref")
	}
	return ""
}

// Lang returns the language of the answer to a request.
func Lang(c echo.Context) string {
	return text.NegotiateLang(cookie(c, langCookie), c.Request().Header.Get("Accept-Language"))
}

func cookie(c echo.Context, name string) string {
	k, err := c.Cookie(name)
	if err != nil {
		return ""
	}
	return k.Value
}

// Local names who asks where nobody signs in: the user who started the server for requests from this machine,
// otherwise the address.
func (h *Site) Local(c echo.Context) image.Actor {
	ip := net.ParseIP(c.RealIP())
	if ip != nil && ip.IsLoopback() && h.options.LocalUser != "" {
		return image.Actor{Kind: image.ActorPerson, Name: h.options.LocalUser}
	}
	return image.Actor{Kind: image.ActorAnonymous, Name: c.RealIP()}
}
