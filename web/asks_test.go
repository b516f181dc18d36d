package web

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

// sent makes a request to shelf.example.com:8080 with headers, given as names and values.
func sent(path string, header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = "shelf.example.com:8080"
	for i := 0; i < len(header); i += 2 {
		if header[i+1] != "" {
			r.Header.Set(header[i], header[i+1])
		}
	}
	return r
}

func TestOnlyThisSiteAndPeopleMakeTheServerAskRegistries(t *testing.T) {
	for name, tt := range map[string]struct {
		site, mode, dest, user string
		want                   bool
		api                    bool
	}{
		"a page of ours":                           {"same-origin", "cors", "empty", "", true, true},
		"a link of ours":                           {"same-origin", "navigate", "document", "?1", true, true},
		"a form of ours, sent by a script":         {"same-origin", "navigate", "document", "", true, true},
		"the address bar":                          {"none", "navigate", "document", "?1", true, true},
		"a reload":                                 {"none", "navigate", "document", "", true, true},
		"a link elsewhere":                         {"cross-site", "navigate", "document", "?1", true, false},
		"a link on another port":                   {"same-site", "navigate", "document", "?1", true, false},
		"a redirect elsewhere that nobody clicked": {"cross-site", "navigate", "document", "", false, false},
		"an image elsewhere":                       {"cross-site", "no-cors", "image", "", false, false},
		"a script elsewhere":                       {"cross-site", "cors", "empty", "", false, false},
		"a prefetch elsewhere":                     {"cross-site", "no-cors", "empty", "", false, false},
		"a frame elsewhere, clicked into":          {"cross-site", "navigate", "iframe", "?1", false, false},
		"an image on another port":                 {"same-site", "no-cors", "image", "", false, false},
		"a script on another port":                 {"same-site", "cors", "empty", "", false, false},
		"a site that says nonsense":                {"SAME-ORIGIN", "", "", "", false, false},
	} {
		// What the browser says of the site counts, whatever the rest says.
		r := sent("/search?q=x", "Sec-Fetch-Site", tt.site, "Sec-Fetch-Mode", tt.mode, "Sec-Fetch-Dest", tt.dest,
			"Sec-Fetch-User", tt.user,
			"User-Agent", firefox, "Cookie", ownCookie+"=1")
		if page, api := (asks{}).page(r), (asks{}).api(r); page != tt.want || api != tt.api {
			t.Errorf("%s: a page may: %v, want %v; the registry API may: %v, want %v", name, page, tt.want, api, tt.api)
		}
	}
}

func TestABrowserThatTellsNoSiteIsJudgedByRefererAndCookie(t *testing.T) {
	const cookie = ownCookie + "=1"
	guard := newAsks(Options{ExternalURL: "https://shelf.example.com"})
	for name, tt := range map[string]struct {
		referer, cookie, agent string
		page, api              bool
	}{
		"a page of ours":                {"http://shelf.example.com:8080/images", "", firefox, true, false},
		"one under the outside address": {"https://shelf.example.com/images", "", firefox, true, false},
		"an image elsewhere":            {"http://evil.example/", "", firefox, false, false},
		"a neighbour on another port":   {"http://shelf.example.com:9999/", cookie, firefox, false, false},
		"a name that begins like ours": {"http://shelf.example.com:8080.evil.example/", cookie, firefox, false,
			false},
		"an image elsewhere without a Referer":  {"", "", firefox, false, false},
		"the address bar, after the first page": {"", cookie, firefox, true, false},
		"a program":                             {"", "", "docker/29.0", true, true},
		"a program that tells no name":          {"", "", "", true, true},
		"a program led on from elsewhere":       {"http://evil.example/v2/", "", "docker/29.0", false, false},
		"no address":                            {"://", cookie, "docker/29.0", false, false},
	} {
		r := sent("/search?q=x", "Referer", tt.referer, "Cookie", tt.cookie, "User-Agent", tt.agent)
		if page, api := guard.page(r), guard.api(r); page != tt.page || api != tt.api {
			t.Errorf("%s: a page may: %v, want %v; the registry API may: %v, want %v", name, page, tt.page, api, tt.api)
		}
	}
}
