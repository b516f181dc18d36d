package pulls

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/pulls"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

const (
	perPage           = 25
	refreshPullsEvery = 5 // seconds; as refreshEvery, for the list
)

// List answers GET /pulls?page=: the queue and the pulls before, newest first.
func (h *Handlers) List(c echo.Context) error {
	number, err := address.ParsePulls(c.QueryParams())
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	v := pulls.PullsView{Page: number, Demo: h.Site.IsDemo()}
	v.Jobs, v.Total, err = h.Records.Jobs(ctx, (number-1)*perPage, perPage)
	if err != nil {
		return err
	}
	v.Pages = max(1, (v.Total+perPage-1)/perPage)
	if number > v.Pages {
		return c.Redirect(http.StatusFound, address.Pulls(v.Pages))
	}
	for i, j := range v.Jobs {
		if live, ok := h.Jobs.Get(j.ID); ok {
			v.Jobs[i] = live
		}
		// One that came to its end between the two looks is shown as it was kept; the next look has it.
		v.Live = v.Live || !v.Jobs[i].State.Final()
	}
	if v.Broken, err = h.brokenPulls(ctx, v.Jobs); err != nil {
		return err
	}
	active := h.Jobs.ActiveCount()
	v.Live = v.Live || active > 0
	if page.Partial(c) {
		return page.Render(c, http.StatusOK, pulls.PullsPart(v, active))
	}
	chrome := h.Site.Chrome(c, text.T(ctx, "nav.pulls"), ui.NavPulls)
	if v.Live {
		chrome.Refresh = refreshPullsEvery
	}
	return page.Render(c, http.StatusOK, pulls.PullsPage(chrome, v))
}
