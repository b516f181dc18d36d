package views

import (
	"context"
	"slices"
	"strings"

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

// removalName words what is to be deleted: "ubuntu:22.04", "ubuntu:22.04 (linux/arm64)", "image 174c8c134b2a".
func removalName(ctx context.Context, asked image.RemovalItem) string {
	name := shortReference(asked.Reference)
	if asked.ID != "" {
		name = T(ctx, "delete.image", "ID", image.ShortDigest(asked.ID))
	}
	if asked.Platform != (image.Platform{}) {
		name += " (" + asked.Platform.String() + ")"
	}
	return name
}

// shortReference is the familiar form with a digest's first digits only.
func shortReference(ref image.Reference) string {
	if ref.Digest != "" {
		return ref.Repository.Familiar() + "@" + image.ShortDigest(ref.Digest)
	}
	return ref.Familiar()
}

// DeletedText tells what a plan that was carried out came to.
func DeletedText(ctx context.Context, plan image.RemovalPlan) string {
	name := removalName(ctx, plan.Asked.Items[0])
	if len(plan.Blobs) == 0 {
		return T(ctx, "delete.done_untagged", "Name", name)
	}
	return T(ctx, "delete.done", "Name", name, "Size", HumanSize(plan.Totals.Freed))
}

// summary is what happens, in the bar with the button.
func (v DeleteView) summary(ctx context.Context) string {
	if len(v.Plan.Blobs) == 0 {
		return T(ctx, "delete.frees_nothing")
	}
	return T(ctx, "delete.frees", "Size", HumanSize(v.Plan.Totals.Freed))
}

// detail counts what the summary is about.
func (v DeleteView) detail(ctx context.Context) string {
	if len(v.Plan.Blobs) == 0 {
		return T(ctx, "delete.nothing_deleted")
	}
	parts := []string{ExactBytes(ctx, v.Plan.Totals.Freed), T(ctx, "delete.images", Count, len(v.Plan.Deleted)), T(ctx, "delete.layers", Count, countKind(v.Plan.Blobs, "layer"))}
	return strings.Join(parts, " · ")
}

func countKind(blobs []image.PlanBlob, kind string) (n int) {
	for _, b := range blobs {
		if b.Kind == kind {
			n++
		}
	}
	return n
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

// lostPlatform is the platform of the images that a plan deletes; empty where it is unknown or not one.
func lostPlatform(p image.RemovalPlan) string {
	if len(p.Deleted) == 0 || slices.ContainsFunc(p.Deleted, func(i image.PlanImage) bool { return i.Platform != p.Deleted[0].Platform }) {
		return ""
	}
	return p.Deleted[0].Platform.String()
}

// going are the lines for what is untagged and deleted.
func (v DeleteView) going(ctx context.Context) []PlanLine {
	var lines []PlanLine
	for _, ref := range v.Plan.Untagged {
		detail := ""
		if ref.Digest != "" && ref != v.Plan.Asked.Items[0].Reference {
			detail = T(ctx, "delete.digest_reference")
		}
		lines = append(lines, PlanLine{Kind: PlanUntag, What: Reference(ref), Detail: detail, Size: -1})
	}
	for _, i := range v.Plan.Deleted {
		lines = append(lines, PlanLine{Kind: PlanDelete, What: planImage(i), Detail: T(ctx, "delete.image_layers", "Size", HumanSize(i.Size)), Size: -1})
	}
	return lines
}

// staying are the lines for the blobs that stay, and for whom; neighbours of a kind that stay for the same
// references share a line.
func (v DeleteView) staying(ctx context.Context) []PlanLine {
	var lines []PlanLine
	stays := v.Plan.Stays
	for len(stays) > 0 {
		n, size := 0, int64(0)
		for n < len(stays) && stays[n].Kind == stays[0].Kind && stays[n].Users == stays[0].Users && slices.Equal(stays[n].UsedBy, stays[0].UsedBy) {
			size += stays[n].Size
			n++
		}
		lines = append(lines, PlanLine{Kind: PlanKeep, What: planBlobs(stays[:n]), Detail: usedBy(ctx, stays[0]), Size: size})
		stays = stays[n:]
	}
	return lines
}

// usedBy names those for whom a blob stays.
func usedBy(ctx context.Context, b image.PlanBlob) string {
	names := make([]string, len(b.UsedBy))
	for i, ref := range b.UsedBy {
		names[i] = shortReference(ref)
	}
	list := strings.Join(names, ", ")
	if more := b.Users - len(b.UsedBy); more > 0 {
		return T(ctx, "delete.used_by_more", "Names", list, Count, more)
	}
	return T(ctx, "delete.used_by", "Names", list)
}

// maxRemains is how many references that stay are listed.
const maxRemains = 20

// remaining are the lines for the references that stay.
func (v DeleteView) remaining(ctx context.Context) []PlanLine {
	var lines []PlanLine
	for _, r := range v.Plan.Remains[:min(len(v.Plan.Remains), maxRemains)] {
		lines = append(lines, PlanLine{Kind: PlanKeep, What: planReference(r.Reference), Detail: v.keeps(ctx, r), Size: -1})
	}
	if more := len(v.Plan.Remains) - maxRemains; more > 0 {
		lines = append(lines, PlanLine{Kind: PlanKeep, What: Text(T(ctx, "delete.more_references", Count, more)), Size: -1})
	}
	return lines
}

// keeps says what stays of a reference that stays, and what it loses. Without force, a platform is only
// deleted where all references to it are on the index that was named.
func (v DeleteView) keeps(ctx context.Context, r image.PlanRemains) string {
	lost, left := lostPlatform(v.Plan), platformNames(r.Platforms)
	switch {
	case lost == "" || r.Reference == v.Plan.Asked.Items[0].Reference:
		return T(ctx, "delete.with_platforms", "Platforms", left)
	case v.Plan.Asked.Items[0].ID == "" && !v.Plan.Asked.Force:
		return T(ctx, "delete.same_index", "Lost", lost, "Platforms", left)
	}
	return T(ctx, "delete.loses", "Lost", lost, "Platforms", left)
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
	for _, ref := range v.blockers()[:min(len(v.blockers()), maxRemains)] {
		lines = append(lines, PlanLine{Kind: PlanKeep, What: planReference(ref), Size: -1})
	}
	return lines
}

// blobKind words what a blob is.
func blobKind(ctx context.Context, kind string) string {
	switch kind {
	case "index":
		return T(ctx, "delete.kind_index")
	case "manifest":
		return T(ctx, "delete.kind_manifest")
	case "config":
		return T(ctx, "delete.kind_config")
	}
	return T(ctx, "delete.kind_layer")
}

// blobsKind words what blobs that stay are: a manifest stands for the whole image.
func blobsKind(ctx context.Context, kind string, n int) string {
	switch kind {
	case "manifest":
		return T(ctx, "delete.kept_images", Count, n)
	case "layer":
		return T(ctx, "delete.layers", Count, n)
	}
	return blobKind(ctx, kind)
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
