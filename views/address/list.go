package address

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/shelf/docker"
)

// List is the address of a list: its path and, in this order,
//
//	q=TEXT            part of a name, or the beginning of an image ID or a digest
//	...               docker.Filters
//	sort=COLUMN       name, platforms, id, created, pulled, size, unpacked, handed or update, rising;
//	                  sort=-COLUMN turns it round
//	group=repository  a row for each repository; its orders are name, tags, created, pulled, size, handed and update
//	digests=1         shows the digest of each row
//	no-trunc=1        image IDs and digests in full
//	page=N            from 1
//
// and what is as usual (no filter, by name, no digests, the first page) is left out. Asked for as text/plain, the
// address answers with the image IDs of all rows, one a line.
type List struct {
	Path    string
	Text    string
	Filters docker.Filters
	Sort    string // empty: by name
	Grouped bool
	Digests bool
	NoTrunc bool
	Page    int

	Typed string // the end of what is in the filter's box: a filter that is still being typed; no part of the address
}

// ListOfUpdates returns the address of the list of what has a state of updates.
func ListOfUpdates(state shelf.UpdateState) string {
	return List{Path: ImagesPath, Filters: docker.Filters{Updates: []shelf.UpdateState{state}}}.String()
}

// sortName is the order of a list when nobody chose one.
const sortName = string(shelf.SortName)

// listParams are the names of a list's parameters.
var listParams = slices.Concat([]string{"q"}, docker.FilterNames,
	[]string{"sort", "group", "digests", "no-trunc", "page"})

// ParseList reads the query of a list's address. Docker's words in the text become the filters that they are, except,
// while somebody types, the last one, which may not be finished. Errors are of kind Invalid and name the part that is
// wrong.
func ParseList(path string, said url.Values, typing bool) (List, error) {
	s := List{Path: path, Page: 1}
	if name := Unknown(said, append([]string{"go"}, listParams...)); name != "" {
		return s, docker.NoFilter(name)
	}
	if len(said.Get("q")) > docker.MaxFilter {
		return s, image.Errorf(image.Invalid, "the filter is longer than %d bytes (q)", docker.MaxFilter).
			Suggest("Give a part of a name, an image ID or a digest.")
	}
	words, err := docker.ReadListWords(said.Get("q"), typing && !said.Has("go"))
	if err != nil {
		return s, err
	}
	s.Text, s.Typed = words.Text, words.Unfinished
	both := url.Values{}
	for _, name := range listParams {
		both[name] = slices.Concat(said[name], words.Said[name])
	}
	if s.Filters, err = docker.ReadFilters(both); err != nil {
		return s, err
	}
	return s, s.readShape(both)
}

// readShape reads what is shown of the rows, and how.
func (s *List) readShape(said url.Values) (err error) {
	switch group := docker.Last(said["group"]); group {
	case "":
	case "repository":
		s.Grouped = s.Path == ImagesPath
	default:
		return image.Errorf(image.Invalid, "the list can be grouped by repository, not by %.40q (group)", group)
	}
	s.Sort = docker.Last(said["sort"])
	column := shelf.Sort(strings.TrimPrefix(s.Sort, "-"))
	switch {
	case s.Sort != "" && !column.Valid() && !column.ValidForRepositories():
		return image.Errorf(image.Invalid, "the list cannot be sorted by %.40q (sort)", string(column)).
			Suggest("Its columns are name, platforms, id, created, pulled, size, unpacked, handed and update, " +
				"or tags where it is grouped; a minus before one turns the order round.")
	case s.Sort == sortName, s.Grouped && !column.ValidForRepositories(), !s.Grouped && !column.Valid():
		s.Sort = "" // an order of the other kind of list means nothing here
	}
	if s.Digests, err = docker.ReadFlag("digests", docker.Last(said["digests"])); err != nil {
		return err
	}
	if s.NoTrunc, err = docker.ReadFlag("no-trunc", docker.Last(said["no-trunc"])); err != nil {
		return err
	}
	if p := docker.Last(said["page"]); p != "" {
		if s.Page, err = strconv.Atoi(p); err != nil || s.Page < 1 || s.Page > MaxPage {
			return image.Errorf(image.Invalid, "%.40q is not a page (page)", p).Suggest("Pages are counted from 1.")
		}
	}
	return nil
}

// Query returns what the list asks of the shelf, but for docker.Filters' images and for the rows of its page.
func (s List) Query(now time.Time) (shelf.Query, error) {
	q, err := s.Filters.Query(now)
	column, descending := strings.CutPrefix(s.Sort, "-")
	q.Text, q.Sort, q.Descending = s.Text, shelf.Sort(column), descending
	return q, err
}

// Tidy reports whether a query, as it was sent, is the one that String writes. Any other, such as a form sends with its
// empty fields, or one with docker's words in the text, is redirected to it, so that a list has one address only.
func (s List) Tidy(sent string) bool {
	var said []docker.Param
	for part := range strings.SplitSeq(sent, "&") {
		name, value, _ := strings.Cut(part, "=")
		name, nameErr := url.QueryUnescape(name)
		value, valueErr := url.QueryUnescape(value)
		if nameErr == nil && valueErr == nil && slices.Contains(listParams, name) {
			said = append(said, docker.Param{Name: name, Value: value})
		}
	}
	return slices.Equal(said, s.Params())
}

// Params returns what stands after the path, in order.
func (s List) Params() (all []docker.Param) {
	add := func(name, value string, set bool) {
		if set {
			all = append(all, docker.Param{Name: name, Value: value})
		}
	}
	add("q", s.Text, s.Text != "")
	all = append(all, s.Filters.All()...)
	add("sort", s.Sort, s.Order() != sortName)
	add("group", "repository", s.Grouped)
	add("digests", "1", s.Digests)
	add("no-trunc", "1", s.NoTrunc)
	add("page", strconv.Itoa(s.Page), s.Page > 1)
	return all
}

// Filtered reports whether the address chooses among the rows.
func (s List) Filtered() bool { return s.Text != "" || len(s.Filters.All()) > 0 }

// String formats the address.
func (s List) String() string {
	var q query
	for _, p := range s.Params() {
		q.add(p.Name, p.Value)
	}
	return q.after(s.Path)
}

// Ordered returns the list's address in another order, on its first page.
func (s List) Ordered(sort string) string {
	s.Sort, s.Page = sort, 1
	return s.String()
}

// OnPage returns the address of another page.
func (s List) OnPage(page int) string {
	s.Page = page
	return s.String()
}

// Unfiltered returns the address without any filter.
func (s List) Unfiltered() string {
	s.Text, s.Filters, s.Page = "", docker.Filters{}, 1
	return s.String()
}

// Without returns the address without one filter.
func (s List) Without(p docker.Param) string {
	s.Filters, s.Page = s.Filters.Without(p), 1
	return s.String()
}

// Order returns the order, that of names where nobody chose one.
func (s List) Order() string {
	if s.Sort == "" {
		return sortName
	}
	return s.Sort
}

// Box is what the filter's box says.
func (s List) Box() string {
	return strings.TrimSpace(s.Text + " " + s.Typed)
}

// Updates reports whether only rows are listed that there are updates for.
func (s List) Updates() bool { return slices.Contains(s.Filters.Updates, shelf.UpdateAvailable) }

// Hidden are the filters that the form carries along unseen: those that have no control of their own, or whose control
// stands for another value.
func (s List) Hidden() []docker.Param {
	unseen := s.Filters
	unseen.Platform = image.Platform{}
	if s.HasRegistries() {
		unseen.Registry = ""
	}
	if unseen.Dangling == shelf.DanglingOnly {
		unseen.Dangling = shelf.DanglingShown
	}
	if s.Updates() {
		unseen.Updates = nil
	}
	return unseen.All()
}

// HasRegistries reports whether the list is of several registries.
func (s List) HasRegistries() bool { return s.Path == ImagesPath }
