package imagepage

import (
	"context"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/archives"
	"github.com/stowage/stowage/views/imagepage"
	"github.com/stowage/stowage/views/marks"
)

// pinAddress answers GET …/pin and …/unpin, the address of a refused form that is loaded again.
func pinAddress(c echo.Context, a address.Image) error {
	return c.Redirect(http.StatusSeeOther, a.Base().String())
}

// pins returns what is pinned of a subject, and what can be.
func (h *Handlers) pins(ctx context.Context, s *subject) (imagepage.PinView, error) {
	v := imagepage.PinView{Back: s.url(s.Section)}
	if s.ID == "" {
		pin, err := h.Tags.PinOf(ctx, s.Ref)
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
	if v.Pins, err = h.Tags.PinsOfImage(ctx, s.shown.ID); err != nil {
		return v, err
	}
	v.ByID = true
	v.Choices = pinChoices(s.names)
	return v, nil
}

// maxPinChoices is how many names of an image ID the form offers.
const maxPinChoices = 12

// pinChoices are the names to pin an image ID by: one for each digest that it is stored under would be exact, but
// people know the tags.
func pinChoices(names shelf.Names) []image.Reference {
	choices := append(append([]image.Reference{}, names.Tags...), names.Lone...)
	if len(names.Digests) == 1 {
		choices = names.Digests
	}
	return choices[:min(len(choices), maxPinChoices)]
}

// update returns what is known of a tag at its registry; nil where the address is no tag's.
func (h *Handlers) update(ctx context.Context, s *subject) (*marks.TagUpdate, error) {
	if s.Ref.Tag == "" {
		return nil, nil //nolint:nilnil // a digest has no updates
	}
	check, err := h.Tags.TagCheck(ctx, s.Ref)
	if err != nil {
		return nil, err
	}
	check.Here = s.target.Digest
	u := &marks.TagUpdate{TagCheck: check, PullURL: address.PullFormOf(s.Ref, s.storedPlatforms()...).String()}
	if standing, known := h.Mirror.Standing(s.Ref); known && standing.Err != nil {
		u.Stale, u.StaleSince = standing.Problem().Message, standing.Asked
	}
	return u, nil
}

// damaged returns the parts of what the page is about that are damaged on the disk.
func (s *subject) damaged(h *Handlers) (parts []image.Digest) {
	look := func(d image.Digest) {
		if d != "" && h.Blobs.IsDamaged(d) && !slices.Contains(parts, d) {
			parts = append(parts, d)
		}
	}
	look(s.target.Digest)
	if !s.stored {
		return parts
	}
	look(s.shown.Manifest)
	look(s.shown.ID)
	for _, l := range s.layers {
		look(l.Digest)
	}
	for _, a := range s.attestations {
		if a.Of == s.shown.Manifest {
			look(a.Digest)
		}
	}
	return parts
}

// downloadSection offers the image as an archive.
func (h *Handlers) downloadSection(c echo.Context, s *subject) error {
	var stored []shelf.Image
	for _, c := range s.choices {
		if c.stored {
			c.image.Platform = c.platform
			stored = append(stored, c.image)
		}
	}
	v, status, err := h.Download(c, s.Base(), len(s.target.Entries) > 0, stored)
	if err != nil {
		return err
	}
	return h.renderImage(c, status, s, archives.DownloadSection(v))
}
