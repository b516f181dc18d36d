package pulls

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/pulls"
	"github.com/stowage/stowage/views/ui"
)

// refreshEvery is after how many seconds browsers without scripting load the page of a live pull again.
const refreshEvery = 2

// Page answers GET /pulls/:id?lines=: a pull as it is now, to scripts as answer has it.
func (h *Handlers) Page(c echo.Context) error {
	asked, j, err := h.asked(c)
	if err != nil {
		return err
	}
	view, err := h.pullView(c.Request().Context(), j, asked.Lines)
	if err != nil {
		return err
	}
	if page.Partial(c) {
		return page.Render(c, http.StatusOK, pulls.PullPart(view))
	}
	c.Response().Header().Add(echo.HeaderVary, echo.HeaderAccept)
	if accept := c.Request().Header.Get(echo.HeaderAccept); page.PlainText(c.Request()) ||
		page.Wants(accept, echo.MIMEApplicationJSON) {
		return answer(c, view, page.Wants(accept, echo.MIMEApplicationJSON))
	}
	chrome := h.Site.Chrome(c, pulls.PullTitle(c.Request().Context(), j), ui.NavPulls)
	if !j.State.Final() || view.State() == pulls.Unpacking {
		chrome.Refresh = refreshEvery
	}
	return page.Render(c, http.StatusOK, pulls.PullPage(chrome, view))
}

// pullView is what a pull's page and its stream show of a job.
func (h *Handlers) pullView(ctx context.Context, j job.Job, lines int) (pulls.PullView, error) {
	check, err := h.check(ctx, j)
	v := pulls.PullView{Job: j, ActivePulls: h.Jobs.ActiveCount(), Check: check}
	if j.Kind() == job.PullAll {
		v.Tags = pulls.TagsOf(j, lines)
	}
	return v, err
}

// Cancel answers POST /pulls/:id/cancel and leads back to the pull's page.
func (h *Handlers) Cancel(c echo.Context) error {
	asked, err := address.ParsePull(c.Param("id"), nil)
	if err != nil {
		return err
	}
	id := asked.ID
	begun, err := h.job(c.Request().Context(), id)
	if err == nil {
		err = auth.MayOwned(c.Request().Context(), image.ActionPull, "", image.ActorsNamed(begun.By)...)
	}
	if err != nil {
		return err
	}
	err = h.Jobs.Cancel(id, h.Site.Requester(c).Name)
	if image.KindOf(err) == image.NotFound {
		// Not live: over since long, or never there.
		j, missing := h.Records.Job(c.Request().Context(), id)
		if missing != nil {
			return missing
		}
		if j.State.Final() {
			err = image.Errorf(image.Conflict, "pull %d is over already", id)
		}
	}
	if err != nil {
		return err
	}
	return page.Redirect(c, address.Pull{ID: id}.String(), ui.Flash{})
}

// asked returns the pull that an address names, and which page of its tags.
func (h *Handlers) asked(c echo.Context) (address.Pull, job.Job, error) {
	asked, err := address.ParsePull(c.Param("id"), c.QueryParams())
	if err != nil {
		return asked, job.Job{}, err
	}
	j, err := h.job(c.Request().Context(), asked.ID)
	return asked, j, err
}

// job returns a pull as it is now: live, or else its record.
func (h *Handlers) job(ctx context.Context, id int64) (job.Job, error) {
	if j, live := h.Jobs.Get(id); live {
		return j, nil
	}
	return h.Records.Job(ctx, id)
}
