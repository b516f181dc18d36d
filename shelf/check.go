package shelf

import (
	"time"

	"github.com/stowage/stowage/image"
)

// How a registry was asked where a tag points.
const (
	AskedByHead = "HEAD"
	AskedByPull = "pull"
)

// TagCheck is what is known of a stored tag at its registry.
type TagCheck struct {
	Reference image.Reference
	State     UpdateState  // UpdateUnchecked where nobody asked
	Here      image.Digest // what the tag points to on the shelf
	Upstream  image.Digest // and at the registry; empty where it did not say
	Method    string       // AskedByHead or AskedByPull
	At        time.Time
	Problem   image.Text // why the state is unknown
	Advice    image.Text // what can be done about it; may be empty
}

// UpdateState is what the registry last said of a tag.
type UpdateState string

// The states. UpdateUnchecked is also that of a digest without a tag, which never changes.
const (
	UpdateUnchecked UpdateState = ""          // nobody asked
	UpdateCurrent   UpdateState = "current"   // the registry has the same digest
	UpdateAvailable UpdateState = "available" // it has another one
	UpdateGone      UpdateState = "gone"      // it no longer has the tag
	UpdateUnknown   UpdateState = "unknown"   // it could not be asked
)

// Answer is what a registry said of a tag.
type Answer string

// The answers.
const (
	AnswerDigest  Answer = "digest"  // where the tag points
	AnswerGone    Answer = "gone"    // it has no such tag any more
	AnswerUnknown Answer = "unknown" // it could not be asked, or did not say
)

// Checked is what a check of one tag came to.
type Checked struct {
	Reference image.Reference // a tag
	Answer    Answer
	Upstream  image.Digest // where Answer is AnswerDigest
	At        time.Time    // when it was asked
	Problem   image.Text   // why the answer is unknown
	Advice    image.Text   // what can be done about it; may be empty
}
