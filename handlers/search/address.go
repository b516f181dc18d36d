package search

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/lookup"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/search"
	"github.com/stowage/stowage/views/address"
)

const (
	maxHits  = 100 // docker's limit
	maxStars = 1_000_000_000
)

// searchState reads the page's address. Errors are of kind Invalid and name the part that is wrong.
func searchState(c echo.Context) (address.Search, error) { return readSearch(c.QueryParams()) }

// readSearch is searchState of an address's query.
func readSearch(said url.Values) (s address.Search, err error) {
	s.Query = strings.TrimSpace(said.Get("q"))
	if err := checkText(s.Query); err != nil {
		return s, err
	}
	s.Registry = strings.TrimSpace(said.Get("registry"))
	if len(s.Registry) > page.MaxHost {
		return s, image.Errorf(image.Invalid, "the registry's name is longer than %d bytes (registry)", page.MaxHost)
	}
	switch official := said.Get("official"); official {
	case "", "0":
	case "1":
		s.Official = true
	default:
		return s, image.Errorf(image.Invalid, "the value of official is 1 or left out, not %.40q (official)", official)
	}
	switch sort := search.Order(said.Get("sort")); sort {
	case search.ByMatch, search.ByStars, search.ByPulls, search.ByName:
		s.Sort = string(sort)
	default:
		return s, image.Errorf(image.Invalid, "results cannot be sorted by %.40q (sort)", string(sort)).
			Suggest("The orders are stars, pulls and name; best match where sort is left out.")
	}
	if s.Stars, err = number(said, "stars", 0, maxStars); err != nil {
		return s, err
	}
	if s.Limit, err = number(said, "limit", 1, maxHits); err != nil {
		return s, err
	}
	if s.Page, err = number(said, "page", 1, page.MaxPage); err != nil {
		return s, err
	}
	if s.Page == 1 {
		s.Page = 0
	}
	return readPick(said, s)
}

// readPick reads the picked repository and what is picked of it.
func readPick(said url.Values, s address.Search) (_ address.Search, err error) {
	name := strings.TrimSpace(said.Get("repo"))
	if name == "" {
		return s, nil
	}
	ref, err := image.ParseRepositoryReference(name)
	if err == nil && (ref.Tag != "" || ref.Digest != "") {
		err = image.Errorf(image.Invalid, "%.80q is more than a repository's name (repo)", name).
			Suggest("Leave out what follows the name, from : or @ on.")
	}
	if err != nil {
		return s, err
	}
	s.Repo = ref.Repository
	if s.Match = strings.TrimSpace(said.Get("match")); len(s.Match) > lookup.MaxReference {
		return s, image.Errorf(image.Invalid, "the filter is longer than %d bytes (match)", lookup.MaxReference)
	}
	if s.TagPage, err = number(said, "tags", 1, page.MaxPage); err != nil {
		return s, err
	}
	if s.TagPage == 1 {
		s.TagPage = 0
	}
	if s.Tag = strings.TrimSpace(said.Get("tag")); s.Tag != "" {
		if _, err := image.ParseReference(string(s.Repo) + ":" + s.Tag); err != nil {
			return s, image.Errorf(image.Invalid, "%.80q is not a tag (tag)", s.Tag).Because(err)
		}
	}
	return s, nil
}

// number reads a whole number; 0 where it is left out.
func number(said url.Values, name string, least, most int) (int, error) {
	s := strings.TrimSpace(said.Get(name))
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		return 0, image.Errorf(image.Invalid, "%.40q is not a number from %d to %d (%s)", s, least, most, name)
	}
	return n, nil
}

// ofListed holds a state against the list: its registry must be there, and only one registry's results have pages.
func (h *Handlers) ofListed(s address.Search) (address.Search, error) {
	if s.Registry != "" {
		l, ok := h.Registry.Find(s.Registry)
		if !ok {
			return s, image.Errorf(image.Invalid, "%.80q is not in this server's list of registries (registry)", s.Registry).
				Suggest("Leave it out to search all that are.")
		}
		s.Registry = l.Host
	}
	if len(h.asked(s)) != 1 {
		s.Page = 0
	}
	return s, nil
}

// searchParams are the words of the page's address.
var searchParams = []string{"q", "registry", "official", "stars", "sort", "limit", "page", "repo", "match", "tags", "tag", "go", "again"}

// tidySearch tells whether the address is the state's own. Any other, such as a form sends, is redirected to it, so that
// a search has one address only.
func tidySearch(c echo.Context, state address.Search) bool {
	own, err := url.Parse(state.String())
	if err != nil {
		return true // cannot be: the address would go round in circles
	}
	said, short := c.QueryParams(), own.Query()
	for _, name := range searchParams {
		if !slices.Equal(said[name], short[name]) {
			return false
		}
	}
	return true
}

// currentSearch gives the state of the Search page that htmx asks from: part of what it asks with may be older, since
// the rest of the page changed by itself.
func currentSearch(c echo.Context) (address.Search, bool) {
	u, err := url.Parse(c.Request().Header.Get("HX-Current-URL"))
	if err != nil || u.Path != address.SearchPath {
		return address.Search{}, false
	}
	s, err := readSearch(u.Query())
	return s, err == nil
}

// keepAddress tells htmx the page's address after the request: for what is typed or chosen in place of the last one,
// for a link as a step that one can go back from. What asks by itself changes no address.
func keepAddress(c echo.Context, state, shown address.Search) {
	tag, _, _ := strings.Cut(c.Request().Header.Get("HX-Source"), "#")
	header := c.Response().Header()
	switch tag {
	case "form", "input", "select":
		header.Set("HX-Replace-Url", state.String())
	case "a":
		if state != shown {
			header.Set("HX-Push-Url", state.String())
		}
	}
}
