package page

import (
	"fmt"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// MoveDemoTag answers POST /demo/move-tag: the sample tag points at its next image, and the pull form shows
// what that means. It is there in the demo only.
func (h *Site) MoveDemoTag(c echo.Context) error {
	if h.options.Demo == nil {
		return image.Errorf(image.NotFound, "this server is not the demo")
	}
	ctx := c.Request().Context()
	ref, err := h.options.Demo.MoveTag(ctx)
	if err != nil {
		return fmt.Errorf("move the sample tag: %w", err)
	}
	flash := ui.Flash{Kind: ui.KindInfo, Text: text.T(ctx, "pulls.moved_tag", "Reference", ref.Familiar())}
	return Redirect(c, address.PullFormOf(ref).String(), flash)
}
