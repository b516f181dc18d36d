package handlers

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/views"
)

// Search answers GET /search: the Search page, or the part of it that htmx asks for. views.SearchState has the
// words of its address. A pasted reference, digest or image ID leads on to where it belongs.
func (h *Handlers) Search(c echo.Context) error {
	state, err := searchState(c)
	if err != nil {
		return err
	}
	_ = state
	switch searchPart(c) {
	case views.SearchResultsID:
	case views.SearchPickerID:
	case views.SearchTagsID:
	case views.SearchOffersID:
	}
	return c.NoContent(http.StatusNoContent)
}

// searchPart gives the ID of the part that htmx wants; empty for the whole page.
func searchPart(c echo.Context) string {
	if !Partial(c) {
		return ""
	}
	_, id, _ := strings.Cut(c.Request().Header.Get("HX-Target"), "#") // "div#search-results"
	return id
}

// searchState reads the page's address. Errors are of kind Invalid and name the part that is wrong.
func searchState(c echo.Context) (views.SearchState, error) { return views.SearchState{}, nil }
