package cleanup

import (
	"context"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// dockerPrune returns the docker command that comes closest.
func dockerPrune(a address.Prune) string {
	words := []string{"docker", "image", "prune"}
	if a.All {
		words = append(words, "--all")
	}
	if a.Until != "" {
		words = append(words, "--filter", "until="+a.Until)
	}
	for _, l := range a.Labels {
		words = append(words, "--filter", "label="+l)
	}
	for _, l := range a.NotLabels {
		words = append(words, "--filter", "label!="+l)
	}
	return ui.ShellWords(words)
}

// PruneForm is the form that chooses what is pruned.
type PruneForm struct {
	Asked   address.Prune
	Problem *PruneProblem
	Summary *PruneSummary // nil: not worked out yet
	Slow    bool          // and it takes too long to be while somebody types
}

// PruneProblem says what is wrong with a field.
type PruneProblem struct {
	Field      address.PruneField
	Message    string
	Suggestion string
}

// NewPruneProblem words what is wrong with a field.
func NewPruneProblem(ctx context.Context, field address.PruneField, e *image.Error) *PruneProblem {
	return &PruneProblem{Field: field,
		Message:    text.T(ctx, "prune.wrong", "Field", string(field), "Message", text.ErrorText(ctx, e.Text())),
		Suggestion: text.ErrorText(ctx, e.Advice())}
}

// wrong reports whether a field is the one that is wrong.
func (f PruneForm) wrong(field address.PruneField) bool {
	return f.Problem != nil && f.Problem.Field == field
}

// PruneSummary is what a prune would come to, in short.
type PruneSummary struct {
	Images int
	Freed  int64
	Layers int
	Stays  int // blobs that others still need
	Kept   int // things that the rules keep
	Used   int // digests that were used since
	Untags int
}

// SummaryOf sums a plan up.
func SummaryOf(p shelf.RemovalPlan) PruneSummary {
	return PruneSummary{Images: p.Totals.Images, Freed: p.Totals.Freed, Layers: p.Totals.Layers, Stays: p.Totals.Stays,
		Kept: p.Totals.Refused, Used: p.Totals.Used, Untags: p.Totals.Untagged}
}

// nothing reports whether there is nothing to prune.
func (s PruneSummary) nothing() bool { return s.Images == 0 && s.Untags == 0 }

// text is the first line: "3 images, 210 MB".
func (s PruneSummary) text(ctx context.Context) string {
	if s.nothing() {
		return text.T(ctx, "prune.nothing")
	}
	return text.T(ctx, "prune.summary", "Size", text.HumanSize(s.Freed), text.Count, s.Images)
}

// detail is the second line: "5 layers deleted · 2 parts stay for others".
func (s PruneSummary) detail(ctx context.Context) string {
	var parts []string
	if s.Layers > 0 {
		parts = append(parts, text.T(ctx, "prune.layers", text.Count, s.Layers))
	}
	if s.Stays > 0 {
		parts = append(parts, text.T(ctx, "prune.stays", text.Count, s.Stays))
	}
	if s.Kept > 0 {
		parts = append(parts, text.T(ctx, "prune.kept", text.Count, s.Kept))
	}
	if s.Used > 0 {
		parts = append(parts, text.T(ctx, "downloads.prune_used", text.Count, s.Used))
	}
	return strings.Join(parts, " · ")
}

// PruneView is the page that shows what a prune will do, before anything is done.
type PruneView struct {
	Form    PruneForm
	Plan    *shelf.RemovalPlan // nil where a filter is wrong
	At      string             // when a duration in until counts from, for the form that confirms
	Changed bool               // an older plan was confirmed, and the shelf has changed since
}

// PruneTitle is the title of the page.
func PruneTitle(ctx context.Context) string { return text.T(ctx, "prune.title") }

// PrunedText words what a plan that was carried out came to. What can be undone is still on the disk.
func PrunedText(ctx context.Context, plan shelf.RemovalPlan, undoable bool) string {
	size := text.HumanSize(plan.Totals.Freed)
	switch {
	case plan.Totals.Images == 0:
		return text.T(ctx, "prune.done_untagged", text.Count, plan.Totals.Untagged)
	case undoable:
		return text.T(ctx, "prune.done_waiting", "Size", size, text.Count, plan.Totals.Images)
	}
	return text.T(ctx, "prune.done", "Size", size, text.Count, plan.Totals.Images)
}

// empty reports whether the plan does nothing.
func (v PruneView) empty() bool { return v.Plan.Totals.Untagged == 0 && v.Plan.Totals.Images == 0 }

// emptyText says why there is nothing to prune.
func (v PruneView) emptyText(ctx context.Context) string {
	a := v.Form.Asked
	switch {
	case v.Plan.Totals.Refused+v.Plan.Totals.Used > 0:
		return text.T(ctx, "prune.empty_kept")
	case a.Filtered():
		return text.T(ctx, "prune.empty_filtered")
	case a.All:
		return text.T(ctx, "prune.empty_shelf")
	}
	return text.T(ctx, "prune.empty_dangling")
}
