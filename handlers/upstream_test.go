package handlers

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"
)

func TestOnlyThisSiteAndPeopleMakeTheServerAskRegistries(t *testing.T) {
	for name, tt := range map[string]struct {
		site, mode, dest, user string
		want                   bool
	}{
		"a program":                                {"", "", "", "", true},
		"a page of ours":                           {"same-origin", "cors", "empty", "", true},
		"a link of ours":                           {"same-origin", "navigate", "document", "?1", true},
		"a form of ours, sent by a script":         {"same-origin", "navigate", "document", "", true},
		"the address bar":                          {"none", "navigate", "document", "?1", true},
		"a reload":                                 {"none", "navigate", "document", "", true},
		"a link elsewhere":                         {"cross-site", "navigate", "document", "?1", true},
		"a link on another port":                   {"same-site", "navigate", "document", "?1", true},
		"a redirect elsewhere that nobody clicked": {"cross-site", "navigate", "document", "", false},
		"an image elsewhere":                       {"cross-site", "no-cors", "image", "", false},
		"a script elsewhere":                       {"cross-site", "cors", "empty", "", false},
		"a prefetch elsewhere":                     {"cross-site", "no-cors", "empty", "", false},
		"a frame elsewhere, clicked into":          {"cross-site", "navigate", "iframe", "?1", false},
		"an image on another port":                 {"same-site", "no-cors", "image", "", false},
		"a script on another port":                 {"same-site", "cors", "empty", "", false},
		"a site that says nonsense":                {"SAME-ORIGIN", "", "", "", false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/search?q=x", nil)
		for header, value := range map[string]string{"Sec-Fetch-Site": tt.site, "Sec-Fetch-Mode": tt.mode, "Sec-Fetch-Dest": tt.dest, "Sec-Fetch-User": tt.user} {
			if value != "" {
				r.Header.Set(header, value)
			}
		}
		if got := mayAsk(echo.New().NewContext(r, httptest.NewRecorder())); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
