package handlers

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/cleanup"
	"github.com/stowage/stowage/views/imagepage"
	"github.com/stowage/stowage/views/ui"
)

// pinImage answers POST …/pin with the fields note and back: the digest that the address names is in use, and a
// deletion or a prune asks twice. Pinning again replaces the note.
func (h *Handlers) pinImage(c echo.Context, a address.Image) error {
	ctx := c.Request().Context()
	ref, err := h.pinnable(ctx, a)
	if err != nil {
		return err
	}
	by := h.requester(c)
	pin, err := h.store.Pin(ctx, ref, c.FormValue("note"), by)
	if err != nil {
		return err
	}
	h.log.Info("pinned", "reference", pin.Reference.String(), "by", by)
	return redirect(c, pinBack(c, a), ui.Flash{Kind: ui.KindSuccess, Text: cleanup.PinnedText(ctx, ref)})
}

// unpinImage answers POST …/unpin with the field back.
func (h *Handlers) unpinImage(c echo.Context, a address.Image) error {
	ctx := c.Request().Context()
	ref, err := h.pinnable(ctx, a)
	if err != nil {
		return err
	}
	if err := h.store.Unpin(ctx, ref); err != nil {
		return err
	}
	h.log.Info("unpinned", "reference", ref.String(), "by", h.requester(c))
	return redirect(c, pinBack(c, a), ui.Flash{Kind: ui.KindSuccess, Text: cleanup.UnpinnedText(ctx, ref)})
}

// pinBack is the page that a pin's form leads back to: its own unless the form says another.
func pinBack(c echo.Context, a address.Image) string {
	if back := backParam(c); back != "" {
		return back
	}
	return a.Base().String()
}

// pinnable gives what a pin at an address is on. An image ID stands for the digest that it is stored under, where
// there is only one.
func (h *Handlers) pinnable(ctx context.Context, a address.Image) (image.Reference, error) {
	if a.ID == "" {
		if a.Ref.Tag == "" && a.Ref.Digest == "" {
			return a.Ref, image.Errorf(image.Invalid, "%s is a repository: only a tag, a digest or an image ID can be pinned", a.Ref.Familiar())
		}
		return a.Ref, nil
	}
	img, err := h.store.ImageByID(ctx, a.ID)
	if err != nil {
		return a.Ref, err
	}
	names, err := h.store.NamesOf(ctx, img.ID, maxNames)
	if err != nil {
		return a.Ref, err
	}
	if len(names.Digests) != 1 {
		return a.Ref, image.Errorf(image.Conflict, "image %s is stored under several digests", image.ShortDigest(img.ID)).Suggest("Pin it by one of its names.")
	}
	return names.Digests[0], nil
}

// pinAddress answers GET …/pin and …/unpin, the address of a refused form that is loaded again.
func pinAddress(c echo.Context, a address.Image) error {
	return c.Redirect(http.StatusSeeOther, a.Base().String())
}

// pins gives what is pinned of a subject, and what can be.
func (h *Handlers) pins(ctx context.Context, s *subject) (imagepage.PinView, error) {
	v := imagepage.PinView{Back: s.url(s.Section)}
	if s.ID == "" {
		pin, err := h.store.PinOf(ctx, s.Ref)
		if err != nil {
			return v, err
		}
		if pin != nil {
			v.Pins = []shelf.Pin{*pin}
		}
		v.Choices = []image.Reference{s.Ref}
		return v, nil
	}
	var err error
	if v.Pins, err = h.store.PinsOfImage(ctx, s.shown.ID); err != nil {
		return v, err
	}
	v.ByID = true
	v.Choices = s.pinChoices()
	return v, nil
}

// maxPinChoices is how many names of an image ID the form offers.
const maxPinChoices = 12

// pinChoices are the names to pin an image ID by: one for each digest that it is stored under would be exact, but
// people know the tags.
func (s *subject) pinChoices() []image.Reference {
	choices := append(append([]image.Reference{}, s.names.Tags...), s.names.Lone...)
	if len(s.names.Digests) == 1 {
		choices = s.names.Digests
	}
	return choices[:min(len(choices), maxPinChoices)]
}
