package address

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf/docker"
)

// The pages of the search.
const (
	SearchPath = "/search"
	BoxPath    = "/search/box" // what the box in the header offers
)

// Search is the address of the Search page, in this order:
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
type Search struct {
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

// String formats the address.
func (s Search) String() string {
	var q query
	number := func(name string, n, usual int) {
		if n > usual {
			q.add(name, strconv.Itoa(n))
		}
	}
	q.addSaid("q", s.Query)
	q.addSaid("registry", s.Registry)
	q.addFlag("official", s.Official)
	number("stars", s.Stars, 0)
	q.addSaid("sort", s.Sort)
	number("limit", s.Limit, 0)
	number("page", s.Page, 1)
	if s.Repo != "" {
		q.add("repo", s.Repo.Familiar())
		q.addSaid("match", s.Match)
		number("tags", s.TagPage, 1)
		q.addSaid("tag", s.Tag)
	}
	return q.after(SearchPath)
}

// Filtered reports whether docker search's filters are in use.
func (s Search) Filtered() bool { return s.Official || s.Stars > 0 }

// PageInView returns the page of the results, from 1.
func (s Search) PageInView() int { return max(1, s.Page) }

// OnPage returns the address of another page of the results.
func (s Search) OnPage(page int) string {
	s.Page = page
	return s.String()
}

// Sorted returns the state in another order, on its first page.
func (s Search) Sorted(sort string) Search {
	s.Sort, s.Page = sort, 0
	return s
}

// Within returns the state for one registry, or all of them where host is empty, on its first page.
func (s Search) Within(host string) Search {
	s.Registry, s.Page = host, 0
	return s
}

// Asking returns the state for another text, on its first page.
func (s Search) Asking(text string) Search {
	s.Query, s.Page = text, 0
	return s
}

// Unfiltered returns the state without docker search's filters, on its first page.
func (s Search) Unfiltered() Search {
	s.Official, s.Stars, s.Page = false, 0, 0
	return s
}

// WithPick returns the state with the repository and the tag that another state has picked.
func (s Search) WithPick(other Search) Search {
	s.Repo, s.Match, s.TagPage, s.Tag = other.Repo, other.Match, other.TagPage, other.Tag
	return s
}

// Picking returns the state with a repository picked, and nothing of it yet.
func (s Search) Picking(repo image.Repository) Search {
	s.Repo, s.Match, s.TagPage, s.Tag = repo, "", 0, ""
	return s
}

// OnTagPage returns the address of another page of the tags.
func (s Search) OnTagPage(page int) string {
	s.TagPage = page
	return s.String()
}

// WithTag returns the state with a tag picked.
func (s Search) WithTag(tag string) Search {
	s.Tag = tag
	return s
}

// Box is the address of what the box in the header offers for a text while somebody types.
type Box struct {
	Text       string
	Registries bool // the part that asks registries
}

// String formats the address.
func (b Box) String() string {
	var q query
	q.add("q", b.Text)
	q.addFlag("registries", b.Registries)
	return q.after(BoxPath)
}

// Bounds of a search.
const (
	MaxHits  = 100 // docker's limit
	maxStars = 1_000_000_000
)

// searchOrders are the values of sort.
var searchOrders = []string{"", "stars", "pulls", "name"}

// ParseSearch reads the query of the Search page. Errors are of kind Invalid and name the part that is wrong.
func ParseSearch(said url.Values) (s Search, err error) {
	s.Query = strings.TrimSpace(said.Get("q"))
	if err := docker.CheckText(s.Query); err != nil {
		return s, err
	}
	s.Registry = strings.TrimSpace(said.Get("registry"))
	if len(s.Registry) > docker.MaxHost {
		return s, image.Errorf(image.Invalid, "the registry's name is longer than %d bytes (registry)", docker.MaxHost)
	}
	if s.Official, err = docker.ReadFlag("official", said.Get("official")); err != nil {
		return s, err
	}
	if s.Sort = said.Get("sort"); !slices.Contains(searchOrders, s.Sort) {
		return s, image.Errorf(image.Invalid, "results cannot be sorted by %.40q (sort)", s.Sort).
			Suggest("The orders are stars, pulls and name; best match where sort is left out.")
	}
	if s.Stars, err = number(said, "stars", 0, maxStars); err != nil {
		return s, err
	}
	if s.Limit, err = number(said, "limit", 1, MaxHits); err != nil {
		return s, err
	}
	if s.Page, err = laterPage(said, "page"); err != nil {
		return s, err
	}
	return s.readPick(said)
}

// readPick reads the picked repository and what is picked of it.
func (s Search) readPick(said url.Values) (_ Search, err error) {
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
	if s.Match = strings.TrimSpace(said.Get("match")); len(s.Match) > docker.MaxReference {
		return s, image.Errorf(image.Invalid, "the filter is longer than %d bytes (match)", docker.MaxReference)
	}
	if s.TagPage, err = laterPage(said, "tags"); err != nil {
		return s, err
	}
	if s.Tag = strings.TrimSpace(said.Get("tag")); s.Tag != "" {
		if _, err := image.ParseReference(string(s.Repo) + ":" + s.Tag); err != nil {
			return s, image.Errorf(image.Invalid, "%.80q is not a tag (tag)", s.Tag).Because(err)
		}
	}
	return s, nil
}

// laterPage reads the number of a page; 0 stands for the first.
func laterPage(said url.Values, name string) (int, error) {
	n, err := number(said, name, 1, MaxPage)
	if n == 1 {
		n = 0
	}
	return n, err
}

// Again reads how often a page of results asked again by itself.
func Again(said url.Values) (int, error) { return number(said, "again", 0, MaxPage) }

// AskingAgain formats the address with which a page asks for the results of s again, by itself.
func (s Search) AskingAgain(times int) string {
	address := s.String()
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	return address + separator + "again=" + strconv.Itoa(times)
}

// searchParams are the words of the page's address, and of what its parts are asked for with.
var searchParams = []string{"q", "registry", "official", "stars", "sort", "limit", "page", "repo", "match", "tags",
	"tag", "go", "again"}

// Tidy reports whether a query is the one that String writes: any other, such as a form sends, is redirected to it.
func (s Search) Tidy(said url.Values) bool {
	own, err := url.Parse(s.String())
	if err != nil {
		return true // cannot be: the address would go round in circles
	}
	short := own.Query()
	for _, name := range searchParams {
		if !slices.Equal(said[name], short[name]) {
			return false
		}
	}
	return true
}
