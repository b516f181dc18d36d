package views

import (
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// PullFormView is the pull form: the reference box, and below it either what the reference points to, or why
// that cannot be told, or both.
type PullFormView struct {
	Input   string        // what the person typed, kept as it was
	Problem *ui.ErrorView // what is wrong with it; nil if nothing
	Found   *PullFound    // what it points to; nil if not known
	Running []int64       // the pulls of the same reference that are under way
	Foreign bool          // nothing was asked of the registry, because the request came from another site

	Repository image.Repository // of what was typed; empty where that cannot be read
}

// empty tells whether nothing was asked for yet.
func (v PullFormView) empty() bool { return v.Problem == nil && v.Found == nil && !v.Foreign }

// PullFound is what a reference points to, and what pulling it costs. Sizes are compressed bytes.
type PullFound struct {
	Ref          image.Reference
	Digest       image.Digest // of the index or the manifest
	Index        bool         // it is an index, not a single image
	Stored       image.Digest // what the shelf holds under Ref; empty if nothing
	StoredURL    string       // its page
	Attestations int
	Others       int         // entries that are neither images nor attestations
	Offers       []PullOffer // those in view: all, or a page of very many with what is ticked first
	All          int         // how many there are
	Most         int         // how many can be pulled at once
	HasDefault   bool        // the default platform is one of all
	Find         string      // the text that those in view are filtered by
	Matches      int         // how many of all match it
	Page, Pages  int
	Default      string // the platform that is pulled when nobody chooses
	Ticked       int    // how many offers are ticked
	Fetch        int64  // bytes to download for those, a shared layer counted once
	Free         int64  // bytes that there is room for on the data folder's volume; negative while unknown
	Allowance    *AllowanceView
}

// moved tells whether the shelf holds another digest under the reference than the registry does now.
func (f PullFound) moved() bool { return f.Stored != "" && f.Stored != f.Digest }

// crowded tells whether what is ticked would not fit on the disk.
func (f PullFound) crowded() bool { return f.Free >= 0 && f.Fetch > f.Free }

// noDefault tells whether the platform that is pulled when nobody chooses is not there.
func (f PullFound) noDefault() bool {
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

// all gives the number of platforms, in view or not.
func (f PullFound) all() int { return max(f.All, len(f.Offers)) }

// partly tells whether there are so many platforms that only some are in view.
func (f PullFound) partly() bool { return f.all() > len(f.Offers) }

// onlyNames tells whether pulling an offer brings nothing but the reference: its layers are here under another.
func (f PullFound) onlyNames(o PullOffer) bool {
	return f.Stored == "" && o.Priced && o.Fetch == 0 && o.Here > 0
}

// needsTick tells whether there is something to tick, so that the button may wait for it.
func (f PullFound) needsTick() bool {
	for _, o := range f.Offers {
		if o.Obstacle == ObstacleNone {
			return true
		}
	}
	return false
}

// PullOffer is one platform of the form.
type PullOffer struct {
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

// pullCommand gives the docker command that pulls a reference for a platform; an empty one leaves the choice
// to docker.
func pullCommand(ref image.Reference, platform string) string {
	words := []string{"docker", "pull"}
	if platform != "" {
		words = append(words, "--platform", platform)
	}
	return ShellWords(append(words, ref.Familiar()))
}

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
