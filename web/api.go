package web

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/image"
)

// apiPath begins the addresses of the registry API.
const apiPath = "/v2"

// isAPI reports whether a path is the registry API's.
func isAPI(path string) bool { return path == apiPath || strings.HasPrefix(path, apiPath+"/") }

// ofAPI reports whether a request was handed to the registry API.
func ofAPI(c echo.Context) bool { return c.Get(apiPath) != nil }

// apiRoutes are the routes of the table by what they are for; all else is of "other".
var apiRoutes = map[string]string{
	"manifests": apiPath + "/*/manifests/*", "blobs": apiPath + "/*/blobs/*", "tags": apiPath + "/*/tags/*",
	"referrers": apiPath + "/*/referrers/*", "other": apiPath + "/*",
}

// apiKind tells what is asked for, so that names and digests do not become label values.
func apiKind(path string) string {
	path = path[:max(0, strings.LastIndexByte(path, '/'))]
	kind := path[strings.LastIndexByte(path, '/')+1:]
	if _, known := apiRoutes[kind]; known {
		return kind
	}
	return "other"
}

// parts hands the registry API's requests to its own router, and all others to the middleware of the pages, which
// words, compresses and wraps: between a blob's file and the socket there must be nothing that does.
func parts(o Options, pages ...echo.MiddlewareFunc) echo.MiddlewareFunc {
	guard := newAsks(o)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r, w := c.Request(), c.Response().Writer
			if o.Distribution == nil || !isAPI(r.URL.Path) {
				page := next
				for i := len(pages) - 1; i >= 0; i-- {
					page = pages[i](page)
				}
				return page(c)
			}
			c.Set(apiPath, true)
			if r.ContentLength != 0 {
				_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)) // see bodyDeadline
			}
			if err := refusal(c); err != nil {
				refuseAPI(c, err)
				return nil
			}
			mayAsk := func() bool {
				return guard.api(r) && auth.May(r.Context(), image.ActionFetch, subject(r.URL.Path).Repository) == nil
			}
			if o.Stored != nil && !mayAsk() {
				o.Stored.ServeHTTP(w, r)
			} else {
				o.Distribution.ServeHTTP(w, r)
			}
			return nil
		}
	}
}

// plainError answers in the form of the registry API, which its clients can show.
func plainError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// Nobody is left to be told.
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}
