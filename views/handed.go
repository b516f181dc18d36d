package views

import (
	"context"
	"time"

	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// HandedView is how often an image was handed out, for its page.
type HandedView struct {
	shelf.Download
	Since    time.Time       // it is counted since then
	Platform *shelf.Download // the platform shown by itself; nil where that is not counted apart
}

// downloadTitle words it in full.
func downloadTitle(ctx context.Context, d shelf.Download) string {
	if d.Last.IsZero() {
		return text.T(ctx, "handed.never_title")
	}
	return text.T(ctx, "handed.title", text.Count, d.Count, "Time", text.AbsoluteTime(d.Last))
}

// note says when last, or since when it is counted.
func (v HandedView) note(ctx context.Context) string {
	if v.Last.IsZero() {
		return text.T(ctx, "handed.never", "Date", v.Since.UTC().Format(time.DateOnly))
	}
	return text.T(ctx, "handed.last", "Ago", text.AgeInSentence(ctx, v.Last))
}

// planUsed are the lines for what a prune of what is unused leaves, and why.
func planUsed(ctx context.Context, p shelf.RemovalPlan) []ui.PlanLine {
	var lines []ui.PlanLine
	for _, u := range p.Used {
		lines = append(lines, ui.PlanLine{Kind: ui.PlanKeep, What: planReference(u.Reference), Why: useWords(u), Size: -1})
	}
	return ui.WithMore(ctx, lines, ui.PlanKeep, p.Totals.Used)
}

// useText says how something was used, and when last.
func useText(ctx context.Context, u shelf.PlanUse) string {
	ago := text.AgeInSentence(ctx, u.At)
	switch u.How {
	case shelf.UseHandedOut:
		return text.T(ctx, "handed.use_handed", "Ago", ago)
	case shelf.UsePulled:
		return text.T(ctx, "handed.use_pulled", "Ago", ago)
	case shelf.UseUncounted:
	}
	return text.T(ctx, "handed.use_uncounted", "Ago", ago)
}
