package offer

import (
	"context"
	"time"

	"github.com/stowage/stowage/views/text"
)

// Allowance is what a registry said of its rate limit. Nothing in it is guessed.
type Allowance struct {
	Registry  string        // its label: "Docker Hub"
	Limit     int           // manifests in a Window; 0 where it was not said
	Remaining int           // of those
	Window    time.Duration // 0 where it was not said
	At        time.Time     // when it was said
}

// Scarce reports whether little is left: less than a tenth, or nothing.
func (v Allowance) Scarce() bool {
	return v.Remaining <= 0 || v.Limit > 0 && int64(v.Remaining)*10 < int64(v.Limit)
}

// Meaning says when the registry said so, and what counts.
func (v Allowance) Meaning(ctx context.Context) string {
	return text.T(ctx, "allowance.meaning", "Age", text.AgeInSentence(ctx, v.At))
}

// Text words the allowance in one line: "Docker Hub: 87 of 100 manifest requests left (limit per 6 h)".
func (v Allowance) Text(ctx context.Context) string {
	switch name := text.Visible(v.Registry); {
	case v.Limit <= 0:
		return text.T(ctx, "allowance.left", "Registry", name, text.Count, v.Remaining)
	case v.Window <= 0:
		return text.T(ctx, "allowance.left_of", "Registry", name, "Remaining", v.Remaining, text.Count, v.Limit)
	default:
		return text.T(ctx, "allowance.left_of_in", "Registry", name, "Remaining", v.Remaining, text.Count, v.Limit, "Window",
			text.HumanDuration(ctx, v.Window))
	}
}
