package cleanup

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/cleanup"
	"github.com/stowage/stowage/views/ui"
)

// summaryLimit is how long the summary of a prune may take, which is asked for while somebody types.
const summaryLimit = 3 * time.Second

// pruning is what a request asks for, with what is wrong with it in the reader's language; nil where nothing is.
type pruning struct {
	address.Pruning
	problem *cleanup.PruneProblem
}

// Page answers GET /prune?all=&until=&label=&label!=&unused=: what a prune would do, or for htmx the plan alone.
// Nothing is done. address.Prune has the words of the address.
func (h *Prunes) Page(c echo.Context) error {
	p, err := h.pruningOf(c)
	if err != nil {
		return err
	}
	if p.problem != nil {
		return h.refusePrune(c, p)
	}
	if short := p.Typed.String(); c.Request().Method != http.MethodPost && c.Request().URL.RequestURI() != short {
		return c.Redirect(http.StatusFound, short) // what forms leave empty, and blanks between labels
	}
	plan, err := h.planPrune(c.Request().Context(), p.Asked)
	if err != nil {
		return err
	}
	return h.showPrune(c, http.StatusOK, p, &plan, false)
}

// Summary answers GET /prune/summary with the fields of Prune: what it would come to, for the form on the Storage
// page. A browser that goes there is led to the plan.
func (h *Prunes) Summary(c echo.Context) error {
	p, err := h.pruningOf(c)
	if err != nil {
		return err
	}
	if !page.Partial(c) {
		return c.Redirect(http.StatusFound, p.Typed.String())
	}
	form := cleanup.PruneForm{Asked: p.Typed, Problem: p.problem}
	if p.problem != nil {
		return page.Render(c, http.StatusUnprocessableEntity, cleanup.PruneSummaryPart(form))
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), summaryLimit)
	defer cancel()
	plan, err := h.planPrune(ctx, p.Asked)
	switch {
	case err == nil:
		summary := cleanup.SummaryOf(plan)
		form.Summary = &summary
	case ctx.Err() == nil || c.Request().Context().Err() != nil:
		return err
	default:
		form.Slow = true
	}
	return page.Render(c, http.StatusOK, cleanup.PruneSummaryPart(form))
}

// planPrune plans one prune at a time: on a large shelf the plan for all of it takes hundreds of megabytes for a while.
func (h *Prunes) planPrune(ctx context.Context, asked shelf.Prune) (shelf.RemovalPlan, error) {
	select {
	case h.Planning <- struct{}{}:
		defer func() { <-h.Planning }()
		return h.Removals.PlanPrune(ctx, asked)
	case <-ctx.Done():
		return shelf.RemovalPlan{}, ctx.Err()
	}
}

// Prune answers POST /prune with the fields of Prune, plan, the fingerprint of the plan that was confirmed, and
// at, when it was shown. Without a plan it shows it; with one that no longer holds, the plan as it is now.
func (h *Prunes) Prune(c echo.Context) error {
	confirmed := image.Digest(c.FormValue("plan"))
	if confirmed == "" {
		return h.Page(c)
	}
	p, err := h.pruningOf(c)
	if err != nil {
		return err
	}
	if p.problem != nil {
		return h.refusePrune(c, p)
	}
	ctx := c.Request().Context()
	by := h.Site.Requester(c)
	planned := func() (shelf.RemovalPlan, error) { return h.planPrune(ctx, p.Asked) }
	changed, err := mayRemove(ctx, h.Removals, false, confirmed, planned)
	switch {
	case err != nil:
		return err
	case changed != nil:
		return h.showPrune(c, http.StatusConflict, p, changed, true)
	}
	removed, err := h.Removals.Prune(ctx, p.Asked, confirmed, by)
	plan := removed.Plan
	if image.KindOf(err) == image.Conflict {
		return h.showPrune(c, http.StatusConflict, p, &plan, plan.Fingerprint != confirmed)
	}
	if err != nil {
		return err
	}
	h.Log.Info("pruned", "filters", p.Typed.String(), "by", by,
		"images", plan.Totals.Images, "bytes", plan.Totals.Freed, "removal", removed.ID)
	flash := ui.Flash{Kind: ui.KindSuccess, Undo: removed.ID, Until: removed.Until}
	flash.Text = cleanup.PrunedText(ctx, plan, flash.Undo != 0)
	return page.Redirect(c, address.StoragePath, flash)
}

// showPrune answers with the plan's page, or for htmx with the plan alone.
func (h *Prunes) showPrune(c echo.Context, status int, p pruning, plan *shelf.RemovalPlan, changed bool) error {
	v := cleanup.PruneView{
		Form: cleanup.PruneForm{Asked: p.Typed, Problem: p.problem}, Plan: plan,
		At: strconv.FormatInt(p.At.UnixMilli(), 10), Changed: changed,
	}
	if page.Partial(c) {
		return page.Render(c, status, cleanup.PrunePlan(v))
	}
	return page.Render(c, status, cleanup.PrunePage(h.Site.Chrome(c, cleanup.PruneTitle(c.Request().Context()),
		ui.NavStorage), v))
}

// refusePrune says which filter is wrong and leaves the form as it was typed.
func (h *Prunes) refusePrune(c echo.Context, p pruning) error {
	status := http.StatusBadRequest
	if page.Partial(c) {
		status = http.StatusUnprocessableEntity // of a form that is not sent yet
	}
	return h.showPrune(c, status, p, nil, false)
}

// pruningOf reads the fields of a prune from the query or the form.
func (h *Prunes) pruningOf(c echo.Context) (pruning, error) {
	form, err := formParams(c)
	if err != nil {
		return pruning{}, err
	}
	p := pruning{}
	if p.Pruning, err = address.ParsePrune(form, h.Site.Now()); err != nil {
		return p, err
	}
	if p.Problem != nil {
		p.problem = cleanup.NewPruneProblem(c.Request().Context(), p.Field, p.Problem)
	}
	return p, nil
}
