// Package updates has the page of tags that moved at their registries.
package updates

import (
	"context"
	"unicode"
	"unicode/utf8"

	checks "github.com/stowage/stowage/pull/updates"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/marks"
	"github.com/stowage/stowage/views/text"
)

// UpdatesView is the page of updates.
type UpdatesView struct {
	Checks checks.Status
	Counts map[shelf.UpdateState]int // stored tags
	Groups []UpdateGroup             // of what somebody may want to act on
}

// UpdateGroup are the tags in one state.
type UpdateGroup struct {
	State shelf.UpdateState
	Tags  []marks.TagUpdate // the first ones by name
	Total int
}

// capital returns a badge's words as a heading.
func capital(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}

// checkTitle words what a run is about.
func checkTitle(ctx context.Context, r checks.Sweep) string {
	if r.Of != "" {
		return text.T(ctx, "updates.run_of", "Name", r.Of.Familiar())
	}
	return text.T(ctx, "updates.run_all")
}

// checkBy words who asked for a run.
func checkBy(ctx context.Context, r checks.Sweep) string {
	if r.By.Name == "" {
		return text.T(ctx, "updates.by_schedule")
	}
	return text.T(ctx, "updates.by", "Name", text.Visible(r.By.Name))
}

// checkFound words what a run has found.
func checkFound(ctx context.Context, r checks.Sweep) string {
	found := text.T(ctx, "updates.found", "Current", r.Current, "Available", r.Available, "Gone", r.Gone,
		"Unknown", r.Unknown)
	if r.Skipped > 0 {
		found += text.T(ctx, "updates.skipped", text.Count, r.Skipped)
	}
	return found
}
