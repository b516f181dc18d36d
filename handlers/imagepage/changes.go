package imagepage

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/changes"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// Page answers GET …@sha256:NEW/changes?from=sha256:OLD&platform=: what changed between two digests of a repository,
// an address that never changes its meaning. From a tag, whose form names both (from, to), it leads there.
func (h *Changes) Page(c echo.Context, a address.Image) error {
	asked, err := address.ParseChanges(a, c.QueryParams())
	if err != nil {
		return err
	}
	if a.Ref.Digest == "" {
		return c.Redirect(http.StatusFound, asked.String())
	}
	v, compared, err := h.changesView(c.Request().Context(), a.Ref, asked.From, asked.Of.Platform)
	if err != nil {
		return err
	}
	if compared != nil {
		done, err := h.Site.Weigh(c, compared.from.Manifest, compared.from.ID, compared.to.Manifest, compared.to.ID)
		if err != nil {
			return err
		}
		defer done()
		if err := h.compareImages(c.Request().Context(), compared.from, compared.to, &v); err != nil {
			return err
		}
	}
	status := http.StatusOK
	if v.From.URL == "" || v.To.URL == "" {
		status = http.StatusNotFound
	}
	return page.Render(c, status, changes.ChangesPage(h.Site.Chrome(c,
		changes.ChangesTitle(c.Request().Context(), a.Ref.Repository), ui.NavImages), v))
}

// changesView compares the platforms of two digests of a repository, as far as both are stored, and gives the images
// that are to be compared; nil where there are none.
func (h *Changes) changesView(ctx context.Context, ref image.Reference, from image.Digest,
	platform image.Platform) (v changes.ChangesView, compared *imagePair, err error) {
	v = changes.ChangesView{
		Crumbs: append(
			page.CrumbsOf(ctx, ref.Repository, address.Of(image.Reference{Repository: ref.Repository}).String()),
			ui.Crumb{Label: text.T(ctx, "changes.compare")}),
		Repository: ref.Repository, Back: address.ChangesOf(ref.Repository, ref.Digest, from, platform).String(),
	}
	before, err := h.changesSide(ctx, ref.WithDigest(from), &v.From)
	if err != nil {
		return v, nil, err
	}
	after, err := h.changesSide(ctx, ref, &v.To)
	if err != nil || before == nil || after == nil || from == ref.Digest {
		return v, nil, err
	}
	old, now := choicesOf(*before), choicesOf(*after)
	pairs := commonPlatforms(old, now)
	chosen, err := h.comparedPlatform(pairs, platform)
	if err != nil {
		return v, nil, err
	}
	for _, change := range image.ComparePlatforms(manifestsOf(old), manifestsOf(now)) {
		p := changes.PlatformChangeView{PlatformChange: change}
		if _, both := pairs[change.Platform]; both {
			p.URL, p.Current = address.ChangesOf(ref.Repository, from, ref.Digest, change.Platform).String(),
				change.Platform == chosen
		}
		v.Platforms = append(v.Platforms, p)
	}
	if chosen == (image.Platform{}) {
		return v, nil, nil
	}
	v.Platform = chosen
	pair := pairs[chosen]
	return v, &pair, nil
}

// changesSide reads one side; nil where it is not stored.
func (h *Changes) changesSide(ctx context.Context, ref image.Reference,
	side *changes.ChangesSide) (*shelf.Target, error) {
	side.Digest = ref.Digest
	t, err := h.Images.Target(ctx, ref)
	if image.KindOf(err) == image.NotFound {
		side.PullURL = address.PullFormOf(ref).String()
		return nil, nil //nolint:nilnil // not stored is an ordinary answer here
	}
	side.URL, side.Tags = address.Of(ref).String(), t.Tags
	return &t, err
}

// imagePair is a platform's image on both sides.
type imagePair struct{ from, to shelf.Image }

// commonPlatforms returns the platforms that are stored on both sides.
func commonPlatforms(from, to []platformChoice) map[image.Platform]imagePair {
	old := map[image.Platform]shelf.Image{}
	for _, c := range from {
		if _, known := old[c.platform]; !known && c.stored {
			old[c.platform] = c.image
		}
	}
	pairs := map[image.Platform]imagePair{}
	for _, c := range to {
		before, both := old[c.platform]
		if _, known := pairs[c.platform]; !known && both && c.stored {
			pairs[c.platform] = imagePair{before, c.image}
		}
	}
	return pairs
}

// comparedPlatform settles which platform is compared: the one asked for, or the one that the list shows, or the first
// by name; zero where there is none. NoPlatform where the one asked for is not stored on both sides.
func (h *Changes) comparedPlatform(pairs map[image.Platform]imagePair, asked image.Platform) (image.Platform, error) {
	if asked != (image.Platform{}) {
		if _, both := pairs[asked]; !both {
			return asked, image.Errorf(image.NoPlatform, "%s is not stored on both sides (platform)", asked).
				Suggest("Leave the platform out to see which are.")
		}
		return asked, nil
	}
	best := image.Platform{}
	for p := range pairs {
		switch {
		case p == h.Platform:
			return p, nil
		case best == (image.Platform{}) || p.String() < best.String():
			best = p
		}
	}
	return best, nil
}

func manifestsOf(choices []platformChoice) []image.PlatformManifest {
	all := make([]image.PlatformManifest, 0, len(choices))
	for _, c := range choices {
		all = append(all, image.PlatformManifest{Platform: c.platform, Manifest: c.digest})
	}
	return all
}

// compareImages fills in what changed in config and layers.
func (h *Changes) compareImages(ctx context.Context, from, to shelf.Image, v *changes.ChangesView) error {
	before, err := configOf(ctx, h.Images, h.Blobs, from)
	if err != nil {
		return err
	}
	after, err := configOf(ctx, h.Images, h.Blobs, to)
	if err != nil {
		return err
	}
	v.Config = image.CompareConfigs(before, after)
	old, err := h.layerParts(ctx, from)
	if err != nil {
		return err
	}
	now, err := h.layerParts(ctx, to)
	if err != nil {
		return err
	}
	v.Layers = image.CompareLayers(old, now)
	v.Size, v.Unpacked = changes.SizeChange{From: from.Size, To: to.Size},
		changes.SizeChange{From: from.Unpacked, To: to.Unpacked}
	return nil
}

func (h *Changes) layerParts(ctx context.Context, img shelf.Image) ([]image.LayerPart, error) {
	layers, err := h.Images.ImageLayers(ctx, img.Manifest)
	parts := make([]image.LayerPart, 0, len(layers))
	for _, l := range layers {
		parts = append(parts, image.LayerPart{Digest: l.Digest, DiffID: l.DiffID, Size: l.Size, Unpacked: l.Unpacked,
			CreatedBy: l.CreatedBy})
	}
	return parts, err
}
