package response

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/stowage/stowage/image"
)

// MaxLink bounds the address of a next page, in bytes: each is remembered while a list is read, to find circles.
const MaxLink = 8 << 10

// NextLink returns the page that follows one at an address (Link, rel=next; RFC 8288); nil at the end. Of a link counts
// the path and the query, which are asked for where the page came from: registries behind a proxy write the scheme, the
// name and the port that they see themselves. Where such a one also has the registry below a path of its own, the
// page's own path stands for it.
func NextLink(h http.Header, at *url.URL, host string) (*url.URL, error) {
	for _, value := range h.Values("Link") {
		for target, rest, found := cutLink(value); found; target, rest, found = cutLink(rest) {
			params, after := cutParams(rest)
			rest = after
			if !isNext(params) {
				continue
			}
			next, err := at.Parse(target)
			if err != nil || len(target) > MaxLink {
				return nil, image.Errorf(image.Unavailable, "%s links to a next page that is no address", host).Because(err)
			}
			if !strings.EqualFold(next.Host, at.Host) && strings.HasSuffix(next.Path, at.Path) {
				next.Path, next.RawPath = at.Path, at.RawPath
			}
			query := strings.ReplaceAll(next.RawQuery, " ", "%20")
			return &url.URL{Scheme: at.Scheme, Host: at.Host, Path: next.Path, RawPath: next.RawPath, RawQuery: query}, nil
		}
	}
	return nil, nil
}

// cutLink returns the target of the first link in a header's value, and what follows it. One without its angle
// brackets, or without the second of them, ends before its parameters.
func cutLink(s string) (target, rest string, found bool) {
	before, in, bracketed := strings.Cut(s, "<")
	if !bracketed {
		before, in = "", s
	}
	if target, rest, found = strings.Cut(in, ">"); found && bracketed {
		return target, rest, true
	}
	end := strings.IndexByte(in, ';')
	if end < 0 || strings.TrimSpace(in[:end]) == "" || strings.Contains(in[:end], "=") &&
		!strings.Contains(in[:end], "?") {
		return "", "", false
	}
	return strings.TrimSpace(in[:end]), in[end:], strings.Trim(before, " ,") == ""
}

// EndsAsAPage reports whether a list ends, without a link, where a page of it would: with a round number. What follows
// may have lost its link on the way, and is asked for by the last name (distribution-spec "Listing Tags", last).
func EndsAsAPage(names int) bool { return names > 0 && names%10 == 0 }

// PageAfter returns the page that follows a name, at the address of a list.
func PageAfter(at *url.URL, last string) *url.URL {
	query := at.Query()
	query.Set("last", last)
	next := *at
	next.RawQuery = query.Encode()
	return &next
}

// cutParams splits what follows a target into its parameters and the links after them: at the first comma
// outside of quotes.
func cutParams(s string) (params []string, rest string) {
	quoted, from := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case quoted:
		case s[i] == ';':
			params, from = append(params, s[from:i]), i+1
		case s[i] == ',':
			return append(params, s[from:i]), s[i+1:]
		}
	}
	return append(params, s[from:]), ""
}

func isNext(params []string) bool {
	for _, p := range params {
		name, value, _ := strings.Cut(p, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "rel") {
			continue
		}
		for _, rel := range strings.Fields(strings.Trim(strings.TrimSpace(value), `"'`)) {
			if strings.EqualFold(rel, "next") {
				return true
			}
		}
		return false // RFC 8288, section 3.3: the first one counts
	}
	return false
}
