package cleanup

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/cleanup"
)

// Delete answers GET /delete?ref=&force=&back= with repeated ref, each a tag, a digest or an image ID (sha256:…): one
// plan for all of them. What is not stored is left out and said so. One thing has a page of its own; platform goes
// with it.
func (h *Removals) Delete(c echo.Context) error {
	d, err := h.selected(c)
	if err != nil {
		return err
	}
	if to := onePage(d); to != "" {
		return c.Redirect(http.StatusFound, to)
	}
	return h.showMany(c, d)
}

// DeleteSelected answers POST /delete with the fields of Delete and plan, as deleteImage does.
func (h *Removals) DeleteSelected(c echo.Context) error {
	d, err := h.selected(c)
	if err != nil {
		return err
	}
	if len(d.asked.Items) == 0 {
		return h.showMany(c, d)
	}
	return h.carryOut(c, d)
}

// DeleteSummary answers GET /delete/summary?ref= with what deleting those would come to, in a line for a bar.
func (h *Removals) DeleteSummary(c echo.Context) error {
	d, err := h.selected(c)
	if image.KindOf(err) == image.Invalid {
		var known *image.Error
		errors.As(err, &known)
		return page.Render(c, http.StatusOK, cleanup.DeleteSummary(cleanup.DeleteView{}, known))
	}
	if err != nil {
		return err
	}
	v := cleanup.DeleteView{Many: true}
	if v.Plan, err = h.planMany(c.Request().Context(), &d); err != nil {
		return err
	}
	v.Skipped = d.skipped
	return page.Render(c, http.StatusOK, cleanup.DeleteSummary(v, nil))
}

// planMany plans what of a selection is stored. Where nothing is, the plan is empty and all of it skipped.
func (h *Removals) planMany(ctx context.Context, d *deletion) (shelf.RemovalPlan, error) {
	if len(d.asked.Items) == 0 {
		return shelf.RemovalPlan{Asked: d.asked}, nil
	}
	plan, err := h.Removals.PlanRemoval(ctx, d.asked)
	if image.KindOf(err) != image.NotFound {
		return plan, err
	}
	for _, item := range d.asked.Items {
		d.skip(cleanup.RemovalNames([]shelf.RemovalItem{item}), image.Errorf(image.NotFound, "not stored"))
	}
	d.asked.Items = nil
	return shelf.RemovalPlan{Asked: d.asked}, nil
}

// showMany answers with the plan for a selection.
func (h *Removals) showMany(c echo.Context, d deletion) error {
	plan, err := h.planMany(c.Request().Context(), &d)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if len(plan.Items) == 0 {
		status = http.StatusNotFound
	}
	return h.showPlan(c, status, d, plan, cleanup.DeleteView{})
}

// onePage is the page for deleting the only thing that was asked for; empty where there are several.
func onePage(d deletion) string {
	if len(d.asked.Items) != 1 || len(d.skipped) > 0 {
		return ""
	}
	item := d.asked.Items[0]
	d.of, d.many = address.Of(item.Reference), false
	if item.ID != "" {
		d.of = address.OfID(item.ID)
	}
	return d.plan(d.asked)
}

// selected reads what is to be deleted.
func (h *Removals) selected(c echo.Context) (deletion, error) {
	d := deletion{many: true}
	form, err := formParams(c)
	if err != nil {
		return d, err
	}
	asked, platform, err := address.ParseDeleteMany(form)
	if d.back, d.asked.Force = asked.Back, asked.Force; err != nil {
		return d, err
	}
	err = h.read(c.Request().Context(), &d, asked.Refs, platform)
	return d, err
}

// read reads what refs name, in their order, the same thing once. What names nothing is skipped: the others do not
// depend on it.
func (h *Removals) read(ctx context.Context, d *deletion, refs []string, platform image.Platform) error {
	seen := map[shelf.RemovalItem]bool{}
	for _, typed := range refs {
		item, err := h.thing(ctx, strings.TrimSpace(typed))
		if err != nil && skippable(err) {
			d.skip(typed, err)
			continue
		}
		if err != nil {
			return err
		}
		if item.Platform = platform; !seen[item] {
			seen[item] = true
			d.asked.Items = append(d.asked.Items, item)
		}
	}
	return nil
}

// thing reads one ref of a selection. Only what may be an image ID, or the beginning of one, is looked up.
func (h *Removals) thing(ctx context.Context, s string) (shelf.RemovalItem, error) {
	if _, isID := image.ParseIDPrefix(s); !isID && !strings.HasPrefix(s, "sha256:") {
		ref, err := image.ParseReference(s)
		return shelf.RemovalItem{Reference: ref}, err
	}
	named, err := h.Images.Named(ctx, s)
	return shelf.RemovalItem{Reference: named.Reference, ID: named.Image.ID}, err
}

// skip leaves something out. err says why.
func (d *deletion) skip(name string, err error) {
	skipped := cleanup.Skipped{Name: name, Why: image.Plain(err.Error())}
	var known *image.Error
	if errors.As(err, &known) {
		skipped.Why = known.Text()
	}
	d.skipped = append(d.skipped, skipped)
}

// skippable reports whether an error is about one thing alone, and not about the shelf.
func skippable(err error) bool {
	switch image.KindOf(err) {
	case image.Invalid, image.NotFound, image.Conflict:
		return true
	}
	return false
}
