package views

import (
	"context"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// Handed is how often clients were given something, and when last.
type Handed struct {
	Count int64
	Last  time.Time // zero: never
}

// title words it in full.
func (h Handed) title(ctx context.Context) string {
	if h.Last.IsZero() {
		return text.T(ctx, "handed.never_title")
	}
	return text.T(ctx, "handed.title", text.Count, h.Count, "Time", text.AbsoluteTime(h.Last))
}

// HandedView is how often an image was handed out, for its page.
type HandedView struct {
	Handed
	Since    time.Time // it is counted since then
	Platform *Handed   // the platform shown by itself; nil where that is not counted apart
}

// note says when last, or since when it is counted.
func (v HandedView) note(ctx context.Context) string {
	if v.Last.IsZero() {
		return text.T(ctx, "handed.never", "Date", v.Since.UTC().Format(time.DateOnly))
	}
	return text.T(ctx, "handed.last", "Ago", text.AgeInSentence(ctx, v.Last))
}

// planUsed are the lines for what a prune of what is unused leaves, and why.
func planUsed(ctx context.Context, p image.RemovalPlan) []ui.PlanLine {
	var lines []ui.PlanLine
	for _, u := range p.Used {
		lines = append(lines, ui.PlanLine{Kind: ui.PlanKeep, What: planReference(u.Reference), Why: useWords(u), Size: -1})
	}
	return ui.WithMore(ctx, lines, ui.PlanKeep, p.Totals.Used)
}

// useText says how something was used, and when last.
func useText(ctx context.Context, u image.PlanUse) string {
	ago := text.AgeInSentence(ctx, u.At)
	switch u.How {
	case image.UseHandedOut:
		return text.T(ctx, "handed.use_handed", "Ago", ago)
	case image.UsePulled:
		return text.T(ctx, "handed.use_pulled", "Ago", ago)
	case image.UseUncounted:
	}
	return text.T(ctx, "handed.use_uncounted", "Ago", ago)
}
