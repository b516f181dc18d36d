package views

import (
	"context"

	"github.com/a-h/templ"

	"github.com/stowage/stowage/image"
)

// DeleteView is the page that shows what a deletion will do, before anything is done.
type DeleteView struct {
	Plan    image.RemovalPlan
	Crumbs  []Crumb
	Action  string // where the form goes
	Cancel  string // the page of what would be deleted
	Tried   bool   // this plan or an older one was confirmed, and is not carried out
	Changed bool   // an older plan was confirmed, and the shelf has changed since

	// Only where Plan is refused: the plan with force, and its address.
	Forced image.RemovalPlan
	Force  string
}

// DeleteTitle is the title of the page.
func DeleteTitle(ctx context.Context, asked image.RemovalItem) string {
	return T(ctx, "delete.title", "Name", removalName(ctx, asked))
}

// DeletedText tells what a plan that was carried out came to.
func DeletedText(ctx context.Context, plan image.RemovalPlan) string {
	name := removalName(ctx, plan.Asked.Items[0])
	if len(plan.Blobs) == 0 {
		return T(ctx, "delete.done_untagged", "Name", name)
	}
	return T(ctx, "delete.done", "Name", name, "Size", HumanSize(plan.Totals.Freed))
}

// refusal says why the plan is not carried out without force.
func (v DeleteView) refusal(ctx context.Context) string {
	asked := v.Plan.Asked.Items[0]
	switch {
	case asked.ID != "":
		return T(ctx, "delete.refused_id", "ID", image.ShortDigest(asked.ID), Count, len(v.blockers()))
	case asked.Platform != (image.Platform{}):
		return T(ctx, "delete.refused_platform", "Name", shortReference(asked.Reference), "Platform", asked.Platform.String(), Count, len(v.blockers()))
	}
	return T(ctx, "delete.refused_digest", "Digest", image.ShortDigest(asked.Reference.Digest), Count, len(v.blockers()))
}

// refusedTitle says how things stand: before somebody confirmed anything, only a decision is missing.
func (v DeleteView) refusedTitle(ctx context.Context) string {
	if v.Tried {
		return T(ctx, "delete.refused")
	}
	return T(ctx, "delete.undecided")
}

// refusedSummary is what happens, in the bar of a refused plan.
func (v DeleteView) refusedSummary(ctx context.Context) string {
	if v.Tried {
		return T(ctx, "delete.nothing_done")
	}
	return T(ctx, "delete.plan_first")
}

// forceLabel words what the plan with force does: references go, or stay with their other platforms.
func (v DeleteView) forceLabel(ctx context.Context) string {
	lost, left := lostPlatform(v.Forced), len(v.Forced.Remains)
	switch {
	case left == 0:
		return T(ctx, "delete.all")
	case lost == "" || len(v.Forced.Untagged) > 0:
		return T(ctx, "delete.everywhere")
	case left == 2:
		return T(ctx, "delete.platform_both", "Platform", lost)
	}
	return T(ctx, "delete.platform_all", "Platform", lost, Count, left)
}

// forceSuggestion says what can be done about a refusal.
func (v DeleteView) forceSuggestion(ctx context.Context) string {
	switch {
	case len(v.Forced.Remains) == 0:
		return T(ctx, "delete.refused_suggestion")
	case len(v.Forced.Untagged) > 0:
		return T(ctx, "delete.suggest_some")
	}
	return T(ctx, "delete.suggest_platform")
}

// blockers are the references that stand in the way.
func (v DeleteView) blockers() []image.Reference {
	if refusal := v.Plan.Items[0].Refusal; refusal != nil {
		return refusal.By
	}
	return nil
}

// blocking are the lines for what stands in the way.
func (v DeleteView) blocking() []PlanLine {
	var lines []PlanLine
	for _, ref := range v.blockers() {
		lines = append(lines, PlanLine{Kind: PlanKeep, What: planReference(ref), Size: -1})
	}
	return lines
}

// command is the docker command that does the same, or is refused the same. With --platform, docker insists
// on --force.
func (v DeleteView) command() string {
	asked := v.Plan.Asked.Items[0]
	words := []string{"docker", "rmi"}
	if v.Plan.Asked.Force || asked.Platform != (image.Platform{}) && !v.Plan.Refused() {
		words = append(words, "--force")
	}
	if asked.Platform != (image.Platform{}) {
		words = append(words, "--platform", asked.Platform.String())
	}
	if asked.ID != "" {
		words = append(words, image.ShortDigest(asked.ID))
	} else {
		words = append(words, asked.Reference.Familiar())
	}
	return ShellWords(words)
}

// heading is the page's heading as a component.
func (v DeleteView) heading(ctx context.Context) templ.Component {
	return Text(DeleteTitle(ctx, v.Plan.Asked.Items[0]))
}

// DeleteURL gives the address of the plan for a removal of what lies at base.
func DeleteURL(base string, asked image.Removal) string {
	platform := asked.Items[0].Platform
	u := SectionURL(base, SectionDelete, platform)
	switch {
	case !asked.Force:
		return u
	case platform != (image.Platform{}):
		return u + "&force=1"
	}
	return u + "?force=1"
}
