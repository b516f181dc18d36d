package address

import (
	"slices"
	"strconv"
	"strings"
)

// List is the address of a list: its path and, in this order,
//
//	q=TEXT            part of a name, or the beginning of an image ID or a digest
//	reference=GLOB    any of several: docker's, on the familiar name with tag or digest, or the name alone
//	dangling=true     only digests that no tag points at and nobody asked for; false hides them
//	label=KEY[=VALUE] each of several, on one stored platform
//	before=IMAGE      created before each of several images: a reference, an image ID or the beginning of one
//	since=IMAGE       created after each of them
//	until=TIME        created before: a duration as 24h, a date, a time, seconds since 1970
//	registry=HOST     of one registry
//	platform=PLATFORM with that platform stored
//	update=STATE      current, available, gone, unknown or unchecked
//	pinned=1          what is pinned
//	sort=COLUMN       name, platforms, id, created, pulled, size, unpacked, handed or update, rising; sort=-COLUMN turns it round
//	group=repository  a row for each repository; its orders are name, tags, created, pulled, size, handed and update
//	digests=1         shows the digest of each row
//	no-trunc=1        image IDs and digests in full
//	page=N            from 1
//
// and what is as usual (no filter, by name, no digests, the first page) is left out. Filters of several kinds are all to be
// passed. Asked for as text/plain, the address answers with the image IDs of all rows, one a line.
type List struct {
	Path       string
	Query      string
	References []string
	Dangling   string // "true", "false" or empty
	Labels     []string
	Before     []string
	Since      []string
	Until      []string
	Registry   string
	Platform   string
	Update     string
	Pinned     bool
	Sort       string // empty: by name
	Grouped    bool
	Digests    bool
	NoTrunc    bool
	Page       int

	Typed string // the end of what is in the filter's box: a filter that is still being typed; no part of the address
}

// Param is a name and a value of an address.
type Param struct{ Name, Value string }

// SortName is the order of a list when nobody chose one.
const SortName = "name"

// Params returns what stands after the path, in order.
func (s List) Params() []Param {
	all := s.Filters()
	if s.Query != "" {
		all = slices.Insert(all, 0, Param{"q", s.Query})
	}
	if s.Sort != "" && s.Sort != SortName {
		all = append(all, Param{"sort", s.Sort})
	}
	if s.Grouped {
		all = append(all, Param{"group", "repository"})
	}
	for _, flag := range []struct {
		name string
		set  bool
	}{{"digests", s.Digests}, {"no-trunc", s.NoTrunc}} {
		if flag.set {
			all = append(all, Param{flag.name, "1"})
		}
	}
	if s.Page > 1 {
		all = append(all, Param{"page", strconv.Itoa(s.Page)})
	}
	return all
}

// Filters returns the filters beside the text, in order.
func (s List) Filters() (all []Param) {
	one := func(name, value string) {
		if value != "" {
			all = append(all, Param{name, value})
		}
	}
	several := func(name string, values []string) {
		for _, v := range values {
			one(name, v)
		}
	}
	several("reference", s.References)
	one("dangling", s.Dangling)
	several("label", s.Labels)
	several("before", s.Before)
	several("since", s.Since)
	several("until", s.Until)
	one("registry", s.Registry)
	one("platform", s.Platform)
	one("update", s.Update)
	if s.Pinned {
		one("pinned", "1")
	}
	return all
}

// Filtered reports whether the address chooses among the rows.
func (s List) Filtered() bool { return s.Query != "" || len(s.Filters()) > 0 }

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
	return List{Path: s.Path, Sort: s.Sort, Grouped: s.Grouped, Digests: s.Digests, NoTrunc: s.NoTrunc, Page: 1}.String()
}

// Without returns the address without one filter.
func (s List) Without(p Param) string {
	drop := func(values []string) []string {
		return slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == p.Value })
	}
	s.Page = 1
	switch p.Name {
	case "reference":
		s.References = drop(s.References)
	case "dangling":
		s.Dangling = ""
	case "label":
		s.Labels = drop(s.Labels)
	case "before":
		s.Before = drop(s.Before)
	case "since":
		s.Since = drop(s.Since)
	case "until":
		s.Until = drop(s.Until)
	case "registry":
		s.Registry = ""
	case "platform":
		s.Platform = ""
	case "update":
		s.Update = ""
	case "pinned":
		s.Pinned = false
	}
	return s.String()
}

// Order returns the order, that of names where nobody chose one.
func (s List) Order() string {
	if s.Sort == "" {
		return SortName
	}
	return s.Sort
}

// Box is what the filter's box says.
func (s List) Box() string {
	return strings.TrimSpace(s.Query + " " + s.Typed)
}

// Hidden are the filters that the form carries along unseen: those that have no control of their own, or whose control
// stands for another value.
func (s List) Hidden() (all []Param) {
	for _, p := range s.Filters() {
		switch {
		case p.Name == "registry" && s.HasRegistries(), p.Name == "platform", p == Param{"dangling", "true"}, p == Param{"update", "available"}:
		default:
			all = append(all, p)
		}
	}
	return all
}

// HasRegistries reports whether the list is of several registries.
func (s List) HasRegistries() bool { return s.Path == ImagesPath }
