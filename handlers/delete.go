package handlers

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views"
)

// deletePlan answers GET …/delete?platform=&force=: what the deletion would do. Nothing is done.
func (h *Handlers) deletePlan(c echo.Context, a address) error {
	asked, err := h.removalOf(c, a)
	if err != nil {
		return err
	}
	plan, err := h.store.PlanRemoval(c.Request().Context(), asked)
	if err != nil {
		return err
	}
	return h.showPlan(c, http.StatusOK, a, plan, views.DeleteView{})
}

// deleteImage answers POST …/delete with the fields platform, force and plan, the fingerprint of the plan
// that was confirmed. Without one it shows the plan; with one that no longer holds, the plan as it is now.
func (h *Handlers) deleteImage(c echo.Context, a address) error {
	confirmed := image.Digest(c.FormValue("plan"))
	if confirmed == "" {
		return h.deletePlan(c, a)
	}
	asked, err := h.removalOf(c, a)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	by := h.requester(c)
	done, err := h.store.Remove(ctx, asked, confirmed, by)
	plan := done.Plan
	if image.KindOf(err) == image.Conflict {
		return h.showPlan(c, http.StatusConflict, a, plan, views.DeleteView{Tried: true, Changed: plan.Fingerprint != confirmed})
	}
	if err != nil {
		return err
	}
	h.log.Info("deleted", "address", a.base(), "platform", asked.Items[0].Platform.String(), "by", by, "images", len(plan.Deleted), "bytes", plan.Totals.Freed)
	to := "/images"
	if slices.ContainsFunc(plan.Remains, func(r image.PlanRemains) bool { return r.Reference == asked.Items[0].Reference }) {
		to = views.ImageURL(asked.Items[0].Reference)
	}
	return redirect(c, to, views.Flash{Kind: views.KindSuccess, Text: views.DeletedText(ctx, plan)})
}

// removalOf reads what is to be deleted from the address and from the query or the form. An image ID is of
// one platform already, so a platform beside it says nothing.
func (h *Handlers) removalOf(c echo.Context, a address) (image.Removal, error) {
	asked := image.Remove(image.RemovalItem{Reference: a.ref})
	switch force := c.FormValue("force"); force {
	case "", "0", "false":
	case "1", "true", "on":
		asked.Force = true
	default:
		return asked, image.Errorf(image.Invalid, "the value of force is 1 or left out, not %.40q (force)", force)
	}
	if a.idPrefix != "" {
		img, err := h.store.ImageByID(c.Request().Context(), a.idPrefix)
		asked.Items[0].ID = img.ID
		return asked, err
	}
	if a.ref.Tag == "" && a.ref.Digest == "" {
		return asked, image.Errorf(image.Invalid, "%s is a repository: only a tag, a digest or an image ID can be deleted", a.ref.Familiar())
	}
	if s := c.FormValue("platform"); s != "" {
		platform, err := image.ParsePlatform(s)
		if err != nil {
			return asked, err
		}
		asked.Items[0].Platform = platform
	}
	return asked, nil
}

// showPlan answers with the plan's page; v says what led to it. A refused plan comes with the one with force,
// which the page words its way on after.
func (h *Handlers) showPlan(c echo.Context, status int, a address, plan image.RemovalPlan, v views.DeleteView) error {
	ctx := c.Request().Context()
	base := a.base()
	action := views.SectionURL(base, views.SectionDelete, image.Platform{})
	v.Plan, v.Action, v.Cancel = plan, action, views.SectionURL(base, "", plan.Asked.Items[0].Platform)
	if plan.Refused() {
		forced := plan.Asked
		forced.Force = true
		v.Force = views.DeleteURL(base, forced)
		var err error
		if v.Forced, err = h.store.PlanRemoval(ctx, forced); err != nil {
			return err
		}
	}
	v.Crumbs = []views.Crumb{{Label: views.T(ctx, "nav.images"), URL: "/images"}, {Label: image.ShortDigest(plan.Asked.Items[0].ID), URL: base}}
	if a.idPrefix == "" {
		v.Crumbs = crumbsOf(ctx, a.ref.Repository, views.ImageURL(image.Reference{Repository: a.ref.Repository}))
		v.Crumbs = append(v.Crumbs, views.Crumb{Label: refName(a.ref), URL: base})
	}
	return Render(c, status, views.DeletePage(h.Chrome(c, views.DeleteTitle(ctx, plan.Asked.Items[0]), views.NavImages), v))
}

// refName is the part of a reference that a repository's page lists.
func refName(ref image.Reference) string {
	if ref.Digest != "" {
		return image.ShortDigest(ref.Digest)
	}
	return ref.Tag
}
