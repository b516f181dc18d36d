package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
)

// ownCookie tells that a request comes from a page of this server, or from somebody who typed or kept its address:
// a browser sends it with no request that another site's page makes.
const ownCookie = "own_site"

// asks is the guard over every GET that makes this server ask a registry. A page of another site must not be able to do
// that by an image, a frame or a script of its own, nor may one on another port of this machine; a link there that
// somebody clicks may. Browsers say which it is (Sec-Fetch-Site and its kin, W3C Fetch Metadata) to servers that they
// reach over TLS or on this machine, and to others name the page by its Referer, unless that page has it left out.
type asks struct {
	outside string // host[:port] of the server's outside address; empty: unknown
}

func newAsks(o Options) asks {
	u, err := url.Parse(o.ExternalURL)
	if err != nil {
		return asks{}
	}
	return asks{outside: hostOf(u)}
}

// page reports whether a request for a page may ask. A browser that says nothing of where its request comes from needs
// the cookie. A program does not: no site makes it send anything.
func (a asks) page(r *http.Request) bool {
	switch site := r.Header.Get("Sec-Fetch-Site"); site {
	case "same-origin", "none": // none: typed into the address bar, a bookmark
		return true
	case "":
		if referer := r.Header.Get("Referer"); referer != "" {
			return a.own(r, referer)
		}
		if !isBrowser(r) {
			return true
		}
		c, err := r.Cookie(ownCookie)
		return err == nil && c.Value != ""
	}
	return r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document" &&
		r.Header.Get("Sec-Fetch-User") == "?1"
}

// api reports whether a request to the registry API may ask. Its clients are no browsers: one that says nothing of
// where it comes from may not.
func (a asks) api(r *http.Request) bool {
	switch site := r.Header.Get("Sec-Fetch-Site"); site {
	case "same-origin", "none":
		return true
	case "":
		if referer := r.Header.Get("Referer"); referer != "" && !a.own(r, referer) {
			return false
		}
		return !isBrowser(r)
	}
	return false
}

// own reports whether a Referer is a page of this server.
func (a asks) own(r *http.Request, referer string) bool {
	u, err := url.Parse(referer)
	if err != nil || u.Host == "" {
		return false
	}
	host := hostOf(u)
	return host == a.outside || host == hostOf(&url.URL{Scheme: u.Scheme, Host: r.Host})
}

// hostOf returns a URL's host[:port] as it is compared: without the port that is its scheme's own.
func hostOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return host
}

// isBrowser reports whether a request's User-Agent is a browser's: all of them begin with the name of the first. A page
// of another site cannot have it left out or changed without asking this server first, which answers no such question.
func isBrowser(r *http.Request) bool { return strings.HasPrefix(r.UserAgent(), "Mozilla/") }

// asking lets a handler ask registries for the requests that may.
func (a asks) asking(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !a.page(c.Request()) {
			page.HoldAsking(c)
		}
		return next(c)
	}
}

// silent keeps a handler from asking registries, whoever makes the request.
func silent(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		page.HoldAsking(c)
		return next(c)
	}
}

// ownSite gives browsers the cookie that asks looks for, with the first page that they open.
func ownSite(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") {
			if _, err := r.Cookie(ownCookie); err != nil {
				c.SetCookie(&http.Cookie{
					Name: ownCookie, Value: "1", Path: "/", MaxAge: 365 * 24 * 60 * 60, HttpOnly: true,
					SameSite: http.SameSiteStrictMode,
				})
			}
		}
		return next(c)
	}
}
