package page

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// Bounds of what requests say.
const (
	MaxFilter = 300       // bytes of a text that is looked for, and of each filter
	MaxHost   = 255       // bytes of a registry's name
	MaxPage   = 1_000_000 // well above any list, well below an overflow
	maxPages  = 1 << 20   // no list is as long
	MaxNames  = 200       // references that are read for one image
)

// PlatformParam reads ?platform=; zero where it is not given.
func PlatformParam(c echo.Context) (image.Platform, error) {
	s := c.QueryParam("platform")
	if s == "" {
		return image.Platform{}, nil
	}
	return image.ParsePlatform(s)
}

// PageParam reads ?page=, counted from 1, which is also what an absent one means.
func PageParam(c echo.Context) (int, error) { return CountParam(c, "page") }

// CountParam reads the number of a page, as PageParam does, from another parameter.
func CountParam(c echo.Context, name string) (int, error) {
	s := c.QueryParam(name)
	if s == "" {
		return 1, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxPages {
		return 0, image.Errorf(image.Invalid, "%.40q is not the number of a page", s).Suggest("Pages are counted from 1.")
	}
	return n, nil
}

// UnknownParam gives a field of an address or a form that is not among the known ones: a filter that is misspelt must
// not choose everything, as docker's "invalid filter" says.
func UnknownParam(said url.Values, known []string) string {
	for _, name := range slices.Sorted(maps.Keys(said)) {
		if !slices.Contains(known, name) {
			return name
		}
	}
	return ""
}

// CrumbsOf gives the way to a repository; its last part leads to url where that is not empty.
func CrumbsOf(ctx context.Context, r image.Repository, url string) []ui.Crumb {
	crumbs := []ui.Crumb{{Label: text.T(ctx, "nav.images"), URL: address.ImagesPath}, {Label: r.Host()}}
	for part := range strings.SplitSeq(r.Path(), "/") {
		crumbs = append(crumbs, ui.Crumb{Label: part})
	}
	crumbs[len(crumbs)-1].URL = url
	return crumbs
}
