package handlers

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views"
)

// maxDeleted is how many things one plan is asked for.
const maxDeleted = 1000

// Delete answers GET /delete?ref=&force=&back= with repeated ref, each a tag, a digest or an image ID (sha256:…): one
// plan for all of them. What is not stored is left out and said so. One thing has a page of its own; platform goes
// with it.
func (h *Handlers) Delete(c echo.Context) error {
	d, err := h.selected(c)
	if err != nil {
		return err
	}
	if to := onePage(c, d); to != "" {
		return c.Redirect(http.StatusFound, to)
	}
	return h.planMany(c, d)
}

// DeleteSelected answers POST /delete with the fields of Delete and plan, as deleteImage does.
func (h *Handlers) DeleteSelected(c echo.Context) error {
	d, err := h.selected(c)
	if err != nil {
		return err
	}
	if len(d.asked.Items) == 0 {
		return h.planMany(c, d)
	}
	return h.carryOut(c, d)
}

// DeleteSummary answers GET /delete/summary?ref= with what deleting those would come to, in a line for a bar.
func (h *Handlers) DeleteSummary(c echo.Context) error {
	d, err := h.selected(c)
	if image.KindOf(err) == image.Invalid {
		var known *image.Error
		errors.As(err, &known)
		return Render(c, http.StatusOK, views.DeleteSummary(views.DeleteView{}, known))
	}
	if err != nil {
		return err
	}
	v := views.DeleteView{Many: true, Selection: d.Selection}
	if len(d.asked.Items) > 0 {
		if v.Plan, err = h.store.PlanRemoval(c.Request().Context(), d.asked); err != nil {
			return err
		}
	}
	return Render(c, http.StatusOK, views.DeleteSummary(v, nil))
}

// planMany shows the plan for what of a selection is stored.
func (h *Handlers) planMany(c echo.Context, d deletion) error {
	if len(d.asked.Items) == 0 {
		return h.showPlan(c, http.StatusNotFound, d, image.RemovalPlan{Asked: d.asked}, views.DeleteView{})
	}
	return h.plan(c, d)
}

// onePage is the page for deleting the only thing that was asked for; empty where there are several.
func onePage(c echo.Context, d deletion) string {
	if len(d.asked.Items) != 1 || len(d.Skipped) > 0 {
		return ""
	}
	item := d.asked.Items[0]
	base := views.ImageURL(item.Reference)
	if item.ID != "" {
		base = views.IDURL(item.ID)
	}
	return views.DeleteURL(base, d.asked, d.back)
}

// selected reads what is to be deleted, and looks up what of it is stored.
func (h *Handlers) selected(c echo.Context) (deletion, error) {
	d := deletion{many: true, back: backParam(c)}
	form, err := c.FormParams()
	if err != nil {
		return d, image.Errorf(image.Invalid, "the form cannot be read").Because(err)
	}
	refs := form["ref"]
	switch {
	case len(refs) == 0:
		return d, image.Errorf(image.Invalid, "nothing was chosen to be deleted").Suggest("Tick what is to go in the list of images.")
	case len(refs) > maxDeleted:
		return d, image.Errorf(image.Invalid, "at most %d things are deleted at once, and %d were chosen", maxDeleted, len(refs)).
			Suggest("Choose fewer at a time.")
	}
	if d.asked.Force, err = forceParam(c); err != nil {
		return d, err
	}
	platform, err := platformField(c)
	if err != nil {
		return d, err
	}
	if platform != (image.Platform{}) && len(refs) > 1 {
		return d, image.Errorf(image.Invalid, "a platform is deleted of one thing at a time, and %d were chosen", len(refs)).
			Suggest("Leave the platform out, or choose one thing.")
	}
	err = h.look(c.Request().Context(), &d, refs, platform)
	return d, err
}

// look finds each of refs on the shelf, in their order, the same thing once. What cannot be read or is not stored is
// skipped: the others do not depend on it.
func (h *Handlers) look(ctx context.Context, d *deletion, refs []string, platform image.Platform) error {
	d.Targets = map[image.Reference]image.Digest{}
	names := map[image.Repository][]string{}
	items := make([]image.RemovalItem, 0, len(refs))
	for _, typed := range refs {
		item, err := h.thing(ctx, strings.TrimSpace(typed))
		if err != nil && skippable(err) {
			d.Skip(typed, err)
			continue
		}
		if err != nil {
			return err
		}
		item.Platform = platform
		if item.ID == "" && item.Reference.Tag != "" {
			names[item.Reference.Repository] = append(names[item.Reference.Repository], item.Reference.Tag)
		}
		items = append(items, item)
	}
	for repository, tags := range names {
		stored, err := h.store.StoredTags(ctx, repository, tags)
		if err != nil {
			return err
		}
		for tag, digest := range stored {
			d.Targets[image.Reference{Repository: repository, Tag: tag}] = digest
		}
	}
	seen := map[image.RemovalItem]bool{}
	for _, item := range items {
		if seen[item] {
			continue
		}
		seen[item] = true
		if ref := item.Reference; ref.Tag != "" && d.Targets[ref] == "" {
			d.Skip(ref.Familiar(), image.Errorf(image.NotFound, "%s is not stored", ref.Familiar()))
			continue
		}
		d.asked.Items = append(d.asked.Items, item)
	}
	return nil
}

// thing reads one ref of a selection. A digest and an ID are looked up at once, a tag with the others of its
// repository.
func (h *Handlers) thing(ctx context.Context, s string) (image.RemovalItem, error) {
	if strings.HasPrefix(s, "sha256:") {
		prefix, ok := image.ParseIDPrefix(s)
		if !ok {
			return image.RemovalItem{}, image.Errorf(image.Invalid, "%.80q is not an image ID", s)
		}
		img, err := h.store.ImageByID(ctx, prefix)
		return image.RemovalItem{ID: img.ID}, err
	}
	ref, err := image.ParseReference(s)
	if err != nil {
		return image.RemovalItem{}, err
	}
	if ref.Digest != "" {
		_, err = h.store.Target(ctx, ref)
	}
	return image.RemovalItem{Reference: ref}, err
}

// skippable tells whether an error is about one thing alone, and not about the shelf.
func skippable(err error) bool {
	switch image.KindOf(err) {
	case image.Invalid, image.NotFound, image.Conflict:
		return true
	}
	return false
}
