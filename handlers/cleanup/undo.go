package cleanup

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/cleanup"
	"github.com/stowage/stowage/views/ui"
)

// UndoRemoval answers POST /removals/:id/undo with the field back: what a deletion or a prune took is on the shelf
// again.
func (h *Removals) UndoRemoval(c echo.Context) error {
	id, err := address.ParseRemoval(c.Param("id"))
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	if err := mayUndo(ctx, h.Removals, id); err != nil {
		return cannotUndo(err)
	}
	by := h.Site.Requester(c)
	undone, err := h.Removals.Undo(ctx, id, by)
	if err != nil {
		return cannotUndo(err)
	}
	h.Log.Info("undid a deletion", "removal", id, "by", by, "restored", len(undone.Restored), "kept", len(undone.Kept))
	to := address.Back(url.Values{"back": {c.FormValue("back")}})
	if to == "" {
		to = address.ImagesPath
	}
	return page.Redirect(c, to, ui.Flash{Kind: ui.KindSuccess,
		Text: cleanup.UndoneText(ctx, undone.Restored, undone.Kept)})
}

// UndoAddress answers GET /removals/:id/undo, the address of a refused undo that is loaded again.
func (h *Removals) UndoAddress(c echo.Context) error {
	return c.Redirect(http.StatusSeeOther, address.ImagesPath)
}

// cannotUndo says what else can be done where a deletion is past undoing.
func cannotUndo(err error) error {
	var known *image.Error
	if errors.As(err, &known) && known.Suggestion == "" && (known.Kind == image.NotFound || known.Kind == image.Conflict) {
		return known.Suggest("Pull again what you need: the history of a tag says which digest it pointed to.")
	}
	return err
}
