package imagepage

import (
	"context"
	"errors"
	"net/http"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/imagepage"
	"github.com/stowage/stowage/views/ui"
)

const (
	maxTwins = 20 // manifests that share a config
)

// subject is what an image's address names, with what every section of its page needs.
type subject struct {
	address.Image
	target   shelf.Target     // zero where the address is an ID
	names    shelf.Names      // of the image ID shown
	twins    []shelf.Image    // other manifests with the ID; only where the address is an ID
	choices  []platformChoice // the platforms, in the index's order
	shown    shelf.Image      // the platform shown; zero where it is not stored
	stored   bool             // whether it is
	platform image.Platform   // asked for, or shown
	asked    bool             // whether the address names a platform
	layers   []shelf.Layer

	attestations attestations // of all its platforms
}

// imagePage answers for a tag, a digest or an image ID and its sections.
func (h *Handlers) imagePage(c echo.Context, a address.Image) error {
	platform, err := address.Platform(c.QueryParams())
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	s, err := h.subject(ctx, a, platform)
	if image.KindOf(err) == image.NotFound {
		return h.absent(c, a, err)
	}
	if err != nil {
		return err
	}
	if a.ID != "" && a.ID != s.shown.ID.Encoded() {
		return redirectKeepingQuery(c, address.OfID(s.shown.ID).At(a.Section).String())
	}
	if !s.stored {
		return h.renderImage(c, http.StatusNotFound, s, templ.NopComponent)
	}
	err = h.section(c, a, s)
	if image.KindOf(err) == image.Damaged && !page.PlainText(c.Request()) && len(s.damaged(h)) > 0 {
		return h.renderImage(c, page.Status(image.Damaged), s, imagepage.DamagedSection())
	}
	return err
}

// section answers with the section that the address names.
func (h *Handlers) section(c echo.Context, a address.Image, s *subject) error {
	done, err := h.Site.Weigh(c, s.read(c.QueryParam("document"))...)
	if err != nil {
		return err
	}
	defer done()
	switch a.Section {
	case address.SectionManifest:
		return h.manifestSection(c, s)
	case address.SectionInspect:
		return h.inspectSection(c, s)
	case address.SectionConfig:
		return h.configSection(c, s)
	case address.SectionHistory:
		return h.historySection(c, s)
	case address.SectionUse:
		return h.useSection(c, s)
	case address.SectionDownload:
		return h.downloadSection(c, s)
	}
	return h.layersSection(c, s)
}

// read returns the documents that the section is made from; document is what the Manifest section shows.
func (s *subject) read(document string) []image.Digest {
	switch s.Section {
	case address.SectionHistory, address.SectionUse, address.SectionDownload:
		return nil
	case address.SectionManifest:
		if about, attests := s.attestations.find(image.Digest(document)); attests {
			return []image.Digest{about.Digest}
		}
		if document == documentIndex {
			return []image.Digest{s.target.Digest}
		}
		return []image.Digest{s.shown.Manifest}
	}
	return []image.Digest{s.shown.Manifest, s.shown.ID}
}

// subject reads what an address names. NotFound where nothing of it is stored; NoPlatform where the
// platform asked for is not even listed.
func (h *Handlers) subject(ctx context.Context, a address.Image, platform image.Platform) (*subject, error) {
	s := &subject{Image: a, asked: platform != (image.Platform{})}
	var err error
	if a.ID != "" {
		err = h.subjectByID(ctx, s)
	} else if s.target, err = h.Images.Target(ctx, a.Ref); err == nil {
		s.choices = choicesOf(s.target)
	}
	if err != nil {
		return nil, err
	}
	if err := s.choose(platform, h.Images.Preferred(s.target.Images)); err != nil {
		return nil, err
	}
	if !s.stored {
		return s, nil
	}
	if err := h.readAttestations(ctx, s); err != nil {
		return nil, err
	}
	names := page.MaxNames
	if a.Section == address.SectionInspect { // docker's JSON has them all
		names = -1
	}
	if s.names, err = h.Images.NamesOf(ctx, s.shown.ID, names); err != nil {
		return nil, err
	}
	s.layers, err = h.Images.ImageLayers(ctx, s.shown.Manifest)
	return s, err
}

// subjectByID finds the image of an ID. Several manifests can share a config, the newest stands for them.
func (h *Handlers) subjectByID(ctx context.Context, s *subject) error {
	img, err := h.Images.ImageByID(ctx, s.ID)
	if err != nil {
		return err
	}
	all, err := h.Images.ImagesOf(ctx, img.ID, maxTwins)
	if err != nil {
		return err
	}
	for _, other := range all {
		if other.Manifest != img.Manifest {
			s.twins = append(s.twins, other)
		}
	}
	s.target.Images = []shelf.Image{img}
	s.choices = []platformChoice{{platform: img.Platform, image: img, stored: true}}
	return nil
}

// absent answers for an address of which nothing is stored.
func (h *Handlers) absent(c echo.Context, a address.Image, cause error) error {
	ctx := c.Request().Context()
	if page.PlainText(c.Request()) {
		return cause
	}
	if a.ID != "" {
		var e *image.Error
		if errors.As(cause, &e) {
			return e.Suggest("An image cannot be pulled by its ID. Pull it by its name, such as postgres:15.")
		}
		return cause
	}
	if a.Ref.Digest != "" {
		// The digest of one platform's manifest is shown as that platform of the index which brought it.
		index, img, err := h.Images.Within(ctx, a.Ref)
		if err == nil {
			return c.Redirect(http.StatusFound, address.Of(index).At(a.Section).For(img.Platform).String())
		}
		if image.KindOf(err) != image.NotFound {
			return err
		}
	}
	v := imagepage.AbsentView{
		Crumbs: page.CrumbsOf(ctx, a.Ref.Repository, ""), Ref: a.Ref, PullURL: address.PullFormOf(a.Ref).String(),
		Command: "docker pull " + a.Ref.Familiar(),
		Running: h.Lookup.Running(a.Ref),
	}
	known, err := h.Images.RepositoryExists(ctx, a.Ref.Repository)
	if err != nil {
		return err
	}
	if known {
		repository := image.Reference{Repository: a.Ref.Repository}
		v.Repository = address.Of(repository).String()
		v.Crumbs = page.CrumbsOf(ctx, a.Ref.Repository, v.Repository)
	}
	if a.Ref.Tag != "" {
		events, err := h.Tags.TagHistory(ctx, a.Ref.Repository, a.Ref.Tag)
		if err != nil {
			return err
		}
		v.History = historyView(events, true)
	}
	if page.Partial(c) {
		return page.Render(c, http.StatusNotFound, imagepage.AbsentBody(v))
	}
	return page.Render(c, http.StatusNotFound, imagepage.AbsentPage(h.Site.Chrome(c, a.Ref.Familiar(), ui.NavImages), v))
}

// renderImage answers with the page, or for htmx with what of it changes.
func (h *Handlers) renderImage(c echo.Context, status int, s *subject, section templ.Component) error {
	v := h.imageView(c.Request().Context(), s)
	var err error
	if v.Pins, err = h.pins(c.Request().Context(), s); err != nil {
		return err
	}
	if v.Update, err = h.update(c.Request().Context(), s); err != nil {
		return err
	}
	if v.Downloads, err = h.downloads(c.Request().Context(), s); err != nil {
		return err
	}
	if page.Partial(c) {
		return page.Render(c, status, imagepage.ImagePart(v, section))
	}
	return page.Render(c, status, imagepage.ImagePage(h.Site.Chrome(c, v.Title, ui.NavImages), v, section))
}

// redirectKeepingQuery sends the browser to another address of the same page.
func redirectKeepingQuery(c echo.Context, to string) error {
	if q := c.Request().URL.RawQuery; q != "" {
		to += "?" + q
	}
	return c.Redirect(http.StatusFound, to)
}
