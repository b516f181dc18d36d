package cleanup

import (
	"context"

	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/marks"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// planUsed are the lines for what a prune of what is unused leaves, and why.
func planUsed(ctx context.Context, p shelf.RemovalPlan) []ui.PlanLine {
	var lines []ui.PlanLine
	for _, u := range p.Used {
		lines = append(lines, ui.PlanLine{Kind: ui.PlanKeep, What: marks.ReferenceLink(u.Reference), Why: useWords(u),
			Size: -1})
	}
	return ui.WithMore(ctx, lines, ui.PlanKeep, p.Totals.Used)
}

// useText says how something was used, and when last.
func useText(ctx context.Context, u shelf.PlanUse) string {
	ago := text.AgeInSentence(ctx, u.At)
	switch u.How {
	case shelf.UseDownloaded:
		return text.T(ctx, "downloads.use_handed", "Ago", ago)
	case shelf.UsePulled:
		return text.T(ctx, "downloads.use_pulled", "Ago", ago)
	case shelf.UseUncounted:
	}
	return text.T(ctx, "downloads.use_uncounted", "Ago", ago)
}
