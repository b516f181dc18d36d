package views

import (
	"context"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// UpdatesView is the page of updates.
type UpdatesView struct {
	Checks pull.CheckState
	Counts map[shelf.UpdateState]int // stored tags
	Groups []UpdateGroup             // of what somebody may want to act on
}

// UpdateGroup are the tags in one state.
type UpdateGroup struct {
	State shelf.UpdateState
	Tags  []TagUpdate // the first ones by name
	Total int
}

// TagUpdate is how a stored tag stands to its registry's.
type TagUpdate struct {
	shelf.TagCheck
	PullURL    string
	Stale      image.Text // why clients are served what is stored though it may be stale; empty where they are not
	StaleSince time.Time  // when the registry was asked last
}

// updateWords are the colour and the words of each state.
var updateWords = map[shelf.UpdateState]struct {
	kind ui.Kind
	word text.MessageID
}{
	shelf.UpdateUnchecked: {ui.KindNeutral, "updates.never"},
	shelf.UpdateCurrent:   {ui.KindSuccess, "updates.current"},
	shelf.UpdateAvailable: {ui.KindAccent, "updates.available"},
	shelf.UpdateGone:      {ui.KindError, "updates.gone"},
	shelf.UpdateUnknown:   {ui.KindWarning, "updates.unknown"},
}

// asked words how and when a registry was asked.
func (u TagUpdate) asked(ctx context.Context) string {
	age := text.AgeInSentence(ctx, u.At)
	if u.Method == shelf.AskedByPull {
		return text.T(ctx, "updates.asked_pull", "Host", u.Reference.Repository.Host(), "Age", age)
	}
	return text.T(ctx, "updates.asked_head", "Host", u.Reference.Repository.Host(), "Age", age)
}

// meaning explains a state in a sentence.
func (u TagUpdate) meaning(ctx context.Context) string {
	switch u.State {
	case shelf.UpdateCurrent:
		return text.T(ctx, "updates.current_text")
	case shelf.UpdateAvailable:
		return text.T(ctx, "updates.available_text")
	case shelf.UpdateGone:
		return text.T(ctx, "updates.gone_text")
	case shelf.UpdateUnknown:
		return text.ErrorText(ctx, u.Problem)
	}
	return text.T(ctx, "updates.never_text")
}

// capital gives a badge's words as a heading.
func capital(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}

// checkTitle words what a run is about.
func checkTitle(ctx context.Context, r pull.CheckRun) string {
	if r.Of != "" {
		return text.T(ctx, "updates.run_of", "Name", r.Of.Familiar())
	}
	return text.T(ctx, "updates.run_all")
}

// checkBy words who asked for a run.
func checkBy(ctx context.Context, r pull.CheckRun) string {
	if r.By == "" {
		return text.T(ctx, "updates.by_schedule")
	}
	return text.T(ctx, "updates.by", "Name", text.Visible(r.By))
}

// checkFound words what a run has found.
func checkFound(ctx context.Context, r pull.CheckRun) string {
	found := text.T(ctx, "updates.found", "Current", r.Current, "Available", r.Available, "Gone", r.Gone, "Unknown", r.Unknown)
	if r.Skipped > 0 {
		found += text.T(ctx, "updates.skipped", text.Count, r.Skipped)
	}
	return found
}
