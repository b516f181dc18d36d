package views

import (
	"slices"
	"strconv"
	"strings"

	"github.com/stowage/stowage/views/ui"
)

// ListState is what a list's address says. The address of a list is its path and, in this order,
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
type ListState struct {
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

// sortName is the order of a list when nobody chose one.
const sortName = "name"

// Params gives what stands after the path, in order.
func (s ListState) Params() []Param {
	all := s.filters()
	if s.Query != "" {
		all = slices.Insert(all, 0, Param{"q", s.Query})
	}
	if s.Sort != "" && s.Sort != sortName {
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

// filters gives the filters beside the text, in order.
func (s ListState) filters() (all []Param) {
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

// Filtered tells whether the address chooses among the rows.
func (s ListState) Filtered() bool { return s.Query != "" || len(s.filters()) > 0 }

// URL gives the list's address.
func (s ListState) URL() string {
	var query []string
	for _, p := range s.Params() {
		query = append(query, p.Name+"="+ui.EscapeQuery(p.Value))
	}
	if len(query) == 0 {
		return s.Path
	}
	return s.Path + "?" + strings.Join(query, "&")
}

// ordered gives the list's address in another order, on its first page.
func (s ListState) ordered(sort string) string {
	s.Sort, s.Page = sort, 1
	return s.URL()
}

// onPage gives the address of another page.
func (s ListState) onPage(page int) string {
	s.Page = page
	return s.URL()
}

// unfiltered gives the address without any filter.
func (s ListState) unfiltered() string {
	return ListState{Path: s.Path, Sort: s.Sort, Grouped: s.Grouped, Digests: s.Digests, NoTrunc: s.NoTrunc, Page: 1}.URL()
}

// without gives the address without one filter.
func (s ListState) without(p Param) string {
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
	return s.URL()
}

// current gives the order in SortColumn's words.
func (s ListState) current() string {
	if s.Sort == "" {
		return sortName
	}
	return s.Sort
}

// box is what the filter's box says.
func (s ListState) box() string {
	return strings.TrimSpace(s.Query + " " + s.Typed)
}

// hidden are the filters that the form carries along unseen: those that have no control of their own, or whose control
// stands for another value.
func (s ListState) hidden() (all []Param) {
	for _, p := range s.filters() {
		switch {
		case p.Name == "registry" && s.hasRegistries(), p.Name == "platform", p == Param{"dangling", "true"}, p == Param{"update", string(UpdateAvailable)}:
		default:
			all = append(all, p)
		}
	}
	return all
}

// hasRegistries tells whether the list is of several registries.
func (s ListState) hasRegistries() bool { return s.Path == imagesPath }

// imagesPath is the address of the list of the whole shelf.
const imagesPath = "/images"
