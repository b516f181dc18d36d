package pull

import (
	"time"

	"github.com/stowage/stowage/image"
)

// Survey is what pulling all tags of a repository would cost, as far as it is known. Sizes are compressed
// bytes; a layer that several tags share is counted once.
type Survey struct {
	Repository image.Repository
	Match      string           // only tags whose names contain this
	Platforms  []image.Platform // asked for; empty: the default one
	Tags       int              // how many there are
	Asked      int              // how many of them are known already
	Digests    int              // how many different ones they point to
	Lacking    int              // tags that have none of the platforms
	Unread     int              // tags that could not be read; Problem has the first reason
	Size       int64            // of all layers
	Here       int64            // of those that are stored
	Fetch      int64            // of those to download
	Offered    []image.Platform // every platform that some tag has
	Problem    *Problem
	Done       bool // nothing more will change
	At         time.Time
}

// Survey gives what is known of a repository's tags and what they would cost, and goes on finding out in the
// background while somebody keeps asking. Errors are image.Errors: that there are no tags to be listed, say.
func (q *Queue) Survey(repo image.Repository, match string, platforms []image.Platform) (Survey, error) {
	return Survey{}, image.Errorf(image.Unavailable, "not yet")
}
