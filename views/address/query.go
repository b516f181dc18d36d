package address

import (
	"net/url"
	"strings"
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
