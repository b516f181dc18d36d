package search

import (
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/errgroup"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/views/address"
	views "github.com/stowage/stowage/views/search"
	"github.com/stowage/stowage/views/ui"
)

// searchDeadline is how long an answer waits for the registries that are searched. What is later comes by itself.
const searchDeadline = 3 * time.Second

// Page answers GET /search: the Search page, or the part of it that htmx asks for. address.Search has the
// words of its address. A pasted reference, digest or image ID leads on to where it belongs.
func (h *Handlers) Page(c echo.Context) error {
	state, err := address.ParseSearch(c.QueryParams())
	if err != nil {
		return err
	}
	if state, err = h.ofListed(state); err != nil {
		return err
	}
	part := searchPart(c)
	if part == "" {
		return h.searchPage(c, state)
	}
	shown, known := currentSearch(c)
	if known && part == views.SearchResultsID {
		state = state.WithPick(shown)
	} else if known {
		state = shown.WithPick(state)
	}
	if part == views.SearchResultsID && c.QueryParams().Has("go") && page.MayAsk(c) {
		// Somebody pressed Enter: the text goes where it leads to, and is not only named.
		if m, err := h.understand(c.Request().Context(), state.Query); err == nil && m.Page != "" {
			return page.LeadOn(c, m.Page)
		}
	}
	if known {
		keepAddress(c, state, shown)
		if part == views.SearchResultsID && state.Page != shown.Page {
			c.Response().Header().Set("HX-Reswap", "outerMorph show:top") // the link to the page is below its results
		}
	}
	switch {
	case part == views.SearchResultsID:
		return h.searchResultsPart(c, state)
	case state.Repo == "":
		return page.Render(c, http.StatusOK, views.SearchNoPickPart(state, shown.Repo))
	case part == views.SearchPickerID:
		v, err := h.searchPicker(c, state)
		if err != nil {
			return err
		}
		return page.Render(c, http.StatusOK, views.SearchPickedPart(v, shown.Repo))
	}
	return h.searchPickerPart(c, state, part)
}

// searchPart returns the ID of the part that htmx wants; empty for the whole page.
func searchPart(c echo.Context) string {
	if !page.Partial(c) {
		return ""
	}
	_, id, _ := strings.Cut(c.Request().Header.Get("HX-Target"), "#") // "div#search-results"
	switch id {
	case views.SearchResultsID, views.SearchPickerID, views.SearchTagsID, views.SearchOffersID:
		return id
	}
	return ""
}

// searchPage answers with the whole page. The results and the picked repository are asked for at the same time,
// so that neither waits for the other's registry.
func (h *Handlers) searchPage(c echo.Context, state address.Search) error {
	if !state.Tidy(c.QueryParams()) {
		return c.Redirect(http.StatusFound, state.String())
	}
	ctx := c.Request().Context()
	v := views.SearchView{State: state, Registries: h.searchable()}
	if state.Query != "" && page.MayAsk(c) {
		m, err := h.understand(ctx, state.Query)
		if err == nil && m.Page != "" {
			return c.Redirect(http.StatusFound, m.Page)
		}
	}
	var picker views.PickerView
	var g errgroup.Group
	if state.Repo != "" {
		v.Picked = true
		g.Go(func() (err error) {
			picker, err = h.searchPicker(c, state)
			return err
		})
	}
	g.Go(func() (err error) {
		v.Results, err = h.searchResults(ctx, state, page.MayAsk(c), 0)
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	v.Picker = picker
	return page.Render(c, http.StatusOK,
		views.SearchPage(h.Site.Chrome(c, views.SearchTitle(ctx, state), ui.NavSearch), v))
}

// searchResultsPart answers with the results alone.
func (h *Handlers) searchResultsPart(c echo.Context, state address.Search) error {
	again, err := address.Again(c.QueryParams())
	if err != nil {
		return err
	}
	results, err := h.searchResults(c.Request().Context(), state, page.MayAsk(c), again)
	if err != nil {
		return err
	}
	return page.Render(c, http.StatusOK, views.SearchResultsSwap(results))
}
