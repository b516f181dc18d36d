package shelf

import (
	"time"

	"github.com/stowage/stowage/image"
)

// The events of a tag's history.
const (
	TagPulled   = "pulled"   // first seen
	TagMoved    = "moved"    // a pull found it on another digest
	TagDeleted  = "deleted"  // somebody deleted it here
	TagRestored = "restored" // somebody undid its deletion
)

// TagEvent is one entry of a tag's history: what it pointed to before and after, when, and by whom.
type TagEvent struct {
	ID         int64 // rises with time
	Repository image.Repository
	Tag        string
	Event      string
	Old, New   image.Digest // empty where there is none
	OldStored  bool         // whether the repository still knows the digest
	NewStored  bool
	At         time.Time
	By         string
	PullID     int64 // 0 where no pull did it
	Uploaded   bool  // an archive that somebody sent did it; PullID is the upload's
}

// MaxHistory is how many events are given at once.
const MaxHistory = 500
