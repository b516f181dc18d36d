package address

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/stowage/stowage/image"
)

// path escapes a path's elements and leaves the slashes, colons and at signs of references readable.
func path(s string) string { return (&url.URL{Path: s}).EscapedPath() }

// escape escapes a query's value but leaves the slashes, colons and at signs readable, as RFC 3986 allows.
func escape(s string) string {
	return strings.NewReplacer("%2F", "/", "%3A", ":", "%40", "@").Replace(url.QueryEscape(s))
}

// query is what follows an address's path, in order.
type query []string

// add adds a parameter.
func (q *query) add(name, value string) { *q = append(*q, name+"="+escape(value)) }

// addSaid adds a parameter that is left out where it is empty.
func (q *query) addSaid(name, value string) {
	if value != "" {
		q.add(name, value)
	}
}

// addFlag adds a parameter that is 1 or left out.
func (q *query) addFlag(name string, set bool) {
	if set {
		q.add(name, "1")
	}
}

// after returns the address with this query, and without one where it is empty.
func (q query) after(path string) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + strings.Join(q, "&")
}

// MaxPage is the last page that an address may name: well above any list, well below an overflow.
const MaxPage = 1_000_000

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

// pageOf reads the number of a page, counted from 1, which is also what an absent one means.
func pageOf(said url.Values, name string) (int, error) {
	s := said.Get(name)
	if s == "" {
		return 1, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > MaxPage {
		return 0, image.Errorf(image.Invalid, "%.40q is not the number of a page", s).Suggest("Pages are counted from 1.")
	}
	return n, nil
}

// Unknown returns a field of an address or a form that is not among the known ones, or nothing: a filter that is
// misspelt must not choose everything, as docker's "invalid filter" says.
func Unknown(said url.Values, known []string) string {
	for _, name := range slices.Sorted(maps.Keys(said)) {
		if !slices.Contains(known, name) {
			return name
		}
	}
	return ""
}

// Platform reads the platform of an address or a form; zero where it is not given. Errors are of kind Invalid.
func Platform(said url.Values) (image.Platform, error) {
	s := said.Get("platform")
	if s == "" {
		return image.Platform{}, nil
	}
	return image.ParsePlatform(s)
}

// Back reads the page that an action leads back to; empty where it is not given.
func Back(form url.Values) string {
	back := form.Get("back")
	if back == "" {
		return ""
	}
	return Ours(back)
}

// Ours returns the path of a page of ours, and the first one for any other address: a form leads back to ours only.
func Ours(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	return path
}
