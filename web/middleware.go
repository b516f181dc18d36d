package web

import (
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/stowage/stowage/handlers"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/static"
	"github.com/stowage/stowage/views"
)

// maxForm bounds the body of a request to the pages, in the notation of echo.
const maxForm = "1M"

// bodyTime bounds how long a form may take to arrive.
const bodyTime = 30 * time.Second

// policy allows our own files only: no inline script or style, no frame, no other host.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// use sets the middleware, outermost first.
func use(e *echo.Echo, o Options) {
	e.Use(
		plainRequestID,
		middleware.RequestID(),
		requestLog(o.Logger),
		measure(o.Metrics),
		middleware.RecoverWithConfig(middleware.RecoverConfig{DisablePrintStack: true, LogErrorFunc: func(_ echo.Context, err error, stack []byte) error {
			o.Logger.Error("panic", "error", err, "stack", string(stack))
			return err
		}}),
		locale,
		secure,
		hosts(o),
		crossOrigin(),
		bodyDeadline,
		middleware.BodyLimitWithConfig(middleware.BodyLimitConfig{Limit: maxForm, Skipper: upload}),
		middleware.GzipWithConfig(middleware.GzipConfig{MinLength: 1024, Skipper: uncompressed}),
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

// requestLog writes one line a request: at debug level for what is quiet, unless it went wrong.
func requestLog(log *slog.Logger) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			start := time.Now()
			err := next(c)
			if err != nil {
				c.Error(err)
			}
			req, res := c.Request(), c.Response()
			level := slog.LevelInfo
			if quiet(c) && res.Status < http.StatusBadRequest {
				level = slog.LevelDebug
			}
			log.Log(req.Context(), level, "request", "method", req.Method, "path", req.URL.RequestURI(), "status", res.Status,
				"bytes", res.Size, "took", time.Since(start), "remote", c.RealIP(), "request_id", res.Header().Get(echo.HeaderXRequestID))
			return nil
		}
	}
}

// quiet tells whether a request says nothing of what people do: assets, probes, and what a search asks for with each
// letter that somebody types.
func quiet(c echo.Context) bool {
	switch path := c.Request().URL.Path; path {
	case "/healthz", "/readyz", "/metrics":
		return true
	case views.SearchPath, views.BoxPath:
		return handlers.Partial(c)
	default:
		return strings.HasPrefix(path, static.Prefix)
	}
}

// locale words the answer for the request.
func locale(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		c.SetRequest(r.WithContext(views.WithLocale(r.Context(), handlers.Locale(c))))
		return next(c)
	}
}

func secure(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		return next(c)
	}
}

// hosts refuses a foreign Host while the server listens on loopback only: a page elsewhere could have its
// own name resolve to 127.0.0.1 and then read everything here (DNS rebinding).
func hosts(o Options) echo.MiddlewareFunc {
	own := o.ownHosts()
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if !own(c.Request().Host) {
				return image.Errorf(image.Forbidden, "this server answers only to localhost, not to %.80q", c.Request().Host).
					Suggest("Open it as http://localhost or http://127.0.0.1 with its port.")
			}
			return next(c)
		}
	}
}

// ownHosts tells whether a request's Host is one that the server has.
func (o Options) ownHosts() func(host string) bool {
	if !o.Loopback {
		return func(string) bool { return true }
	}
	outside := ""
	if u, err := url.Parse(o.ExternalURL); err == nil {
		outside = u.Hostname()
	}
	return func(host string) bool {
		return isLoopbackHost(host) || outside != "" && strings.EqualFold((&url.URL{Host: host}).Hostname(), outside)
	}
}

func isLoopbackHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	if host = strings.TrimSuffix(strings.ToLower(host), "."); host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// upload tells whether a request sends an archive, which may be as large as the disk has room for. Its handler bounds it,
// and sees to it that it does not drip.
func upload(c echo.Context) bool {
	switch r := c.Request(); r.Method {
	case http.MethodPost:
		return r.URL.Path == views.UploadPath
	case http.MethodPut:
		return r.URL.Path == views.UploadPath || strings.HasPrefix(r.URL.Path, views.UploadPath+"/")
	}
	return false
}

// bodyDeadline keeps somebody who sends a body byte by byte from holding a connection for ever.
func bodyDeadline(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().ContentLength != 0 {
			// A writer without deadlines, as in tests, has no connection to hold.
			_ = http.NewResponseController(c.Response().Writer).SetReadDeadline(time.Now().Add(bodyTime))
		}
		return next(c)
	}
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

// uncompressed tells which answers are not to be compressed: streams, assets that bring their own, and
// original bytes and archives, whose ETag is that of the bytes as they are and which can be had in parts.
func uncompressed(c echo.Context) bool {
	path := c.Request().URL.Path
	if strings.HasSuffix(path, "/archive") {
		return true
	}
	return strings.HasPrefix(path, static.Prefix) || strings.HasSuffix(path, "/events") || path == "/metrics" || c.QueryParam("raw") != ""
}
