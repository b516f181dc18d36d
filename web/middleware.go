package web

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/stowage/stowage/handlers"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/static"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
)

// maxForm bounds the body of a request to the pages, in the notation of echo.
const maxForm = "1M"

// policy allows our own files only: no inline script or style, no frame, no other host.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// use sets the middleware, outermost first.
func use(e *echo.Echo, o Options) {
	e.Use(
		newDoor(table(o), newWho(o.Handlers), o.Logger, o.Metrics).open,
		parts(o,
			plainRequestID,
			middleware.RequestID(),
			locale,
			uploads(o.Handlers),
			secure,
			ownSite,
			crossOrigin(),
			refused,
			bodyDeadline,
			middleware.BodyLimitWithConfig(middleware.BodyLimitConfig{Limit: maxForm, Skipper: upload}),
			wholeForm,
			middleware.GzipWithConfig(middleware.GzipConfig{MinLength: 1024, Skipper: uncompressed}),
		),
	)
}

var validRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// plainRequestID takes a proxy's request ID as it is, and nothing that only looks like one: the ID stands in
// the log and on error pages.
func plainRequestID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if h := c.Request().Header; !validRequestID.MatchString(h.Get(echo.HeaderXRequestID)) {
			h.Del(echo.HeaderXRequestID)
		}
		return next(c)
	}
}

// locale words the answer for the request.
func locale(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		c.SetRequest(r.WithContext(text.WithLang(r.Context(), page.Lang(c))))
		return next(c)
	}
}

// uploads has the answer say of names that they are those of uploads.
func uploads(h *handlers.Handlers) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			c.SetRequest(r.WithContext(h.Site.WithUploads(r.Context())))
			return next(c)
		}
	}
}

func secure(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		safe(c.Response().Header())
		return next(c)
	}
}

// safe sets what keeps other sites from making anything of an answer.
func safe(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// upload reports whether a request sends an archive, which may be as large as the disk has room for. Its handler bounds
// it, and sees to it that it does not drip.
func upload(c echo.Context) bool {
	switch r := c.Request(); r.Method {
	case http.MethodPost:
		return r.URL.Path == address.ArchivesPath
	case http.MethodPut:
		return r.URL.Path == address.ArchivesPath || strings.HasPrefix(r.URL.Path, address.ArchivesPath+"/")
	}
	return false
}

// crossOrigin refuses changing requests that another site's page made the browser send.
func crossOrigin() echo.MiddlewareFunc {
	protection := http.NewCrossOriginProtection()
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if err := protection.Check(c.Request()); err != nil {
				return image.Errorf(image.Forbidden, "this request came from another site").Because(err).
					Suggest("Open the page here and try again.")
			}
			return next(c)
		}
	}
}

// uncompressed reports which answers are not to be compressed: streams, assets that bring their own, and
// original bytes and archives, whose ETag is that of the bytes as they are and which can be had in parts.
func uncompressed(c echo.Context) bool {
	path := c.Request().URL.Path
	if address.IsArchive(path) {
		return true
	}
	return strings.HasPrefix(path, static.Prefix) || strings.HasSuffix(path, "/events") || path == "/metrics" ||
		c.QueryParam("raw") != ""
}
