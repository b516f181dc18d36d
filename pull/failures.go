package pull

import (
	"github.com/stowage/stowage/image"
)

const (
	maxMoves    = 3 // times that a pull begins again because its tag moved under it
	unreachable = 5 // tags in a row that a registry does not answer for: then it is down
)

func keptMoving(ref image.Reference) error {
	return image.Errorf(image.Unavailable, "%s kept moving while it was pulled", ref.Familiar()).Suggest("Pull it again.")
}

// hitsAll reports whether an error would hit each other tag too.
func hitsAll(err error) bool {
	switch image.KindOf(err) {
	case image.RateLimited, image.Unauthorized, image.DiskFull, image.ReadOnly, image.Damaged, image.Cancelled:
		return true
	case image.Forbidden:
		return !image.Lasts(err) // a registry refuses one tag for what is in it: a policy, a quarantine
	}
	return false
}
