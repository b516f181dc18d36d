package cleanup

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/shelf/docker"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/cleanup"
	"github.com/stowage/stowage/views/ui"
)

const (
	maxPruneField = 2000 // bytes of a filter
	maxLabels     = 50   // that a prune asks for, or for their absence
	// summaryLimit is how long the summary of a prune may take, which is asked for while somebody types.
	summaryLimit = 3 * time.Second
)

// pruning is what a request asks for: as it was typed, and what that means.
type pruning struct {
	typed   address.Prune
	asked   shelf.Prune
	at      time.Time             // when durations count from
	problem *cleanup.PruneProblem // what cannot be understood; asked means nothing then
}

// Page answers GET /prune?all=&until=&label=&label!=&unused=: what a prune would do, or for htmx the plan alone. Nothing is
// done. address.Prune has the words of the address.
func (h *Prunes) Page(c echo.Context) error {
	p, err := h.pruningOf(c)
	if err != nil {
		return err
	}
	if p.problem != nil {
		return h.refusePrune(c, p)
	}
	if short := p.typed.String(); c.Request().Method != http.MethodPost && c.Request().URL.RequestURI() != short {
		return c.Redirect(http.StatusFound, short) // what forms leave empty, and blanks between labels
	}
	plan, err := h.planPrune(c.Request().Context(), p.asked)
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
		return c.Redirect(http.StatusFound, p.typed.String())
	}
	form := cleanup.PruneForm{Asked: p.typed, Problem: p.problem}
	if p.problem != nil {
		return page.Render(c, http.StatusUnprocessableEntity, cleanup.PruneSummaryPart(form))
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), summaryLimit)
	defer cancel()
	plan, err := h.planPrune(ctx, p.asked)
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
		return h.Store.PlanPrune(ctx, asked)
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
	removed, err := h.Store.Prune(ctx, p.asked, confirmed, by)
	plan := removed.Plan
	if image.KindOf(err) == image.Conflict {
		return h.showPrune(c, http.StatusConflict, p, &plan, plan.Fingerprint != confirmed)
	}
	if err != nil {
		return err
	}
	h.Log.Info("pruned", "filters", p.typed.String(), "by", by, "images", plan.Totals.Images, "bytes", plan.Totals.Freed, "removal", removed.ID)
	flash := ui.Flash{Kind: ui.KindSuccess, Undo: removed.ID, Until: removed.Until}
	flash.Text = cleanup.PrunedText(ctx, plan, flash.Undo != 0)
	return page.Redirect(c, address.StoragePath, flash)
}

// showPrune answers with the plan's page, or for htmx with the plan alone.
func (h *Prunes) showPrune(c echo.Context, status int, p pruning, plan *shelf.RemovalPlan, changed bool) error {
	v := cleanup.PruneView{Form: cleanup.PruneForm{Asked: p.typed, Problem: p.problem}, Plan: plan, At: strconv.FormatInt(p.at.UnixMilli(), 10), Changed: changed}
	if page.Partial(c) {
		return page.Render(c, status, cleanup.PrunePlan(v))
	}
	return page.Render(c, status, cleanup.PrunePage(h.Site.Chrome(c, cleanup.PruneTitle(c.Request().Context()), ui.NavStorage), v))
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
	form, err := c.FormParams()
	if err != nil {
		return pruning{}, image.Errorf(image.Invalid, "the form cannot be read").Because(err)
	}
	if name := page.UnknownParam(form, []string{"all", "until", "label", "label!", "unused", "at", "plan"}); name != "" {
		return pruning{}, image.Errorf(image.Invalid, "there is no filter %.40q", name).Suggest("The filters of a prune are until, label, label! and unused.")
	}
	p := pruning{at: h.planTime(form.Get("at"))}
	for _, field := range []struct {
		name cleanup.PruneField
		read func(url.Values) error
	}{{cleanup.PruneAll, p.readAll}, {cleanup.PruneUntil, p.readUntil}, {cleanup.PruneLabel, p.readLabels}, {cleanup.PruneNotLabel, p.readNotLabels}, {cleanup.PruneUnused, p.readUnused}} {
		err := field.read(form)
		var known *image.Error
		if errors.As(err, &known) && p.problem == nil { // the first of several; the others are read all the same
			ctx := c.Request().Context()
			p.problem = cleanup.NewPruneProblem(ctx, field.name, known)
		}
	}
	return p, nil
}

// planTime reads when a plan was made, in milliseconds since 1970: durations of a plan that is confirmed count from
// the same moment. Without one it is now.
func (h *Prunes) planTime(at string) time.Time {
	now := time.UnixMilli(h.Site.Now().UnixMilli()).UTC()
	ms, err := strconv.ParseInt(at, 10, 64)
	if err != nil || ms < 0 || ms > now.UnixMilli() {
		return now
	}
	return time.UnixMilli(ms).UTC()
}

func (p *pruning) readAll(form url.Values) error {
	switch all := form.Get("all"); all {
	case "", "0":
	case "1":
		p.typed.All, p.asked.All = true, true
	default:
		return image.Errorf(image.Invalid, "the value of all is 1 or left out, not %.40q", all)
	}
	return nil
}

func (p *pruning) readUntil(form url.Values) (err error) {
	p.typed.Until = strings.TrimSpace(form.Get("until"))
	switch {
	case len(form["until"]) > 1:
		return image.Errorf(image.Invalid, "there is more than one time").Suggest("Give the earlier one.")
	case len(p.typed.Until) > maxPruneField:
		return tooLong(&p.typed.Until)
	case p.typed.Until != "":
		p.asked.Until, err = image.ParseTimestamp(p.typed.Until, p.at)
	}
	return err
}

func (p *pruning) readUnused(form url.Values) error {
	p.typed.Unused = strings.TrimSpace(form.Get("unused"))
	switch {
	case len(form["unused"]) > 1:
		return image.Errorf(image.Invalid, "there is more than one span of time").Suggest("Give the longer one.")
	case len(p.typed.Unused) > maxPruneField:
		return tooLong(&p.typed.Unused)
	case p.typed.Unused != "":
		age, err := docker.ParseAge(p.typed.Unused)
		p.asked.Unused = p.at.Add(-age)
		return err
	}
	return nil
}

func (p *pruning) readLabels(form url.Values) (err error) {
	p.typed.Labels, p.asked.Labels, err = readLabels(form["label"])
	return err
}

func (p *pruning) readNotLabels(form url.Values) (err error) {
	p.typed.NotLabels, p.asked.NotLabels, err = readLabels(form["label!"])
	return err
}

// readLabels reads a repeated filter, each with blanks between the labels.
func readLabels(values []string) (typed []string, labels []image.Label, err error) {
	text := strings.Join(values, " ")
	if len(text) > maxPruneField {
		err := tooLong(&text)
		return strings.Fields(text), nil, err
	}
	typed = strings.Fields(text)
	if len(typed) > maxLabels {
		return typed, nil, image.Errorf(image.Invalid, "there are %d labels, and at most %d can be asked for", len(typed), maxLabels)
	}
	for _, s := range typed {
		label, err := image.ParseLabel(s)
		if err != nil {
			return typed, nil, err
		}
		labels = append(labels, label)
	}
	return typed, labels, nil
}

// tooLong refuses a filter, and cuts it so that the page does not carry it all back.
func tooLong(text *string) error {
	err := image.Errorf(image.Invalid, "the filter has %d bytes, and at most %d are read", len(*text), maxPruneField)
	*text = strings.ToValidUTF8((*text)[:maxPruneField], "")
	return err
}
