package images

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/shelf/docker"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/images"
	"github.com/stowage/stowage/views/ui"
)

// List answers GET /images: the list of the whole shelf, or its part for htmx, or its image IDs as text. address.List
// has the words of its address.
func (h *Handlers) List(c echo.Context) error {
	return h.answerList(c, address.ImagesPath, "", func() (int, error) {
		totals, err := h.Lists.Totals(c.Request().Context())
		return totals.Images, err
	}, func(list images.ImageList) error {
		totals, err := h.Lists.Totals(c.Request().Context())
		if err != nil {
			return err
		}
		v := images.ImagesView{
			Repositories: totals.Repositories, Bytes: totals.Bytes + totals.WaitingBytes, List: list,
			Reclaimable: h.Usage.Reclaimable().Dangling,
		}
		return page.Render(c, http.StatusOK,
			images.ImagesPage(h.Site.Chrome(c, images.ListTitle(c.Request().Context(), list), ui.NavImages), v))
	})
}

// answerList answers with a list of the whole shelf or of one repository: in its page, or the list alone for htmx, or
// its image IDs as text. count gives the number of rows without a filter.
func (h *Handlers) answerList(c echo.Context, path string, repository image.Repository, count func() (int, error),
	show func(images.ImageList) error) error {
	c.Response().Header().Add(echo.HeaderVary, echo.HeaderAccept)
	if page.PlainText(c.Request()) {
		return h.imageIDs(c, path, repository)
	}
	state, err := listState(c, path)
	if err != nil {
		return err
	}
	if !page.Partial(c) && !state.Tidy(c.Request().URL.RawQuery) {
		return c.Redirect(http.StatusFound, state.String())
	}
	q, err := h.listQuery(c.Request().Context(), state)
	if err != nil {
		return err
	}
	q.Repository = repository
	all, err := count()
	if err != nil {
		return err
	}
	list, err := h.imageList(c, state, q, all)
	if err != nil {
		return err
	}
	if page.Partial(c) {
		noteAddress(c, state)
		return page.Render(c, http.StatusOK, images.ImageListSwap(list))
	}
	return show(list)
}

// listQuery returns what a list asks of the shelf. Errors name the part of the address.
func (h *Handlers) listQuery(ctx context.Context, state address.List) (shelf.Query, error) {
	q, err := state.Query(h.Site.Now())
	if err != nil {
		return q, err
	}
	q.Offset, q.Limit = (state.Page-1)*rowsPerPage, rowsPerPage
	for _, name := range state.Filters.Before {
		t, err := h.createdOf(ctx, name, "before")
		if err != nil {
			return q, err
		}
		q.CreatedBefore(t)
	}
	for _, name := range state.Filters.Since {
		t, err := h.createdOf(ctx, name, "since")
		if err != nil {
			return q, err
		}
		q.CreatedAfter(t)
	}
	return q, nil
}

// createdOf returns when the image of a filter was created. docker takes one without a date as no filter at all; here
// it is refused, since a filter that does nothing only seems to have been heard.
func (h *Handlers) createdOf(ctx context.Context, name, part string) (time.Time, error) {
	t, err := h.Lists.CreatedOf(ctx, name)
	if err != nil {
		return t, docker.InFilter(part, err)
	}
	if t.IsZero() {
		return t, image.Errorf(image.Invalid, "%.80q does not say when it was created (%s)", name, part).
			Suggest("Name another image, or give a time: until=2026-01-31.")
	}
	return t, nil
}

// imageList reads one page of the list; all is the number of rows without the filter.
func (h *Handlers) imageList(c echo.Context, state address.List, q shelf.Query, all int) (images.ImageList, error) {
	ctx := c.Request().Context()
	list := images.ImageList{State: state, Repository: q.Repository, All: all, Server: h.Site.Origin(c)}
	if state.Grouped {
		rows, matches, err := h.Lists.ListRepositories(ctx, q)
		if err != nil {
			return list, err
		}
		list.Matches = matches
		list.Repositories = rows
	} else {
		rows, matches, err := h.Lists.List(ctx, q)
		if err != nil {
			return list, err
		}
		list.Matches = matches
		list.Rows = rows
	}
	list.Pages = max(1, (list.Matches+rowsPerPage-1)/rowsPerPage)
	if state.Page > list.Pages {
		return list, image.Errorf(image.NotFound, "there is no page %d: the list has %d (page)", state.Page, list.Pages).
			Suggest("Go to the first page and on from there.")
	}
	list.First = q.Offset + 1
	offers, err := h.Lists.ListOffers(ctx)
	list.Registries, list.Platforms = offers.Registries, offers.Platforms
	return list, err
}
