package images

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/imagepage"
	"github.com/stowage/stowage/views/images"
	"github.com/stowage/stowage/views/ui"
)

// RepositoryPage answers for a repository's address: its tags and its digests without one, as a list with
// the address of the Images page. Where nothing of it is stored, the page offers to pull it.
func (h *Handlers) RepositoryPage(c echo.Context, a address.Image) error {
	ctx := c.Request().Context()
	name := a.Ref.Repository
	totals, err := h.Lists.RepositoryTotals(ctx, name)
	if err != nil {
		return err
	}
	all := totals.Tags + totals.Untagged
	if all == 0 {
		return h.absentRepository(c, a.Ref)
	}
	return h.answerList(c, a.Base().String(), name, func() (int, error) { return all, nil },
		func(list images.ImageList) error {
			v := images.RepositoryView{Repository: name, Crumbs: page.CrumbsOf(ctx, name, ""), Tags: totals.Tags,
				Untagged: totals.Untagged, List: list}
			return page.Render(c, http.StatusOK,
				images.RepositoryPage(h.Site.Chrome(c, images.ListTitle(ctx, list), ui.NavImages), v))
		})
}

// absentRepository answers where the shelf has nothing of a repository.
func (h *Handlers) absentRepository(c echo.Context, ref image.Reference) error {
	v := imagepage.AbsentView{
		Crumbs: page.CrumbsOf(c.Request().Context(), ref.Repository, ""), Ref: ref, PullURL: address.PullFormOf(ref).String(),
		Command: "docker pull " + ref.Familiar(),
	}
	if page.Partial(c) { // somebody deleted all of it while its list was in view
		c.Response().Header().Set("HX-Retarget", "#main")
		c.Response().Header().Set("HX-Reswap", "innerHTML")
		return page.Render(c, http.StatusNotFound, imagepage.AbsentBody(v))
	}
	return page.Render(c, http.StatusNotFound, imagepage.AbsentPage(h.Site.Chrome(c, ref.Familiar(), ui.NavImages), v))
}
