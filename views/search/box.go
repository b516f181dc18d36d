package search

import (
	"context"
	"strings"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// BoxView is what the box in the header offers for a text.
type BoxView struct {
	Lead    BoxLead
	Stored  []BoxImage
	Matches int    // stored images that match, in all
	Filter  string // chooses them on the Images page
	Words   string // what registries are searched for; empty: it is not for them
	Ask     bool   // the registries' part loads by itself
	Problem string // what is wrong with the text, in the reader's language
}

// BoxLead is where the text itself leads to. The zero value is for words.
type BoxLead struct {
	URL  string
	Icon ui.IconName
	Ref  image.Reference // what the text names; zero: Text
	Text string          // an image ID or a digest
	Note string
}

// BoxImage is a stored image: a tag, or a digest that has none.
type BoxImage struct {
	Ref       image.Reference
	Untagged  bool
	Platforms []image.Platform
	Created   time.Time
}

// BoxHits is what registries have for words.
type BoxHits struct {
	Hits   []BoxHit
	Silent []string // the names of registries that did not answer, or failed
}

// BoxHit is a repository of a registry.
type BoxHit struct {
	Repository image.Repository
	URL        string // its tags on the Search page
	Official   bool
	Stored     int   // its tags on the shelf
	Stars      int64 // negative where the registry does not say
}

// maxBoxBadges is how many platforms a row of the box names.
const maxBoxBadges = 3

// badges divides the platforms of a row into those that are named and the number of those that are not.
func (i BoxImage) badges() (named []image.Platform, more int) {
	if len(i.Platforms) <= maxBoxBadges {
		return i.Platforms, 0
	}
	return i.Platforms[:maxBoxBadges-1], len(i.Platforms) - maxBoxBadges + 1
}

// empty reports whether there is nothing to offer at all.
func (v BoxView) empty() bool {
	return v.Lead.URL == "" && len(v.Stored) == 0 && v.Words == "" && v.Problem == ""
}

// boxURL returns the address of the registries' part.
func boxURL(words string) string { return address.Box{Text: words, Registries: true}.String() }

// filterURL returns the address of all stored images that match.
func (v BoxView) filterURL() string {
	return address.List{Path: address.ImagesPath, Text: v.Filter}.String()
}

// heard is what assistive technology says of the list when it comes. The rest is read with its options.
func (v BoxView) heard(ctx context.Context) string {
	if v.Problem != "" {
		return v.Problem
	}
	return text.T(ctx, "box.heard_stored", text.Count, v.Matches)
}

func (v BoxHits) heard(ctx context.Context) string {
	heard := text.T(ctx, "box.heard_hits", text.Count, len(v.Hits))
	if len(v.Silent) > 0 {
		heard += " " + v.silence(ctx)
	}
	return heard
}

// silence names the registries that did not answer.
func (v BoxHits) silence(ctx context.Context) string {
	return text.T(ctx, "box.silent", "Names", text.Visible(strings.Join(v.Silent, ", ")))
}

// brief shortens a typed text for a line.
func brief(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return text.Visible(s)
}
