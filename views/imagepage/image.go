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
	Title   string // of the window
	Crumbs  []ui.Crumb
	Ref     image.Reference // what the address names; zero where it is an ID
	Subject image.Digest    // what Ref points to; or the ID
	Reason  shelf.Reason    // why it is stored; empty where it is an ID
	Broken  image.Text      // why the platform shown cannot be used; hostile text

	// of the platform shown: what the index and what the config calls it, where the two disagree
	Listed, Config image.Platform

	Damaged []image.Digest // its parts that are damaged on the disk

	Permanent string    // for a tag: the address of its digest
	Names     []ui.Link // for a digest: the tags on it; for an ID: the references that lead to it
	MoreNames int       // how many more there are
	Twins     []ui.Link // for an ID: the other manifests with the same config

	PullURL     string // empty where nothing names it
	DownloadURL string // empty where nothing is stored
	Deletions   []ui.Link
	Pins        PinView
	Update      *marks.TagUpdate // only of a tag

	Platforms    []PlatformChoice
	PlatformsURL string    // the page without a platform
	Attestations int       // that the index lists, of all platforms
	Attested     *Attested // about the platform shown; nil where there is nothing
	OtherEntries int       // of the index: neither images nor attestations
	EntriesURL   string    // where they are listed

	Shown     ImageFigures // of the platform shown
	Downloads DownloadsView
	Missing   *MissingPlatform // set where the platform asked for is not stored; then there are no sections
	Tabs      []ui.Tab
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
