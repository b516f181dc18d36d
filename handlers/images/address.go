package images

import (
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/views/address"
)

const rowsPerPage = 50

// listState reads a list's address.
func listState(c echo.Context, path string) (address.List, error) {
	return address.ParseList(path, c.QueryParams(), page.Partial(c))
}

// noteAddress tells htmx the list's address. What is typed takes the place of the last address, each other change of a
// filter is a step that one can go back from. Links say so themselves.
func noteAddress(c echo.Context, state address.List) {
	header := c.Request().Header
	if source, _, _ := strings.Cut(header.Get("HX-Source"), "#"); source != "form" {
		return
	}
	shown, err := url.Parse(header.Get("HX-Current-URL"))
	if err != nil {
		return
	}
	before, err := address.ParseList(state.Path, shown.Query(), false)
	now := state
	now.Text, before.Text, now.Page, before.Page = "", "", 1, 1
	typed := err == nil && shown.Path == state.Path && now.String() == before.String() && !c.QueryParams().Has("go")
	if typed || (&url.URL{Path: shown.Path, RawQuery: shown.RawQuery}).RequestURI() == state.String() {
		c.Response().Header().Set("HX-Replace-Url", state.String())
	} else {
		c.Response().Header().Set("HX-Push-Url", state.String())
	}
}
