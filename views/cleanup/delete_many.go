package cleanup

import (
	"context"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// Skipped is something that was chosen and cannot be deleted, since it names nothing that is stored.
type Skipped struct {
	Name string // as it was typed; hostile text
	Why  image.Text
}

// RemovalNames names things for the log, the first few of many.
func RemovalNames(items []shelf.RemovalItem) string {
	const most = 10
	names := make([]string, 0, most+1)
	for i, item := range items {
		if i == most {
			names = append(names, "…")
			break
		}
		name := item.Name()
		if item.Platform != (image.Platform{}) {
			name += " (" + item.Platform.String() + ")"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// things are the lines that say of each thing what becomes of it.
func (v DeleteView) things(ctx context.Context) []ui.PlanLine {
	lines := make([]ui.PlanLine, 0, len(v.Plan.Items)+len(v.Skipped))
	for _, i := range v.Plan.Items {
		line := ui.PlanLine{Kind: ui.PlanUntag, What: planItem(i.Item), Size: -1}
		switch {
		case i.Refusal != nil && i.Refusal.Reason == shelf.RefusedMissing:
			line.Kind, line.Why = ui.PlanSkip, refusalWords(*i.Refusal)
		case i.Refusal != nil:
			line.Kind, line.Why = ui.PlanRefuse, refusalWords(*i.Refusal)
		case i.Images == 0:
			line.Detail = text.T(ctx, "delete.line_untagged")
		case i.Item.ID == "" && i.Item.Reference.Tag != "":
			line.Kind, line.Detail = ui.PlanDelete, text.T(ctx, "delete.line_last_tag", text.Count, i.Images)
		default:
			line.Kind, line.Detail = ui.PlanDelete, text.T(ctx, "delete.line_deleted", text.Count, i.Images)
		}
		lines = append(lines, line)
	}
	for _, s := range v.Skipped {
		lines = append(lines, ui.PlanLine{Kind: ui.PlanSkip, What: ui.Verbatim(s.Name), Detail: text.ErrorText(ctx, s.Why),
			Size: -1})
	}
	return lines
}

// along are the lines for what goes with the things that were asked for.
func (v DeleteView) along(ctx context.Context) []ui.PlanLine {
	var lines []ui.PlanLine
	asked := map[image.Reference]bool{}
	for _, i := range v.Plan.Asked.Items {
		asked[i.Reference] = i.ID == ""
	}
	for _, ref := range v.Plan.Untagged {
		if asked[ref] {
			continue
		}
		line := ui.PlanLine{Kind: ui.PlanUntag, What: ui.Reference(ref), Size: -1}
		if ref.Digest != "" {
			line.Detail = text.T(ctx, "delete.digest_reference")
		}
		lines = append(lines, line)
	}
	return append(lines, planImages(ctx, v.Plan)...)
}

// chosen is how many things were asked for.
func (v DeleteView) chosen() int { return len(v.Plan.Items) + len(v.Skipped) }

// done is how many things a plan carries out.
func done(p shelf.RemovalPlan) int { return p.Totals.Items - p.Totals.Refused }

// missing counts the things of a plan that are not stored; the others that it refuses are kept by the rules.
func missing(p shelf.RemovalPlan) (n int) {
	for _, i := range p.Items {
		if i.Refusal != nil && i.Refusal.Reason == shelf.RefusedMissing {
			n++
		}
	}
	return n
}

// kept counts the things of a plan that the rules keep.
func kept(p shelf.RemovalPlan) int { return p.Totals.Refused - missing(p) }

// allDone reports whether everything that was asked for is carried out.
func (v DeleteView) allDone() bool { return v.Plan.Totals.Refused == 0 && len(v.Skipped) == 0 }

// keptLayers is how many layers of what is deleted stay for others, among those that the plan lists.
func keptLayers(p shelf.RemovalPlan) (n int) {
	for _, b := range p.Stays {
		if b.Kind == "layer" {
			n++
		}
	}
	return n
}
