package cleanup

import (
	"context"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/cleanup"
	"github.com/stowage/stowage/views/ui"
)

// PinImage answers POST …/pin with the fields note and back: the digest that the address names is in use, and a
// deletion or a prune asks twice. Pinning again replaces the note.
func (h *Storage) PinImage(c echo.Context, a address.Image) error {
	ctx := c.Request().Context()
	ref, err := h.pinnable(ctx, a)
	if err != nil {
		return err
	}
	if err := h.mayPin(ctx, ref); err != nil {
		return err
	}
	by := h.Site.Requester(c)
	pin, err := h.Tags.Pin(ctx, ref, c.FormValue("note"), by)
	if err != nil {
		return err
	}
	h.Log.Info("pinned", "reference", pin.Reference.String(), "by", by)
	return page.Redirect(c, pinBack(c, a), ui.Flash{Kind: ui.KindSuccess, Text: cleanup.PinnedText(ctx, ref)})
}

// UnpinImage answers POST …/unpin with the field back.
func (h *Storage) UnpinImage(c echo.Context, a address.Image) error {
	ctx := c.Request().Context()
	ref, err := h.pinnable(ctx, a)
	if err != nil {
		return err
	}
	if err := h.mayPin(ctx, ref); err != nil {
		return err
	}
	by := h.Site.Requester(c)
	if err := h.Tags.Unpin(ctx, ref, by); err != nil {
		return err
	}
	h.Log.Info("unpinned", "reference", ref.String(), "by", by)
	return page.Redirect(c, pinBack(c, a), ui.Flash{Kind: ui.KindSuccess, Text: cleanup.UnpinnedText(ctx, ref)})
}

// mayPin returns why who asks may not change the pin of something: it is somebody else's.
func (h *Storage) mayPin(ctx context.Context, ref image.Reference) error {
	pin, err := h.Tags.PinOf(ctx, ref)
	if err != nil || pin == nil {
		return err
	}
	return auth.MayOwned(ctx, image.ActionPin, ref.Repository, image.ActorNamed(pin.By))
}

// pinBack is the page that a pin's form leads back to: its own unless the form says another.
func pinBack(c echo.Context, a address.Image) string {
	if back := address.Back(url.Values{"back": {c.FormValue("back")}}); back != "" {
		return back
	}
	return a.Base().String()
}

// pinnable returns what a pin at an address is on. An image ID stands for the digest that it is stored under, where
// there is only one.
func (h *Storage) pinnable(ctx context.Context, a address.Image) (image.Reference, error) {
	if a.ID == "" {
		if a.Ref.Tag == "" && a.Ref.Digest == "" {
			return a.Ref, image.Errorf(image.Invalid, "%s is a repository: only a tag, a digest or an image ID can be pinned",
				a.Ref.Familiar())
		}
		return a.Ref, nil
	}
	img, err := h.Images.ImageByID(ctx, a.ID)
	if err != nil {
		return a.Ref, err
	}
	names, err := h.Images.NamesOf(ctx, img.ID, page.MaxNames)
	if err != nil {
		return a.Ref, err
	}
	if len(names.Digests) != 1 {
		return a.Ref, image.Errorf(image.Conflict, "image %s is stored under several digests", image.ShortDigest(img.ID)).
			Suggest("Pin it by one of its names.")
	}
	return names.Digests[0], nil
}
