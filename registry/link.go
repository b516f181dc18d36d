package registry

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/stowage/stowage/image"
)

// maxLink bounds the address of a next page, in bytes: each is remembered while a list is read, to find circles.
const maxLink = 8 << 10

// nextLink gives the page that follows one at an address (Link, rel=next; RFC 8288); nil at the end. A link may
// be relative or absolute, but leads to no other host; its scheme is not looked at, because registries behind a
// proxy that does TLS for them write http.
func nextLink(h http.Header, at *url.URL, host string) (*url.URL, error) {
	for _, value := range h.Values("Link") {
		for target, rest, found := cutLink(value); found; target, rest, found = cutLink(rest) {
			params, after := cutParams(rest)
			rest = after
			if !isNext(params) {
				continue
			}
			next, err := at.Parse(target)
			if err != nil || len(target) > maxLink {
				return nil, image.Errorf(image.Unavailable, "%s links to a next page that is no address", host).Because(err)
			}
			if !strings.EqualFold(next.Host, at.Host) && !strings.EqualFold(next.Host, host) {
				return nil, image.Errorf(image.Unavailable, "%s sends us on to %s for its list of repositories", host, clean(next.Host))
			}
			return &url.URL{Scheme: at.Scheme, Host: at.Host, Path: next.Path, RawPath: next.RawPath, RawQuery: next.RawQuery}, nil
		}
	}
	return nil, nil
}

// cutLink gives the target of the first link in a header's value, and what follows it.
func cutLink(s string) (target, rest string, found bool) {
	_, s, found = strings.Cut(s, "<")
	if !found {
		return "", "", false
	}
	return strings.Cut(s, ">")
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
		for _, rel := range strings.Fields(strings.Trim(strings.TrimSpace(value), `"`)) {
			if strings.EqualFold(rel, "next") {
				return true
			}
		}
		return false // RFC 8288, section 3.3: the first one counts
	}
	return false
}
