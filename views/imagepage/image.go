// Package imagepage has the page of an image with its sections, and the page of a layer.
package imagepage

import (
	"context"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/marks"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// ImageView is the head of an image's page: what its address names, the platforms of it, and the key figures
// of the platform shown.
type ImageView struct {
	Title     string // of the window
	Crumbs    []ui.Crumb
	Tabs      []ui.Tab
	Of        Named
	Ways      Ways
	Pins      PinView
	Update    *marks.TagUpdate // only of a tag
	Downloads DownloadsView

	Platforms    []PlatformChoice
	PlatformsURL string // the page without a platform
	Shown        ImageFigures
	Flaws        Flaws
	Beside       Beside
	Missing      *MissingPlatform // set where the platform asked for is not stored; then there are no sections
}

// Named is what the address of a page names.
type Named struct {
	Ref       image.Reference // zero where it is an ID
	Digest    image.Digest    // what Ref points to; or the ID
	Reason    shelf.Reason    // why it is stored; empty where it is an ID
	Permanent string          // for a tag: the address of its digest
	Names     []ui.Link       // for a digest: the tags on it; for an ID: the references that lead to it
	MoreNames int             // how many more there are
	Twins     []ui.Link       // for an ID: the other manifests with the same config
}

// Ways are what can be done from the page of an image.
type Ways struct {
	PullURL     string // empty where nothing names it
	DownloadURL string // empty where nothing is stored
	Deletions   []ui.Link
}

// Flaws are what is wrong with the platform shown.
type Flaws struct {
	Broken  image.Text     // why it cannot be used; hostile text
	Damaged []image.Digest // its parts that are damaged on the disk

	// what the index and what the config calls it, where the two disagree
	Listed, Config image.Platform
}

// Beside is what an index lists beside images.
type Beside struct {
	Attestations int       // of all platforms
	Attested     *Attested // about the platform shown; nil where there is nothing
	Others       int       // neither images nor attestations
	URL          string    // where they are listed
}

// PlatformChoice is one platform of the switch.
type PlatformChoice struct {
	Name     string // empty where the index does not say
	URL      string // the page for it, or the pull form where it is not stored
	Stored   bool
	Current  bool
	Broken   bool
	Size     int64 // compressed bytes
	Unpacked int64 // negative while unknown
}

// maxChoices is how many platforms the switch shows before it folds the rest away.
const maxChoices = 8

// maxFolded is how many platforms the switch folds away. Of the rest somebody has to type the name.
const maxFolded = 48

// foldChoices divides the switch: stored platforms first, the current one always among those in view.
func foldChoices(all []PlatformChoice) (shown, folded []PlatformChoice) {
	for _, stored := range []bool{true, false} {
		for _, c := range all {
			if c.Stored == stored {
				shown = append(shown, c)
			}
		}
	}
	if len(shown) <= maxChoices {
		return shown, nil
	}
	const last = maxChoices - 2 // one more place is the button's
	for i, c := range shown {
		if c.Current && i > last {
			copy(shown[last+1:i+1], shown[last:i])
			shown[last] = c
		}
	}
	return shown[:last+1], shown[last+1:]
}

// ImageFigures are the key figures of one platform's image.
type ImageFigures struct {
	ID           image.Digest
	Size         int64
	Unpacked     int64 // negative while unknown
	Layers       int
	SharedLayers int // used by other images too
	Created      time.Time
	Pulled       time.Time
	By           string // empty where nobody is known
	From         string // the registry's host; empty on an ID's page
	Uploaded     bool   // an archive that somebody sent set the tag, and no registry
}

// MissingPlatform is a platform of the index that is not stored.
type MissingPlatform struct {
	Name    string
	PullURL string
	Command string
}

// DownloadsView is how often an image was handed out, for its page.
type DownloadsView struct {
	shelf.Download
	Since    time.Time       // it is counted since then
	Platform *shelf.Download // the platform shown by itself; nil where that is not counted apart
}

// note says when last, or since when it is counted.
func (v DownloadsView) note(ctx context.Context) string {
	if v.Last.IsZero() {
		return text.T(ctx, "downloads.never", "Date", v.Since.UTC().Format(time.DateOnly))
	}
	return text.T(ctx, "downloads.last", "Ago", text.AgeInSentence(ctx, v.Last))
}

// PinView is what the page of an image says of its pins.
type PinView struct {
	Pins    []shelf.Pin
	Choices []image.Reference // what can be pinned: the page's own reference, or the names of an ID
	ByID    bool              // the page is of an image ID
	Back    string            // the page that the forms lead back to
}

// note is the note to change, where there is one pin.
func (v PinView) note() string {
	if len(v.Pins) == 1 && !v.ByID {
		return v.Pins[0].Note
	}
	return ""
}

// pinned reports whether the page's own reference is pinned, so that the form changes the note.
func (v PinView) pinned() bool { return !v.ByID && len(v.Pins) > 0 }
