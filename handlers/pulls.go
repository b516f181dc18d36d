package handlers

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/pulls"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

const (
	pullsPerPage      = 25
	maxPullsPage      = 1 << 20 // no list is as long
	refreshPullsEvery = 5       // seconds; as refreshEvery, for the list
)

// Pulls answers GET /pulls?page=: the queue and the pulls before, newest first.
func (h *Handlers) Pulls(c echo.Context) error {
	page, err := pageParam(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	v := pulls.PullsView{Page: page, Demo: h.options.Demo != nil}
	v.Jobs, v.Total, err = h.store.Jobs(ctx, (page-1)*pullsPerPage, pullsPerPage)
	if err != nil {
		return err
	}
	v.Pages = max(1, (v.Total+pullsPerPage-1)/pullsPerPage)
	if page > v.Pages {
		return c.Redirect(http.StatusFound, address.Pulls(v.Pages))
	}
	for i, j := range v.Jobs {
		if live, ok := h.queue.Get(j.ID); ok {
			v.Jobs[i] = live
		}
		// One that came to its end between the two looks is shown as it was kept; the next look has it.
		v.Live = v.Live || !v.Jobs[i].State.Final()
	}
	if v.Broken, err = h.brokenPulls(ctx, v.Jobs); err != nil {
		return err
	}
	active := h.queue.ActiveCount()
	v.Live = v.Live || active > 0
	if Partial(c) {
		return Render(c, http.StatusOK, pulls.PullsPart(v, active))
	}
	chrome := h.Chrome(c, text.T(ctx, "nav.pulls"), ui.NavPulls)
	if v.Live {
		chrome.Refresh = refreshPullsEvery
	}
	return Render(c, http.StatusOK, pulls.PullsPage(chrome, v))
}

// pageParam reads ?page=, counted from 1, which is also what an absent one means.
func pageParam(c echo.Context) (int, error) { return countParam(c, "page") }

// countParam reads the number of a page, as pageParam does, from another parameter.
func countParam(c echo.Context, name string) (int, error) {
	s := c.QueryParam(name)
	if s == "" {
		return 1, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxPullsPage {
		return 0, image.Errorf(image.Invalid, "%.40q is not the number of a page", s).Suggest("Pages are counted from 1.")
	}
	return n, nil
}
