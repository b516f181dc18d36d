package imagepage

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/imagepage"
	"github.com/stowage/stowage/views/ui"
)

// shownUses is how many of the images that use a layer its page lists.
const shownUses = 200

// Layer answers GET /layers/:digest: a layer, and every image that uses it.
func (h *Handlers) Layer(c echo.Context) error {
	digest, err := address.ParseLayer(c.Request().URL.Path) // echo's parameter may be escaped
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	l, users, err := h.Images.Layer(ctx, digest, shownUses)
	if err != nil {
		return err
	}
	v := imagepage.LayerView{Layer: l, Damaged: h.Blobs.IsDamaged(digest), Uses: users}
	return page.Render(c, http.StatusOK,
		imagepage.LayerPage(h.Site.Chrome(c, imagepage.LayerTitle(ctx, digest), ui.NavImages), v))
}
