package page

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/image"
)

// Cookies of somebody who is signed in. Browsers take the first one from this host over TLS alone.
const (
	secureSessionCookie = "__Host-stowage"
	sessionCookie       = "stowage_session"
)

// Requester returns who asks, as whoever found that out for the request says.
func (h *Site) Requester(c echo.Context) image.Actor {
	p, _ := auth.Of(c.Request().Context())
	return p.Actor
}

// May reports whether who asks may do something to what is stored, whatever it is.
func (h *Site) May(c echo.Context, action image.Action) bool {
	return auth.May(c.Request().Context(), action, "") == nil
}

// Session returns the secret in a request's cookie; empty where there is none.
func (h *Site) Session(c echo.Context) string { return cookie(c, h.sessionName(c)) }

// KeepSession gives the browser the secret of a session that ends at ends.
func (h *Site) KeepSession(c echo.Context, secret string, ends time.Time) {
	c.SetCookie(h.session(c, secret, max(1, int(ends.Sub(h.Now()).Seconds()))))
}

// DropSession has the browser forget its session.
func (h *Site) DropSession(c echo.Context) { c.SetCookie(h.session(c, "", -1)) }

func (h *Site) session(c echo.Context, secret string, age int) *http.Cookie {
	return &http.Cookie{
		Name: h.sessionName(c), Value: secret, Path: "/", MaxAge: age, HttpOnly: true, Secure: h.encrypted(c),
		SameSite: http.SameSiteLaxMode,
	}
}

func (h *Site) sessionName(c echo.Context) string {
	if h.encrypted(c) {
		return secureSessionCookie
	}
	return sessionCookie
}

// encrypted reports whether a browser reaches the server over TLS, which may end before it. A header could say so, too,
// but anybody can send one.
func (h *Site) encrypted(c echo.Context) bool {
	return c.IsTLS() || strings.HasPrefix(h.options.ExternalURL, "https://")
}

// TakesSecrets refuses passwords and tokens that come over a network in the clear.
func (h *Site) TakesSecrets(c echo.Context) error {
	from, err := netip.ParseAddr(c.RealIP())
	if h.encrypted(c) || h.options.InsecureSignIn || err == nil && from.Unmap().IsLoopback() {
		return nil
	}
	return image.Errorf(image.Forbidden, "passwords and tokens are not taken over plain HTTP").
		Suggest("Open the server's address with https. Whoever runs it says with --external-url where that is, " +
			"or allows this with --insecure-sign-in.")
}

// Challenge asks programs for a token. Browsers get a page, and not this: they would ask with a box of their own.
const Challenge = `Basic realm="Stowage", charset="UTF-8"`
