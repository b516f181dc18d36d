package handlers

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage"
	"github.com/stowage/stowage/views"
)

const (
	rowsPerPage = 50
	maxFilter   = 300       // bytes of the text filter
	maxPage     = 1_000_000 // well above any shelf, well below an overflow
)

// Images answers GET /images: the list of the whole shelf, or its part for htmx. views.ListState has the
// words of its address.
func (h *Handlers) Images(c echo.Context) error {
	state, err := listState(c, "/images")
	if err != nil {
		return err
	}
	if !tidy(c, state) {
		return c.Redirect(http.StatusFound, state.URL())
	}
	totals, err := h.store.Totals(c.Request().Context())
	if err != nil {
		return err
	}
	list, err := h.imageList(c, state, "", totals.Images)
	if err != nil {
		return err
	}
	if Partial(c) {
		return Render(c, http.StatusOK, views.ImageListPart(list))
	}
	v := views.ImagesView{Repositories: totals.Repositories, Bytes: totals.Bytes, List: list}
	return Render(c, http.StatusOK, views.ImagesPage(h.Chrome(c, views.ImagesTitle(c.Request().Context()), views.NavImages), v))
}

// imageList reads one page of the list; all is the number of rows without the filter.
func (h *Handlers) imageList(c echo.Context, state views.ListState, repository image.Repository, all int) (views.ImageList, error) {
	column, descending := strings.CutPrefix(state.Sort, "-")
	rows, matches, err := h.store.List(c.Request().Context(), storage.ListQuery{
		Text: state.Query, Repository: repository, Sort: storage.Sort(column), Descending: descending,
		Offset: (state.Page - 1) * rowsPerPage, Limit: rowsPerPage,
	})
	if err != nil {
		return views.ImageList{}, err
	}
	pages := max(1, (matches+rowsPerPage-1)/rowsPerPage)
	if state.Page > pages {
		return views.ImageList{}, image.Errorf(image.NotFound, "there is no page %d: the list has %d (page)", state.Page, pages).
			Suggest("Go to the first page and on from there.")
	}
	list := views.ImageList{State: state, Repository: repository, Matches: matches, All: all, Pages: pages, First: (state.Page-1)*rowsPerPage + 1}
	for _, r := range rows {
		list.Rows = append(list.Rows, imageRow(r))
	}
	return list, nil
}

func imageRow(r storage.Row) views.ImageRow {
	row := views.ImageRow{
		Ref: r.Reference, Digest: r.Digest, Broken: r.Broken, ImageID: r.ImageID, Platform: r.Platform, Platforms: r.Platforms,
		Created: r.Created, Pulled: r.Pulled, Size: r.Size, Unpacked: r.Unpacked, Total: r.TotalSize,
	}
	switch r.Reason {
	case storage.ByDigest:
		row.State = views.StateByDigest
	case storage.Dangling:
		row.State = views.StateDangling
	}
	return row
}

// listState reads a list's address. Errors are of kind Invalid and name the part that is wrong.
func listState(c echo.Context, path string) (views.ListState, error) {
	state := views.ListState{Path: path, Query: strings.TrimSpace(c.QueryParam("q")), Sort: c.QueryParam("sort"), Page: 1}
	if len(state.Query) > maxFilter {
		return state, image.Errorf(image.Invalid, "the filter is longer than %d bytes (q)", maxFilter).Suggest("Give a part of a name, an image ID or a digest.")
	}
	if column := strings.TrimPrefix(state.Sort, "-"); state.Sort != "" && !storage.Sort(column).Valid() {
		return state, image.Errorf(image.Invalid, "the list cannot be sorted by %.40q (sort)", column).
			Suggest("Its columns are name, platforms, id, created, pulled, size and unpacked; a minus before one turns the order round.")
	}
	if state.Sort == string(storage.SortName) {
		state.Sort = ""
	}
	switch digests := c.QueryParam("digests"); digests {
	case "", "0":
	case "1":
		state.Digests = true
	default:
		return state, image.Errorf(image.Invalid, "the value of digests is 1 or left out, not %.40q (digests)", digests)
	}
	if s := c.QueryParam("page"); s != "" {
		page, err := strconv.Atoi(s)
		if err != nil || page < 1 || page > maxPage {
			return state, image.Errorf(image.Invalid, "%.40q is not a page (page)", s).Suggest("Pages are counted from 1.")
		}
		state.Page = page
	}
	return state, nil
}

// tidy tells whether the address says nothing that it could leave out: an empty filter, which forms send,
// or the first page. Such an address is redirected to the short one, so that a list has one address only.
func tidy(c echo.Context, state views.ListState) bool {
	said := c.QueryParams()
	for name, kept := range map[string]bool{"q": state.Query != "", "sort": state.Sort != "", "digests": state.Digests, "page": state.Page > 1} {
		if said.Has(name) && !kept {
			return false
		}
	}
	return true
}
