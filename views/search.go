package views

import (
	"strconv"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/ui"
)

// SearchState is what the address of the Search page says, in this order:
//
//	q=TEXT          what is searched for
//	registry=HOST   one registry of the list; all of them where it is left out
//	official=1      only official images
//	stars=N         only those with N stars or more
//	sort=ORDER      stars, pulls or name; best match where it is left out
//	limit=N         results on a page, 1 to 100
//	page=N          of the results, from 1
//	repo=NAME       the repository that is picked: its tags stand beside the results
//	match=TEXT      only tags whose names contain this
//	tags=N          the page of the tags, from 1; where it is left out, that of the picked tag
//	tag=TAG         the tag that is picked: its platforms stand below the tags
//
// What is as usual is left out.
type SearchState struct {
	Query    string
	Registry string
	Official bool
	Stars    int
	Sort     string
	Limit    int // 0: the default
	Page     int // 0 and 1: the first

	Repo    image.Repository // empty: none is picked
	Match   string
	TagPage int // 0: that of Tag, or else the first
	Tag     string
}

// The parts of the Search page that htmx swaps by themselves. The handler knows from HX-Target which one is
// wanted.
const (
	SearchResultsID = "search-results" // the results
	SearchPickerID  = "search-picker"  // the picked repository: its tags and, below them, the platforms
	SearchTagsID    = "search-tags"    // the list of its tags
	SearchOffersID  = "search-offers"  // the picked tag's platforms
)

// URL gives the page's address.
func (s SearchState) URL() string {
	var query []string
	add := func(name, value string, said bool) {
		if said {
			query = append(query, name+"="+ui.EscapeQuery(value))
		}
	}
	add("q", s.Query, s.Query != "")
	add("registry", s.Registry, s.Registry != "")
	add("official", "1", s.Official)
	add("stars", strconv.Itoa(s.Stars), s.Stars > 0)
	add("sort", s.Sort, s.Sort != "")
	add("limit", strconv.Itoa(s.Limit), s.Limit > 0)
	add("page", strconv.Itoa(s.Page), s.Page > 1)
	if s.Repo != "" {
		add("repo", s.Repo.Familiar(), true)
		add("match", s.Match, s.Match != "")
		add("tags", strconv.Itoa(s.TagPage), s.TagPage > 1)
		add("tag", s.Tag, s.Tag != "")
	}
	if len(query) == 0 {
		return ui.SearchPath
	}
	return ui.SearchPath + "?" + strings.Join(query, "&")
}

// OnPage gives the address of another page of the results.
func (s SearchState) OnPage(page int) string {
	s.Page = page
	return s.URL()
}

// Sorted gives the state in another order, on its first page.
func (s SearchState) Sorted(sort string) SearchState {
	s.Sort, s.Page = sort, 0
	return s
}

// Within gives the state for one registry, or all of them where host is empty, on its first page.
func (s SearchState) Within(host string) SearchState {
	s.Registry, s.Page = host, 0
	return s
}

// Asking gives the state for another text, on its first page.
func (s SearchState) Asking(text string) SearchState {
	s.Query, s.Page = text, 0
	return s
}

// Unfiltered gives the state without docker search's filters, on its first page.
func (s SearchState) Unfiltered() SearchState {
	s.Official, s.Stars, s.Page = false, 0, 0
	return s
}

// WithPick gives the state with the repository and the tag that another state has picked.
func (s SearchState) WithPick(other SearchState) SearchState {
	s.Repo, s.Match, s.TagPage, s.Tag = other.Repo, other.Match, other.TagPage, other.Tag
	return s
}

// Picking gives the state with a repository picked, and nothing of it yet.
func (s SearchState) Picking(repo image.Repository) SearchState {
	s.Repo, s.Match, s.TagPage, s.Tag = repo, "", 0, ""
	return s
}

// OnTagPage gives the address of another page of the tags.
func (s SearchState) OnTagPage(page int) string {
	s.TagPage = page
	return s.URL()
}

// WithTag gives the state with a tag picked.
func (s SearchState) WithTag(tag string) SearchState {
	s.Tag = tag
	return s
}
