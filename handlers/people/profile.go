package people

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/people"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// Profile answers GET /profile.
func (h *Handlers) Profile(c echo.Context) error {
	return h.profile(c, http.StatusOK, people.ProfileView{})
}

// profile renders somebody's own page, with what v says beyond that.
func (h *Handlers) profile(c echo.Context, status int, v people.ProfileView) error {
	ctx, p := c.Request().Context(), who(c)
	if p.Actor.Kind != image.ActorPerson {
		return image.Errorf(image.Forbidden, "only people have a profile")
	}
	var err error
	if v.Person, err = h.Accounts.One(ctx, p.Actor.Name); err != nil {
		return err
	}
	if v.Sessions, err = h.Sessions.Of(ctx, p.ID); err != nil {
		return err
	}
	if v.Tokens, err = h.Tokens.Of(ctx, p.Actor); err != nil {
		return err
	}
	if p.Via == auth.ViaSession {
		v.This = p.Holds
	}
	v.May, v.MayNot = p.Allowed()
	return page.Render(c, status, people.ProfilePage(h.Site.Chrome(c, text.T(ctx, "people.profile"), ui.NavNone), v))
}

// ChangePassword answers POST /profile/password with the fields old and password. All other sessions end.
func (h *Handlers) ChangePassword(c echo.Context) error {
	ctx, p := c.Request().Context(), who(c)
	err := h.Site.TakesSecrets(c)
	if err == nil {
		var secret string
		secret, err = h.Entrance.ChangePassword(ctx, p, c.FormValue("old"), c.FormValue("password"))
		if err == nil {
			h.Site.KeepSession(c, secret, p.Until)
			flash := ui.Flash{Kind: ui.KindSuccess, Text: text.T(ctx, "people.password_changed")}
			return page.Redirect(c, address.ProfilePath, flash)
		}
	}
	v, status, err := wrong(c, err)
	if err != nil {
		return err
	}
	return h.profile(c, status, people.ProfileView{Password: v})
}

// EndSession answers POST /profile/sessions/:id/end: ends one of one's own sessions, and what follows it.
func (h *Handlers) EndSession(c echo.Context) error {
	ctx, p := c.Request().Context(), who(c)
	id, err := address.ParseNumber(c.Param("id"))
	if err != nil {
		return err
	}
	own, err := h.Sessions.Of(ctx, p.ID)
	if err != nil {
		return err
	}
	for _, s := range own {
		if s.ID != id {
			continue
		}
		if err := h.Sessions.End(ctx, p.Actor, image.ActionSessionEnd, id); err != nil {
			return err
		}
		flash := ui.Flash{Kind: ui.KindSuccess, Text: text.T(ctx, "people.session_ended")}
		return page.Redirect(c, address.ProfilePath, flash)
	}
	return image.Errorf(image.NotFound, "you have no session %d", id)
}

// EndSessions answers POST /profile/sessions/end: ends all of one's own sessions but the one that asks.
func (h *Handlers) EndSessions(c echo.Context) error {
	ctx, p := c.Request().Context(), who(c)
	n, err := h.Sessions.EndAll(ctx, p.Actor, p.ID, p.Holds)
	if err != nil {
		return err
	}
	flash := ui.Flash{Kind: ui.KindSuccess, Text: text.T(ctx, "people.sessions_ended", text.Count, n)}
	return page.Redirect(c, address.ProfilePath, flash)
}

// MakeToken answers POST /profile/tokens with the fields name, role and days: the one answer that shows the token.
func (h *Handlers) MakeToken(c echo.Context) error {
	ctx, p := c.Request().Context(), who(c)
	name := c.FormValue("name")
	days, err := strconv.Atoi(c.FormValue("days"))
	if err != nil || days < 1 || days > 10*365 {
		return image.Errorf(image.Invalid, "%.40q is not a number of days", c.FormValue("days"))
	}
	token, made, err := h.Entrance.MakeToken(ctx, p, auth.Token{
		Name: name, Owner: p.Actor, Role: auth.Role(c.FormValue("role")),
		Ends: h.Site.Now().Add(time.Duration(days) * 24 * time.Hour),
	})
	if err != nil {
		v, status, err := wrong(c, err)
		if err != nil {
			return err
		}
		return h.profile(c, status, people.ProfileView{Token: v, Name: name})
	}
	shown := &people.MadeToken{Token: token, Name: made.Name}
	if u, err := url.Parse(h.Site.Outside(c)); err == nil {
		shown.Server = u.Host
	}
	return h.profile(c, http.StatusOK, people.ProfileView{Made: shown})
}

// RevokeToken answers POST /profile/tokens/:id/revoke. It holds at once.
func (h *Handlers) RevokeToken(c echo.Context) error {
	ctx, p := c.Request().Context(), who(c)
	id, err := address.ParseNumber(c.Param("id"))
	if err != nil {
		return err
	}
	if err := h.Tokens.End(ctx, p.Actor, p.Actor, id); err != nil {
		return err
	}
	return page.Redirect(c, address.ProfilePath, ui.Flash{Kind: ui.KindSuccess, Text: text.T(ctx, "people.token_revoked")})
}
