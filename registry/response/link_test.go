package response_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/response"
	"github.com/stowage/stowage/test/outside"
)

func TestTheNextPageIsReadFromLink(t *testing.T) {
	at, err := url.Parse("https://registry.test/v2/_catalog?n=2")
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{
		"":                                      "",
		`</v2/_catalog?last=b&n=2>; rel="next"`: "https://registry.test/v2/_catalog?last=b&n=2",
		`<?last=b>;rel=next`:                    "https://registry.test/v2/_catalog?last=b",
		`<https://registry.test/v2/_catalog?last=b>; REL="Next"`: "https://registry.test/v2/_catalog?last=b",
		// a proxy does the TLS
		`<http://registry.test/v2/_catalog?last=b>; rel="next"`:                           "https://registry.test/v2/_catalog?last=b",
		`</first>; rel="first", </v2/_catalog?last=b>; title="a, b; \"c\""; rel="x next"`: "https://registry.test/v2/_catalog?last=b",
		`</v2/a,b?x;y>; rel="next"`:                                                       "https://registry.test/v2/a,b?x;y",
		`</v2/_catalog?last=b>; rel="prev"; rel="next"`:                                   "",
		`</v2/_catalog?last=b>`:                                                           "",
		`</v2/_catalog?last=b; rel="next"`:                                                "https://registry.test/v2/_catalog?last=b",
		`/v2/_catalog?last=b; rel=next`:                                                   "https://registry.test/v2/_catalog?last=b",
		`<https://inner.test:5000/v2/_catalog?last=b>; rel='next'`:                        "https://registry.test/v2/_catalog?last=b",
		`<//inner.test/v2/_catalog?last=b>; rel=next`:                                     "https://registry.test/v2/_catalog?last=b",
		`<http://registry.test:81/v2/_catalog?last=b c>; rel=next`:                        "https://registry.test/v2/_catalog?last=b%20c",
		`<http://inner.test/api/docker/v2/_catalog?last=b>; rel=next`:                     "https://registry.test/v2/_catalog?last=b",
		`rel="next"`: "",
	} {
		next, err := response.NextLink(http.Header{"Link": {value}}, at, "registry.test")
		if err != nil {
			t.Errorf("%s: %v", value, err)
			continue
		}
		got := ""
		if next != nil {
			got = next.String()
		}
		if got != want {
			t.Errorf("%s leads to %q, want %q", value, got, want)
		}
	}
	for _, value := range []string{"<%zz>; rel=next", "<:>; rel=next"} {
		_, err := response.NextLink(http.Header{"Link": {value}}, at, "registry.test")
		outside.WantKind(t, err, image.Unavailable, "registry.test")
	}
}
