package pulls

import (
	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/shelf/docker"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/pulls"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// Start answers POST /pulls with ref and repeated platform, and with all=1 and match for all tags of a
// repository: it starts a pull, or joins the one that is under way for the same thing, and leads to its page.
// With no platform nobody chose.
func (h *Handlers) Start(c echo.Context) error {
	form, err := c.FormParams()
	if err != nil {
		return image.Errorf(image.Invalid, "the form cannot be read").Because(err)
	}
	said := address.ParsePullForm(form)
	if said.All {
		return h.startPullAll(c, said)
	}
	v := pulls.PullFormView{Input: said.Input}
	ref, err := docker.ParseReference(v.Input)
	if err != nil {
		return h.refusePullForm(c, v, err)
	}
	platforms, err := said.Wanted()
	if err != nil {
		return h.refusePullForm(c, v, err)
	}
	return h.start(c, pull.Request{Reference: ref, Platforms: platforms, By: h.Site.Requester(c)},
		func(err error) error { return h.refusePullForm(c, v, err) })
}

// start puts a pull into the queue and leads to its page. refuse answers where that is not possible.
func (h *Handlers) start(c echo.Context, req pull.Request, refuse func(error) error) error {
	job, joined, err := h.Queue.Pull(c.Request().Context(), req)
	if err != nil {
		return refuse(err)
	}
	var flash ui.Flash
	if joined {
		flash = ui.Flash{Kind: ui.KindInfo, Text: text.T(c.Request().Context(), "pullform.joined")}
	}
	return page.Redirect(c, address.Pull{ID: job.ID}.String(), flash)
}
