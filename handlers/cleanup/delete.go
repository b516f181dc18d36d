package cleanup

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/cleanup"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// deletion is what a request wants to be deleted, and the page that it is looked at on.
type deletion struct {
	asked   shelf.Removal
	many    bool              // asked for at /delete
	skipped []cleanup.Skipped // what is left out of asked, since it names nothing

	of   address.Image // the page of what is deleted; zero for many
	back string        // where the request came from; empty where it does not say
}

// Plan answers GET …/delete?platform=&force=: what the deletion would do. Nothing is done.
func (h *Removals) Plan(c echo.Context, a address.Image) error {
	d, err := h.deletionOf(c, a)
	if err != nil {
		return err
	}
	return h.plan(c, d)
}

// DeleteImage answers POST …/delete with the fields platform, force and plan, the fingerprint of the plan
// that was confirmed. Without one it shows the plan; with one that no longer holds, the plan as it is now.
func (h *Removals) DeleteImage(c echo.Context, a address.Image) error {
	d, err := h.deletionOf(c, a)
	if err != nil {
		return err
	}
	return h.carryOut(c, d)
}

// deletionOf reads what is to be deleted from the address and from the query or the form. An image ID is of
// one platform already, so a platform beside it says nothing.
func (h *Removals) deletionOf(c echo.Context, a address.Image) (deletion, error) {
	item := shelf.RemovalItem{Reference: a.Ref}
	d := deletion{of: a.Base()}
	form, err := formParams(c)
	if err != nil {
		return d, err
	}
	asked, err := address.ParseDelete(form)
	if d.back, d.asked.Force = asked.Back, asked.Force; err != nil {
		return d, err
	}
	switch {
	case a.ID != "":
		img, err := h.Images.ImageByID(c.Request().Context(), a.ID)
		if err != nil {
			return d, err
		}
		item.ID = img.ID
	case a.Ref.Tag == "" && a.Ref.Digest == "":
		return d, image.Errorf(image.Invalid, "%s is a repository: only a tag, a digest or an image ID can be deleted",
			a.Ref.Familiar())
	default:
		if item.Platform, err = address.Platform(form); err != nil {
			return d, err
		}
	}
	d.asked.Items = []shelf.RemovalItem{item}
	return d, nil
}

// formParams reads the query and the form. Errors are of kind Invalid.
func formParams(c echo.Context) (url.Values, error) {
	form, err := c.FormParams()
	if err != nil {
		return nil, image.Errorf(image.Invalid, "the form cannot be read").Because(err)
	}
	return form, nil
}

// plan shows what a deletion would do.
func (h *Removals) plan(c echo.Context, d deletion) error {
	plan, err := h.Removals.PlanRemoval(c.Request().Context(), d.asked)
	if err != nil {
		return err
	}
	return h.showPlan(c, http.StatusOK, d, plan, cleanup.DeleteView{})
}

// carryOut does what a deletion's form confirms, as it was shown or not at all.
func (h *Removals) carryOut(c echo.Context, d deletion) error {
	confirmed := image.Digest(c.FormValue("plan"))
	if confirmed == "" && d.many {
		return h.showMany(c, d)
	}
	if confirmed == "" {
		return h.plan(c, d)
	}
	ctx := c.Request().Context()
	by := h.Site.Requester(c)
	planned := func() (shelf.RemovalPlan, error) { return h.Removals.PlanRemoval(ctx, d.asked) }
	changed, err := mayRemove(ctx, h.Removals, d.asked.Force, confirmed, planned)
	switch {
	case changed != nil:
		return h.showPlan(c, http.StatusConflict, d, *changed, cleanup.DeleteView{Tried: true, Changed: true})
	case image.KindOf(err) == image.NotFound && d.many && err != nil:
		return h.showMany(c, d)
	case err != nil:
		return err
	}
	removed, err := h.Removals.Remove(ctx, d.asked, confirmed, by)
	plan := removed.Plan
	if image.KindOf(err) == image.Conflict {
		return h.showPlan(c, http.StatusConflict, d, plan,
			cleanup.DeleteView{Tried: true, Changed: plan.Fingerprint != confirmed})
	}
	if image.KindOf(err) == image.NotFound && d.many {
		return h.showMany(c, d)
	}
	if err != nil {
		return err
	}
	h.Log.Info("deleted", "what", cleanup.RemovalNames(plan.Asked.Items), "force", plan.Asked.Force, "by", by,
		"images", plan.Totals.Images,
		"bytes", plan.Totals.Freed, "removal", removed.ID)
	flash := ui.Flash{Kind: ui.KindSuccess, Undo: removed.ID, Until: removed.Until}
	flash.Text = cleanup.DeletedText(ctx, plan, flash.Undo != 0)
	return page.Redirect(c, d.after(plan), flash)
}

// after is the page that a deletion leads to.
func (d deletion) after(plan shelf.RemovalPlan) string {
	switch {
	case d.back != "":
		return d.back
	case d.many:
		return address.ImagesPath
	}
	named := plan.Asked.Items[0].Reference
	if slices.ContainsFunc(plan.Remains, func(r shelf.PlanRemains) bool { return r.Reference == named }) {
		return address.Of(named).String()
	}
	return address.ImagesPath
}

// plan returns the address of the plan for a removal of the same things.
func (d deletion) plan(asked shelf.Removal) string {
	a := address.Delete{Force: asked.Force, Back: d.back}
	if !d.many {
		a.Of = d.of.For(asked.Items[0].Platform)
		return a.String()
	}
	for _, item := range asked.Items {
		a.Refs = append(a.Refs, item.Name())
	}
	return a.String()
}

// showPlan answers with the plan's page; v says what led to it. A plan that refuses its one thing comes with the one
// with force, which the page words its way on after.
func (h *Removals) showPlan(c echo.Context, status int, d deletion, plan shelf.RemovalPlan,
	v cleanup.DeleteView) error {
	ctx := c.Request().Context()
	v.Plan, v.Back, v.Many, v.Skipped = plan, d.back, d.many, d.skipped
	forced := plan.Asked
	forced.Force = true
	if d.many {
		v.Action, v.Cancel, v.Force = address.DeletePath, address.ImagesPath, d.plan(forced)
		v.Crumbs = []ui.Crumb{{Label: text.T(ctx, "nav.images"), URL: address.ImagesPath},
			{Label: text.T(ctx, "delete.crumb")}}
	} else {
		h.describeOne(c, d, &v)
		v.Here, v.Force = d.plan(d.asked), d.plan(forced)
		if plan.Refused() {
			var err error
			if v.Forced, err = h.Removals.PlanRemoval(ctx, forced); err != nil {
				return err
			}
		}
	}
	if d.back != "" {
		v.Cancel = d.back
	}
	return page.Render(c, status, cleanup.DeletePage(h.Site.Chrome(c, v.Title(ctx), ui.NavImages), v))
}

// describeOne fills in what a plan for one thing has around it.
func (h *Removals) describeOne(c echo.Context, d deletion, v *cleanup.DeleteView) {
	ctx := c.Request().Context()
	item := d.asked.Items[0]
	v.Action, v.Cancel = d.of.At(address.SectionDelete).String(), d.of.For(item.Platform).String()
	if item.ID != "" {
		v.Crumbs = []ui.Crumb{{Label: text.T(ctx, "nav.images"), URL: address.ImagesPath},
			{Label: image.ShortDigest(item.ID), URL: d.of.String()}}
		return
	}
	v.Crumbs = page.CrumbsOf(ctx, item.Reference.Repository,
		address.Of(image.Reference{Repository: item.Reference.Repository}).String())
	v.Crumbs = append(v.Crumbs, ui.Crumb{Label: refName(item.Reference), URL: d.of.String()})
}

// refName is the part of a reference that a repository's page lists.
func refName(ref image.Reference) string {
	if ref.Digest != "" {
		return image.ShortDigest(ref.Digest)
	}
	return ref.Tag
}
