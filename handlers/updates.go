package handlers

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

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

// Updates answers GET /updates: what the last checks found, and the one under way.
func (h *Handlers) Updates(c echo.Context) error {
	ctx := c.Request().Context()
	v := updates.UpdatesView{Checks: h.checker.State()}
	var err error
	if v.Counts, err = h.store.CountChecked(ctx); err != nil {
		return err
	}
	for _, state := range []shelf.UpdateState{shelf.UpdateAvailable, shelf.UpdateGone, shelf.UpdateUnknown} {
		g := updates.UpdateGroup{State: state}
		checks, total, err := h.store.CheckedTags(ctx, state, tagsOfState)
		if err != nil {
			return err
		}
		g.Total = total
		for _, check := range checks {
			g.Tags = append(g.Tags, marks.TagUpdate{TagCheck: check, PullURL: address.PullFormOf(check.Reference).String()})
		}
		v.Groups = append(v.Groups, g)
	}
	if Partial(c) {
		return Render(c, http.StatusOK, updates.UpdatesPart(v))
	}
	chrome := h.Chrome(c, text.T(ctx, "updates.title"), ui.NavImages)
	if v.Checks.Running != nil {
		chrome.Refresh = refreshUpdatesEvery
	}
	return Render(c, http.StatusOK, updates.UpdatesPage(chrome, v))
}

// CheckUpdates answers POST /updates with the field repository, which may be left out: asks about all tags, or those of
// one repository, in the background.
func (h *Handlers) CheckUpdates(c echo.Context) error {
	ctx := c.Request().Context()
	var of image.Repository
	if name := c.FormValue("repository"); name != "" {
		ref, err := image.ParseRepositoryReference(name)
		if err != nil {
			return err
		}
		if ref.Tag != "" || ref.Digest != "" {
			return image.Errorf(image.Invalid, "%.80q is more than a repository's name (repository)", name).Suggest("Leave out what follows the name, from : or @ on.")
		}
		known, err := h.store.RepositoryExists(ctx, ref.Repository)
		if err != nil {
			return err
		}
		if !known {
			return image.Errorf(image.NotFound, "nothing of %s is stored", ref.Repository.Familiar())
		}
		of = ref.Repository
	}
	flash := ui.Flash{}
	if _, joined := h.checker.CheckAll(of, h.requester(c)); joined {
		flash = ui.Flash{Kind: ui.KindInfo, Text: text.T(ctx, "updates.joined")}
	}
	return redirect(c, address.UpdatesPath, flash)
}

// CancelUpdates answers POST /updates/cancel: ends the run under way. What it has found is kept.
func (h *Handlers) CancelUpdates(c echo.Context) error {
	h.checker.Cancel()
	return redirect(c, address.UpdatesPath, ui.Flash{})
}

// checkTag answers POST …:tag/check: asks about one tag, and leads back to its page, which says what came of it.
func (h *Handlers) checkTag(c echo.Context, a address.Image) error {
	if a.Ref.Tag == "" {
		return image.Errorf(image.Invalid, "only a tag can have an update: a digest never changes its meaning").Suggest("Open the tag's page.")
	}
	ctx := c.Request().Context()
	if _, err := h.store.Target(ctx, a.Ref); err != nil {
		return err
	}
	if _, err := h.checker.CheckOne(ctx, a.Ref); err != nil {
		return err
	}
	return redirect(c, a.Base().String(), ui.Flash{})
}

// update gives what is known of a tag at its registry; nil where the address is no tag's.
func (h *Handlers) update(ctx context.Context, s *subject) (*marks.TagUpdate, error) {
	if s.Ref.Tag == "" {
		return nil, nil //nolint:nilnil // a digest has no updates
	}
	check, err := h.store.TagCheck(ctx, s.Ref)
	if err != nil {
		return nil, err
	}
	check.Here = s.target.Digest
	u := &marks.TagUpdate{TagCheck: check, PullURL: address.PullFormOf(s.Ref, s.storedPlatforms()...).String()}
	if standing, known := h.options.Mirror.Standing(s.Ref); known && standing.Err != nil {
		u.Stale, u.StaleSince = standing.Problem().MessageText, standing.Asked
	}
	return u, nil
}
