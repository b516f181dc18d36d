package pulls

import (
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/offer"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// PullFormView is the pull form: the reference box, and below it either what the reference points to, or why
// that cannot be told, or both.
type PullFormView struct {
	Input   string        // what the person typed, kept as it was
	Problem *ui.ErrorView // what is wrong with it; nil if nothing
	Found   *offer.Found  // what it points to; nil if not known
	Running []int64       // the pulls of the same reference that are under way
	Foreign bool          // nothing was asked of the registry, because the request came from another site

	Repository image.Repository // of what was typed; empty where that cannot be read
}

// empty reports whether nothing was asked for yet.
func (v PullFormView) empty() bool { return v.Problem == nil && v.Found == nil && !v.Foreign }

// pullExamples are the forms that a reference has. Those without a link are patterns.
var pullExamples = []struct {
	ref     string
	meaning text.MessageID
	link    bool
}{
	{"postgres:15", "pullform.example_tag", true},
	{"ubuntu", "pullform.example_name", true},
	{"ghcr.io/org/app:1.2", "pullform.example_host", false},
	{"postgres@sha256:…", "pullform.example_digest", false},
}
