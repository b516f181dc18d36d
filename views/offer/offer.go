// Package offer shows what a registry offers under a reference, a platform a row: the form to pull and the search have
// that.
package offer

import (
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// Found is what a reference points to, and what pulling it costs. Sizes are compressed bytes.
type Found struct {
	Ref          image.Reference
	Digest       image.Digest // of the index or the manifest
	Index        bool         // it is an index, not a single image
	Stored       image.Digest // what the shelf holds under Ref; empty if nothing
	StoredURL    string       // its page
	Attestations int
	Others       int     // entries that are neither images nor attestations
	Offers       []Offer // those in view: all, or a page of very many with what is ticked first
	Window       Window  // where there are too many for one view
	All          int     // how many there are
	Most         int     // how many can be pulled at once
	Default      string  // the platform that is pulled when nobody chooses
	HasDefault   bool    // it is one of all
	Cost         Cost
	Allowance    *Allowance
}

// Window is which of very many offers are in view.
type Window struct {
	Find        string // the text that they are filtered by
	Matches     int    // how many of all match it
	Page, Pages int
}

// Cost is what pulling what is ticked costs.
type Cost struct {
	Ticked int   // how many offers are ticked
	Fetch  int64 // bytes to download for those, a shared layer counted once
	Free   int64 // bytes that there is room for on the data folder's volume; negative while unknown
}

// Crowded reports whether it would not fit on the disk.
func (c Cost) Crowded() bool { return c.Free >= 0 && c.Fetch > c.Free }

// Moved reports whether the shelf holds another digest under the reference than the registry does now.
func (f Found) Moved() bool { return f.Stored != "" && f.Stored != f.Digest }

// NoDefault reports whether the platform that is pulled when nobody chooses is not there.
func (f Found) NoDefault() bool {
	if f.HasDefault {
		return false
	}
	for _, o := range f.Offers {
		if o.Default {
			return false
		}
	}
	return len(f.Offers) > 0
}

// Count returns the number of platforms, in view or not.
func (f Found) Count() int { return max(f.All, len(f.Offers)) }

// Partly reports whether there are so many platforms that only some are in view.
func (f Found) Partly() bool { return f.Count() > len(f.Offers) }

// onlyNames reports whether pulling an offer brings nothing but the reference: its layers are here under another.
func (f Found) onlyNames(o Offer) bool {
	return f.Stored == "" && o.Priced && o.Fetch == 0 && o.Here > 0
}

// NeedsTick reports whether there is something to tick, so that the button may wait for it.
func (f Found) NeedsTick() bool {
	for _, o := range f.Offers {
		if o.Obstacle == ObstacleNone {
			return true
		}
	}
	return false
}

// Offer is one platform of the form.
type Offer struct {
	Platform string // hostile text; empty where nobody says which it is
	Value    string // what the tick box sends; empty where the platform cannot be asked for
	Obstacle Obstacle
	Ticked   bool
	Default  bool   // pulled when nobody chooses
	Stored   bool   // under this reference
	URL      string // the stored image's page
	Priced   bool   // the sizes are known
	Size     int64
	Here     int64
	Fetch    int64
	Blobs    string // what is to be fetched, for data-pick
	Problem  string // why the sizes are not known; hostile text
}

// Obstacle says why a platform cannot be ticked.
type Obstacle string

// The obstacles. With ObstacleUnnamed alone in the form, a pull for no platform in particular takes it.
const (
	ObstacleNone     Obstacle = ""
	ObstacleUnnamed  Obstacle = "unnamed"  // nobody says which platform it is for
	ObstacleRepeated Obstacle = "repeated" // an entry before it has the same platform, and is the one that is pulled
	ObstacleInvalid  Obstacle = "invalid"  // its name is not that of a platform
	ObstacleRefused  Obstacle = "refused"  // its entry or its manifest is of no use; Problem says why
)

// obstacleTexts words the obstacles.
var obstacleTexts = map[Obstacle]text.MessageID{
	ObstacleUnnamed:  "pullform.obstacle_unnamed",
	ObstacleRepeated: "pullform.obstacle_repeated",
	ObstacleInvalid:  "pullform.obstacle_invalid",
	ObstacleRefused:  "pullform.obstacle_refused",
}

// Command returns the docker command that pulls a reference for a platform; an empty one leaves the choice
// to docker.
func Command(ref image.Reference, platform string) string {
	words := []string{"docker", "pull"}
	if platform != "" {
		words = append(words, "--platform", platform)
	}
	return ui.ShellWords(append(words, ref.Familiar()))
}
