package web

import (
	"net/url"
	"strings"
	"testing"
)

func TestTheLogHasPathsAndHarmlessParametersOnly(t *testing.T) {
	const pasted = "https%3A%2F%2Fuser%3Asecret%40host.example%2Fapp"
	for address, want := range map[string]string{
		"/images":             "/images",
		"/search?q=" + pasted: "/search",
		"/search?q=nginx&official=1&page=2&stars=10":               "/search?official=1&page=2&stars=10",
		"/pull?ref=" + pasted + "&platform=linux%2Farm64&all=1":    "/pull?all=1&platform=linux%2Farm64",
		"/pull?platform=" + pasted:                                 "/pull",
		"/pull?" + pasted + "=1":                                   "/pull",
		"/images?sort=-size&page=secret%0Aline":                    "/images?sort=-size",
		"/images/x:1/inspect?format=%7B%7B.Secret%7D%7D":           "/images/x:1/inspect",
		"/images/https://user:secret@host.example/app":             "/images/https://...@host.example/app",
		"/images/https:/user:secret@host.example/app":              "/images/https:/...@host.example/app",
		"/images/https%3A%2F%2Fuser%3Asecret%40host.example%2Fapp": "/images/https://...@host.example/app",
		"/images/user:secret@host.example/app":                     "/images/...@host.example/app",
		"/images/docker.io/library/ubuntu@sha256:ab/layers":        "/images/docker.io/library/ubuntu@sha256:ab/layers",
		"/images/localhost:5000/app:1@sha256:ab":                   "/images/localhost:5000/app:1@sha256:ab",
		"/v2/library/ubuntu/manifests/22.04?ns=docker.io":          "/v2/library/ubuntu/manifests/22.04?ns=docker.io",
		"/search?%zz=1&page=3":                                     "/search?page=3",
		"/images?sort=" + strings.Repeat("a", 41):                  "/images",
		"/images?page=1&page=1&page=2&page=3&page=4&page=5&page=6": "/images?page=1&page=2&page=3&page=4&page=5",
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := loggedPath(u); got != want || strings.Contains(got, "secret") {
			t.Errorf("%s is logged as %s", address, got)
		}
	}
}
