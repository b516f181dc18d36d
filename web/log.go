package web

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/static"
	"github.com/stowage/stowage/views/address"
)

// quiet reports whether a request says nothing of what people do: assets, probes, and what a search asks for with each
// letter that somebody types.
func quiet(c echo.Context) bool {
	switch path := c.Request().URL.Path; path {
	case address.SearchPath, address.BoxPath:
		return page.Partial(c)
	default:
		return isProbe(path) || strings.HasPrefix(path, static.Prefix)
	}
}

// loggedParams are the parameters that stand in the log. Nobody types them: what people type or paste may hold a
// password.
var loggedParams = []string{
	"again", "all", "dangling", "digests", "document", "go", "group", "limit", "n", "no-trunc", "ns", "official", "page",
	"pinned",
	"platform", "raw", "registries", "sort", "stars", "tags", "update",
}

var loggedValue = regexp.MustCompile(`^[A-Za-z0-9._/-]{1,40}$`)

// loggedPath returns a URL as it stands in the log: its path, and of its query what is known to be harmless.
func loggedPath(u *url.URL) string {
	path := image.WithoutUserInfo(u.Path)
	if u.RawQuery == "" {
		return path
	}
	said, kept := u.Query(), url.Values{}
	for _, name := range loggedParams {
		for _, v := range said[name] {
			if loggedValue.MatchString(v) && !slices.Contains(kept[name], v) && len(kept[name]) < 5 {
				kept.Add(name, v)
			}
		}
	}
	if len(kept) == 0 {
		return path
	}
	return path + "?" + kept.Encode()
}
