package marks

import (
	"context"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// TagUpdate is how a stored tag stands to its registry's.
type TagUpdate struct {
	shelf.TagCheck
	PullURL    string
	Stale      image.Text // why clients are served what is stored though it may be stale; empty where they are not
	StaleSince time.Time  // when the registry was asked last
}

// UpdateWords are the colour and the words of each state.
var UpdateWords = map[shelf.UpdateState]struct {
	kind ui.Kind
	Word text.MessageID
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

// Meaning explains a state in a sentence.
func (u TagUpdate) Meaning(ctx context.Context) string {
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
