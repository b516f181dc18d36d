package search

import (
	"context"
	"slices"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/offer"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// PickerView is the picked repository beside the results of a search: its tags and, below them, the platforms
// of the picked tag.
type PickerView struct {
	State     address.Search
	Host      string // what the registry is called: "Docker Hub"
	Shelf     string // address of the repository's page on the shelf; empty where nothing of it is stored
	Foreign   bool   // the request came from another site, so nothing was asked of the registry
	Onward    string // where a digest in the filter leads: the pull form for it; empty where there is none
	Tags      PickerTags
	Offers    PickerOffers
	Allowance *offer.Allowance
}

// PickerTags is one page of a repository's tags, newest version first.
type PickerTags struct {
	Waiting bool          // the registry has not answered yet: the list is loaded by itself
	Problem *ui.ErrorView // why there is no list; nil if there is one
	Kind    image.Kind    // of Problem
	All     int           // tags of the repository
	Matches int           // of those, the ones that the filter chooses
	Latest  bool          // one of them is latest, which docker takes where no tag is given
	Page    int           // from 1
	Pages   int           // at least 1
	Rows    []PickerTag   // of the page
	Typed   string        // the filter where it can be a tag, to be looked up by itself; else empty
}

// PickerTag is a tag of the list.
type PickerTag struct {
	Name     string
	Stored   bool
	Moved    bool      // what is stored under it is not what the registry has now
	Updated  time.Time // zero where the service does not say
	Size     int64     // compressed bytes; negative where the service does not say
	Platform string    // that Size is of; empty where the service does not say
}

// PickerOffers is what the picked tag points to. It is empty where no tag is picked.
type PickerOffers struct {
	Waiting bool          // the registry has not answered yet: the platforms are loaded by themselves
	Problem *ui.ErrorView // why they are not known; nil if they are
	Kind    image.Kind    // of Problem
	Found   *offer.Found
	Running []int64 // the pulls of the tag that are under way
	Before  string  // the tag that was picked before, whose mark goes; empty where there is none
}

// ref is what is picked: the tag, or the repository.
func (v PickerView) ref() image.Reference {
	return image.Reference{Repository: v.State.Repo, Tag: v.State.Tag}
}

// heading words the problem of a list of tags.
func (t PickerTags) heading(ctx context.Context, host string) string {
	switch t.Kind {
	case image.NotFound:
		return text.T(ctx, "picker.unknown")
	case image.Unauthorized:
		return text.T(ctx, "picker.sign_in")
	case image.RateLimited:
		return text.T(ctx, "picker.limited", "Host", host)
	case image.Unavailable:
		return text.T(ctx, "picker.unreachable", "Host", host)
	}
	return t.Problem.Title
}

// count says how many tags there are, and how many of them the filter chooses.
func (t PickerTags) count(ctx context.Context) string {
	if t.Matches == t.All {
		return text.T(ctx, "picker.count", text.Count, t.All)
	}
	return text.T(ctx, "picker.count_of", "Matches", t.Matches, text.Count, t.All)
}

// sizeTitle says what a tag's size is of.
func (t PickerTag) sizeTitle(ctx context.Context) string {
	if t.Platform == "" {
		return text.ExactBytes(ctx, t.Size)
	}
	return text.Visible(t.Platform) + " · " + text.ExactBytes(ctx, t.Size)
}

// markID is the ID of the mark of a tag in the list. It is made of the tag's digest, since a tag has
// characters that a selector reads in another way.
func markID(tag string) string { return "mark-" + image.ShortDigest(image.DigestOf([]byte(tag))) }

// tone returns the colour of the problem: what passes by itself is no error.
func (t PickerTags) tone() ui.Kind {
	if t.Kind == image.RateLimited || t.Kind == image.Unavailable {
		return ui.KindWarning
	}
	return ui.KindError
}

// detailed reports whether the service says anything of the tags in view beyond their names.
func (t PickerTags) detailed() bool {
	return slices.ContainsFunc(t.Rows, func(t PickerTag) bool { return t.Size >= 0 || !t.Updated.IsZero() })
}

// unfiltered returns the state that shows all tags.
func (v PickerView) unfiltered() address.Search {
	s := v.State
	s.Match, s.TagPage = "", 0
	return s
}

// hidden are the fields of the address before and after the filter of the tags, for its form.
func (v PickerView) hidden() (before, after []field) {
	s := v.State
	add := func(list []field, name, value string) []field {
		if value == "" {
			return list
		}
		return append(list, field{name, value})
	}
	before = add(before, "q", s.Query)
	before = add(before, "registry", s.Registry)
	if s.Official {
		before = add(before, "official", "1")
	}
	if s.Stars > 0 {
		before = add(before, "stars", ui.Itoa(int64(s.Stars)))
	}
	before = add(before, "sort", s.Sort)
	if s.Limit > 0 {
		before = add(before, "limit", ui.Itoa(int64(s.Limit)))
	}
	if s.Page > 1 {
		before = add(before, "page", ui.Itoa(int64(s.Page)))
	}
	before = add(before, "repo", s.Repo.Familiar())
	return before, add(after, "tag", s.Tag)
}

// field is a hidden field of a form.
type field struct{ name, value string }

// hinted reports whether there are tags in view, and none is picked.
func (v PickerView) hinted() bool { return v.State.Tag == "" && v.Tags.Matches > 0 }

// noOffers reports whether there is nothing below the tags.
func (v PickerView) noOffers() bool {
	return (v.State.Tag == "" && !v.hinted() || v.unknown()) && v.Allowance == nil
}

// unknown reports whether the registry does not know the repository, and so not the picked tag either.
func (v PickerView) unknown() bool {
	return v.Tags.Kind == image.NotFound && v.Offers.Kind == image.NotFound
}

// dockerPull returns the docker command that pulls a repository without a tag.
func (v PickerView) dockerPull() string {
	return offer.Command(image.Reference{Repository: v.State.Repo}, "")
}
