// Package search has the page that searches registries, its picker of tags, and the box in the header.
package search

import (
	"context"
	"strconv"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// SearchView is the Search page.
type SearchView struct {
	State      address.Search
	Registries []SearchRegistry // the short list; the first is what one gets where there is only one
	Results    SearchResults
	Picked     bool       // a repository is
	Picker     PickerView // where one is picked
}

// SearchRegistry is a registry of the short list.
type SearchRegistry struct {
	Host string
	Name string // for people
}

// SearchResults is what was found: all that changes while somebody types.
type SearchResults struct {
	State  address.Search
	Asked  []SearchRegistry // who is asked for this state
	Others bool             // there are more registries than these
	Limit  int              // results that each of them is asked for
	Held   bool             // nothing was asked, because another site's page made the browser come here
	// the page that the text itself leads to, since it is a reference or an ID; empty: it is words
	Opens   string
	Lead    SearchLead    // what that page is
	Again   int           // how often the page asked again by itself for these results
	Problem *ui.ErrorView // what is wrong with a text that looks like a reference
	Groups  []SearchGroup // a registry each, in the list's order; none where there was nothing to ask
}

// SearchLead is what a text that is no words to search for leads to.
type SearchLead string

// The leads.
const (
	LeadsToImage SearchLead = "image" // what is stored
	LeadsToPull  SearchLead = "pull"  // the pull form
	LeadsToTags  SearchLead = "tags"  // a repository's tags, here
)

// leadTexts says what the text is, and what the button does.
var leadTexts = map[SearchLead]struct{ text, action text.MessageID }{
	LeadsToImage: {"search.leads_image", "search.open_image"},
	LeadsToPull:  {"search.leads_pull", "search.open_pull"},
	LeadsToTags:  {"search.leads_tags", "search.open_tags"},
}

// SearchGroup is what one registry said.
type SearchGroup struct {
	Registry SearchRegistry
	Hits     []SearchHit
	Total    int  // negative where the registry does not say
	More     bool // there is a further page
	Window   int  // how many of its results the filters or the order saw; 0: all
	Partial  bool // only a part of its catalog was searched: Read names
	Reading  bool // the rest of it is on its way
	Read     int
	Kind     image.Kind    // of Problem
	Problem  *ui.ErrorView // why it gave nothing
	Late     bool          // it did not answer yet, and the page asks again
}

// SearchHit is one result. Description is hostile text.
type SearchHit struct {
	Repository  image.Repository
	Description string
	Official    bool
	Verified    bool
	Stars       int64 // negative where the registry does not say
	Pulls       int64 // negative where the registry does not say
	Updated     time.Time
	Stored      int // tags of it on the shelf
}

// SearchFormID is the ID of the form. Its requests and those of the results take each other's place.
const SearchFormID = "search-form"

const (
	searchTarget = "#" + SearchResultsID
	pickerTarget = "#" + SearchPickerID
	// pickerSwap brings the picker into view where it takes the results' place. Beside them its top is not displayed,
	// and nothing moves.
	pickerSwap = "outerHTML show:top showTarget:#search-back"
	pickerSync = pickerTarget + ":replace"
	// searchSync is for links to other results: the newest request wins, whoever made it.
	searchSync = "#" + SearchFormID + ":replace"
)

// searchSorts is the order menu.
var searchSorts = []struct {
	sort  string
	label text.MessageID
}{
	{"", "search.sort_match"},
	{"stars", "search.sort_stars"},
	{"pulls", "search.sort_pulls"},
	{"name", "search.sort_name"},
}

// searchSortLabel returns an order's name.
func searchSortLabel(ctx context.Context, sort string) string {
	for _, s := range searchSorts {
		if s.sort == sort {
			return text.T(ctx, s.label)
		}
	}
	return text.T(ctx, searchSorts[0].label)
}

// searchLimits is what the form offers; the address takes any number from 1 to 100.
var searchLimits = []int{10, 25, 50, 100}

// searchLimitsOf returns the form's choice, with the address's own number where it is another one.
func searchLimitsOf(s address.Search) []int {
	if s.Limit == 0 {
		return searchLimits
	}
	var all []int
	for i, n := range searchLimits {
		if s.Limit < n && (i == 0 || s.Limit > searchLimits[i-1]) {
			all = append(all, s.Limit)
		}
		all = append(all, n)
	}
	return all
}

// leastStars words the least stars for the form.
func leastStars(s address.Search) string {
	if s.Stars == 0 {
		return ""
	}
	return strconv.Itoa(s.Stars)
}

// SearchTitle is the title of the Search page.
func SearchTitle(ctx context.Context, s address.Search) string {
	const longest = 60
	if s.Query == "" && s.Repo != "" {
		return text.T(ctx, "search.title_of", "Query", ui.Shortened(s.Repo.Familiar(), longest))
	}
	if s.Query == "" {
		return text.T(ctx, "search.title")
	}
	return text.T(ctx, "search.title_of", "Query", ui.Shortened(s.Query, longest))
}
