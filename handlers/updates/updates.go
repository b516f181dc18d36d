package updates

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/marks"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
	"github.com/stowage/stowage/views/updates"
)

const (
	tagsOfState         = 100 // that the page of updates lists of each state
	refreshUpdatesEvery = 3   // seconds, without scripting, while a run is under way
)

// Page answers GET /updates: what the last checks found, and the one under way.
func (h *Handlers) Page(c echo.Context) error {
	ctx := c.Request().Context()
	v := updates.UpdatesView{Checks: h.Checker.State()}
	var err error
	if v.Counts, err = h.Tags.CountChecked(ctx); err != nil {
		return err
	}
	for _, state := range []shelf.UpdateState{shelf.UpdateAvailable, shelf.UpdateGone, shelf.UpdateUnknown} {
		g := updates.UpdateGroup{State: state}
		checks, total, err := h.Tags.CheckedTags(ctx, state, tagsOfState)
		if err != nil {
			return err
		}
		g.Total = total
		for _, check := range checks {
			g.Tags = append(g.Tags, marks.TagUpdate{TagCheck: check, PullURL: address.PullFormOf(check.Reference).String()})
		}
		v.Groups = append(v.Groups, g)
	}
	if page.Partial(c) {
		return page.Render(c, http.StatusOK, updates.UpdatesPart(v))
	}
	chrome := h.Site.Chrome(c, text.T(ctx, "updates.title"), ui.NavImages)
	if v.Checks.Running != nil {
		chrome.Refresh = refreshUpdatesEvery
	}
	return page.Render(c, http.StatusOK, updates.UpdatesPage(chrome, v))
}

// Check answers POST /updates with the field repository, which may be left out: asks about all tags, or those of
// one repository, in the background.
func (h *Handlers) Check(c echo.Context) error {
	ctx := c.Request().Context()
	var of image.Repository
	if name := c.FormValue("repository"); name != "" {
		ref, err := image.ParseRepositoryReference(name)
		if err != nil {
			return err
		}
		if ref.Tag != "" || ref.Digest != "" {
			return image.Errorf(image.Invalid, "%.80q is more than a repository's name (repository)", name).
				Suggest("Leave out what follows the name, from : or @ on.")
		}
		known, err := h.Images.RepositoryExists(ctx, ref.Repository)
		if err != nil {
			return err
		}
		if !known {
			return image.Errorf(image.NotFound, "nothing of %s is stored", ref.Repository.Familiar())
		}
		of = ref.Repository
	}
	flash := ui.Flash{}
	if _, joined := h.Checker.CheckAll(of, h.Site.Requester(c)); joined {
		flash = ui.Flash{Kind: ui.KindInfo, Text: text.T(ctx, "updates.joined")}
	}
	return page.Redirect(c, address.UpdatesPath, flash)
}

// Cancel answers POST /updates/cancel: ends the run under way. What it has found is kept.
func (h *Handlers) Cancel(c echo.Context) error {
	h.Checker.Cancel()
	return page.Redirect(c, address.UpdatesPath, ui.Flash{})
}

// CheckTag answers POST …:tag/check: asks about one tag, and leads back to its page, which says what came of it.
func (h *Handlers) CheckTag(c echo.Context, a address.Image) error {
	if a.Ref.Tag == "" {
		return image.Errorf(image.Invalid, "only a tag can have an update: a digest never changes its meaning").
			Suggest("Open the tag's page.")
	}
	ctx := c.Request().Context()
	if _, err := h.Images.Target(ctx, a.Ref); err != nil {
		return err
	}
	if _, err := h.Checker.CheckOne(ctx, a.Ref, h.Site.Requester(c)); err != nil {
		return err
	}
	return page.Redirect(c, a.Base().String(), ui.Flash{})
}
