package cleanup

import (
	"context"

	"github.com/a-h/templ"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/marks"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// DeleteView is the page that shows what a deletion will do, before anything is done.
type DeleteView struct {
	Plan    shelf.RemovalPlan
	Crumbs  []ui.Crumb
	Action  string // where the form goes
	Cancel  string // the page of what would be deleted
	Back    string // where the form says to go afterwards; empty leaves it to the server
	Here    string // the address of this plan
	Force   string // the address of the plan with force
	Tried   bool   // this plan or an older one was confirmed, and is not carried out
	Changed bool   // an older plan was confirmed, and the shelf has changed since
	Many    bool   // each thing has a line
	Skipped []Skipped

	Forced shelf.RemovalPlan // the plan with force, where Plan refuses its one thing
}

// Title is the title of the page.
func (v DeleteView) Title(ctx context.Context) string {
	if v.Many {
		return text.T(ctx, "delete.title_many", text.Count, v.chosen())
	}
	return text.T(ctx, "delete.title", "Name", removalName(ctx, v.Plan.Asked.Items[0]))
}

// DeletedText words what a plan that was carried out came to. While it can be undone, its files are still there.
func DeletedText(ctx context.Context, plan shelf.RemovalPlan, undoable bool) string {
	name, n := removalName(ctx, plan.Asked.Items[0]), done(plan)
	size := text.HumanSize(plan.Totals.Freed)
	said := ""
	switch one := len(plan.Asked.Items) == 1; {
	case plan.Totals.Blobs == 0 && one:
		said = text.T(ctx, "delete.done_untagged", "Name", name)
	case plan.Totals.Blobs == 0:
		said = text.T(ctx, "delete.done_many_untagged", text.Count, n)
	case undoable && one:
		said = text.T(ctx, "delete.done_waiting", "Name", name, "Size", size)
	case undoable:
		said = text.T(ctx, "delete.done_many_waiting", text.Count, n, "Size", size)
	case one:
		said = text.T(ctx, "delete.done", "Name", name, "Size", size)
	default:
		said = text.T(ctx, "delete.done_many", text.Count, n, "Size", size)
	}
	if n := kept(plan); n > 0 {
		said += " " + text.T(ctx, "delete.done_refused", text.Count, n)
	}
	return said
}

// refusalOf is why the one thing of a plan stays.
func (v DeleteView) refusalOf() shelf.Refusal {
	if refusal := v.Plan.Items[0].Refusal; refusal != nil {
		return *refusal
	}
	return shelf.Refusal{}
}

// refusal says why the plan is not carried out without force.
func (v DeleteView) refusal(ctx context.Context) string {
	asked, r := v.Plan.Asked.Items[0], v.refusalOf()
	switch {
	case r.Reason == shelf.RefusedPinned:
		return text.T(ctx, "delete.refused_pinned", "Name", removalName(ctx, asked))
	case r.Reason == shelf.RefusedBase:
		return text.T(ctx, "delete.refused_base", "Name", removalName(ctx, asked), text.Count, r.Count)
	case r.Reason != shelf.RefusedReferenced:
		return text.ErrorText(ctx, r.Text)
	case asked.ID != "":
		return text.T(ctx, "delete.refused_id", "ID", image.ShortDigest(asked.ID), text.Count, r.Count)
	case asked.Platform != (image.Platform{}):
		return text.T(ctx, "delete.refused_platform", "Name", ui.ShortReference(asked.Reference), "Platform",
			asked.Platform.String(), text.Count, r.Count)
	}
	return text.T(ctx, "delete.refused_digest", "Digest", image.ShortDigest(asked.Reference.Digest), text.Count, r.Count)
}

// refusedTitle says how things stand: before somebody confirmed anything, only a decision is missing.
func (v DeleteView) refusedTitle(ctx context.Context) string {
	if v.Tried {
		return text.T(ctx, "delete.refused")
	}
	return text.T(ctx, "delete.undecided")
}

// refusedSummary is what happens, in the bar of a refused plan.
func (v DeleteView) refusedSummary(ctx context.Context) string {
	if v.Tried {
		return text.T(ctx, "delete.nothing_done")
	}
	return text.T(ctx, "delete.plan_first")
}

// forceLabel words what the plan with force does: references go, or stay with their other platforms.
func (v DeleteView) forceLabel(ctx context.Context) string {
	lost, left := lostPlatform(v.Forced), len(v.Forced.Remains)
	switch {
	case v.refusalOf().Reason != shelf.RefusedReferenced:
		return text.T(ctx, "delete.all_the_same")
	case left == 0:
		return text.T(ctx, "delete.all")
	case lost == "" || len(v.Forced.Untagged) > 0:
		return text.T(ctx, "delete.everywhere")
	case left == 2:
		return text.T(ctx, "delete.platform_both", "Platform", lost)
	}
	return text.T(ctx, "delete.platform_all", "Platform", lost, text.Count, left)
}

// forceSuggestion says what can be done about a refusal.
func (v DeleteView) forceSuggestion(ctx context.Context) string {
	switch {
	case v.refusalOf().Reason == shelf.RefusedPinned:
		return text.T(ctx, "delete.suggest_pinned")
	case v.refusalOf().Reason == shelf.RefusedBase:
		return text.T(ctx, "delete.suggest_base")
	case len(v.Forced.Remains) == 0:
		return text.T(ctx, "delete.refused_suggestion")
	case len(v.Forced.Untagged) > 0:
		return text.T(ctx, "delete.suggest_some")
	}
	return text.T(ctx, "delete.suggest_platform")
}

// blockingTitle is what stands in the way.
func (v DeleteView) blockingTitle(ctx context.Context) string {
	switch v.refusalOf().Reason {
	case shelf.RefusedPinned:
		return text.T(ctx, "delete.pinned")
	case shelf.RefusedBase:
		return text.T(ctx, "delete.built_on_it")
	}
	return text.T(ctx, "delete.in_the_way")
}

// blocking are the lines for what stands in the way.
func (v DeleteView) blocking(ctx context.Context) []ui.PlanLine {
	r := v.refusalOf()
	if r.Pin != nil {
		return []ui.PlanLine{{Kind: ui.PlanKeep, What: marks.ReferenceLink(r.Pin.Reference), Why: pinToTake(*r.Pin, v.Here),
			Size: -1}}
	}
	var lines []ui.PlanLine
	for _, ref := range r.By {
		lines = append(lines, ui.PlanLine{Kind: ui.PlanKeep, What: marks.ReferenceLink(ref), Size: -1})
	}
	return ui.WithMore(ctx, lines, ui.PlanKeep, r.Count)
}

// command is the docker command that does the same, or is refused the same. With --platform, docker insists
// on --force.
func (v DeleteView) command() string {
	asked := v.Plan.Asked
	words := []string{"docker", "rmi"}
	platform := asked.Items[0].Platform
	if asked.Force || platform != (image.Platform{}) && !v.Plan.Refused() {
		words = append(words, "--force")
	}
	if platform != (image.Platform{}) {
		words = append(words, "--platform", platform.String())
	}
	for _, item := range asked.Items {
		if item.ID != "" {
			words = append(words, image.ShortDigest(item.ID))
		} else {
			words = append(words, item.Reference.Familiar())
		}
	}
	return ui.ShellWords(words)
}

// difference says where docker does otherwise in a way that surprises; empty where it does not.
func (v DeleteView) difference(ctx context.Context) string {
	reasons := map[shelf.RefusalReason]bool{}
	for _, i := range v.Plan.Items {
		if i.Refusal != nil {
			reasons[i.Refusal.Reason] = true
		}
	}
	switch {
	case reasons[shelf.RefusedPinned]:
		return text.T(ctx, "delete.docker_pinned")
	case reasons[shelf.RefusedBase]:
		return text.T(ctx, "delete.docker_base")
	case len(v.Plan.Asked.Items) > 1:
		return text.T(ctx, "delete.docker_many")
	}
	return ""
}

// heading is the page's heading as a component.
func (v DeleteView) heading(ctx context.Context) templ.Component { return ui.Text(v.Title(ctx)) }
