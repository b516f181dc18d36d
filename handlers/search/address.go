package search

import (
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
)

// ofListed holds a state against the list: its registry must be there, and only one registry's results have pages.
func (h *Handlers) ofListed(s address.Search) (address.Search, error) {
	if s.Registry != "" {
		l, ok := h.Registry.Find(s.Registry)
		if !ok {
			return s, image.Errorf(image.Invalid, "%.80q is not in this server's list of registries (registry)", s.Registry).
				Suggest("Leave it out to search all that are.")
		}
		s.Registry = l.Host
	}
	if len(h.asked(s)) != 1 {
		s.Page = 0
	}
	return s, nil
}

// currentSearch returns the state of the Search page that htmx asks from: part of what it asks with may be older, since
// the rest of the page changed by itself.
func currentSearch(c echo.Context) (address.Search, bool) {
	u, err := url.Parse(c.Request().Header.Get("HX-Current-URL"))
	if err != nil || u.Path != address.SearchPath {
		return address.Search{}, false
	}
	s, err := address.ParseSearch(u.Query())
	return s, err == nil
}

// keepAddress tells htmx the page's address after the request: for what is typed or chosen in place of the last one,
// for a link as a step that one can go back from. What asks by itself changes no address.
func keepAddress(c echo.Context, state, shown address.Search) {
	tag, _, _ := strings.Cut(c.Request().Header.Get("HX-Source"), "#")
	header := c.Response().Header()
	switch tag {
	case "form", "input", "select":
		header.Set("HX-Replace-Url", state.String())
	case "a":
		if state != shown {
			header.Set("HX-Push-Url", state.String())
		}
	}
}
