package search_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stowage/stowage/handlers"
	searchpages "github.com/stowage/stowage/handlers/search"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/test/pages"
)

// understanding is the handlers over a shelf, with a client that must not be asked: its registries are nowhere.
func understanding(t *testing.T, s *pages.Shelf) *handlers.Handlers {
	t.Helper()
	client, err := registry.New(registry.Options{DockerConfig: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	s.Ask(client)
	return s.Handlers
}

func TestWordsAreToldFromReferences(t *testing.T) {
	s := pages.New(t)
	s.Pull("postgres:15", "linux/amd64")
	s.Pull("postgres:latest", "linux/amd64")
	s.Pull("ghcr.io/acme/api:v2.14.0", "linux/amd64")
	h := understanding(t, s)
	const zeros = "0000000000000000000000000000000000000000000000000000000000000000"
	nowhere := "postgres@sha256:" + zeros
	for text, want := range map[string]struct {
		words, page string
		lead        searchpages.Lead
	}{
		// Words, also where the shelf has a repository of that name.
		"":                  {"", "", searchpages.LeadsNowhere},
		"  ":                {"", "", searchpages.LeadsNowhere},
		"postgres":          {"postgres", "", searchpages.LeadsNowhere},
		" postgres ":        {"postgres", "", searchpages.LeadsNowhere},
		"Postgres":          {"Postgres", "", searchpages.LeadsNowhere},
		"post":              {"post", "", searchpages.LeadsNowhere},
		"library/postgres":  {"library/postgres", "", searchpages.LeadsNowhere},
		"bitnami/redis":     {"bitnami/redis", "", searchpages.LeadsNowhere},
		"Bitnami/Redis":     {"Bitnami/Redis", "", searchpages.LeadsNowhere},
		"a/b/c":             {"a/b/c", "", searchpages.LeadsNowhere},
		"node.js":           {"node.js", "", searchpages.LeadsNowhere},
		"ghcr.io":           {"ghcr.io", "", searchpages.LeadsNowhere},
		"c++":               {"c++", "", searchpages.LeadsNowhere},
		"postgres 15":       {"postgres 15", "", searchpages.LeadsNowhere},
		"time series: fast": {"time series: fast", "", searchpages.LeadsNowhere},
		"데이터베이스":            {"데이터베이스", "", searchpages.LeadsNowhere},
		"포스트그레스:15":         {"포스트그레스:15", "", searchpages.LeadsNowhere},
		`"postgres"`:        {"postgres", "", searchpages.LeadsNowhere},
		"deadbeef":          {"deadbeef", "", searchpages.LeadsNowhere},
		"from scratch":      {"from scratch", "", searchpages.LeadsNowhere},
		"localhost:5000":    {"localhost:5000", "", searchpages.LeadsNowhere},
		"127.0.0.1:5000":    {"127.0.0.1:5000", "", searchpages.LeadsNowhere},
		// Not finished.
		"postgres:": {"postgres", "", searchpages.LeadsNowhere},
		"postgres@": {"postgres", "", searchpages.LeadsNowhere},
		"bitnami/":  {"bitnami/", "", searchpages.LeadsNowhere},
		"ghcr.io/":  {"ghcr.io/", "", searchpages.LeadsNowhere},
		"https://":  {"https://", "", searchpages.LeadsNowhere},
		// Stored.
		"postgres:15":                                 {"", "/images/docker.io/library/postgres:15", searchpages.LeadsToImage},
		"docker.io/library/postgres:15":               {"", "/images/docker.io/library/postgres:15", searchpages.LeadsToImage},
		"docker pull postgres:15":                     {"", "/images/docker.io/library/postgres:15", searchpages.LeadsToImage},
		"docker pull postgres":                        {"", "/images/docker.io/library/postgres:latest", searchpages.LeadsToImage},
		"docker.io/postgres":                          {"", "/images/docker.io/library/postgres:latest", searchpages.LeadsToImage},
		"docker pull --platform linux/amd64 postgres": {"", "/images/docker.io/library/postgres:latest?platform=linux/amd64", searchpages.LeadsToImage},
		"image: ghcr.io/acme/api:v2.14.0":             {"", "/images/ghcr.io/acme/api:v2.14.0", searchpages.LeadsToImage},
		// Stored, but not what is meant.
		"docker pull --platform linux/arm64 postgres":       {"", "/pull?ref=postgres&platform=linux/arm64", searchpages.LeadsToPull},
		"ghcr.io/acme/api":                                  {"", "/images/ghcr.io/acme/api", searchpages.LeadsToImage}, // other tags than latest
		"docker pull ghcr.io/acme/api":                      {"", "/images/ghcr.io/acme/api", searchpages.LeadsToImage},
		"FROM --platform=linux/amd64 ghcr.io/acme/api AS x": {"", "/pull?ref=ghcr.io/acme/api&platform=linux/amd64", searchpages.LeadsToPull},
		"docker pull --all-tags postgres":                   {"", "/pull?ref=postgres&all=1", searchpages.LeadsToPull},
		"docker pull -a --platform linux/arm64 postgres":    {"", "/pull?ref=postgres&all=1&platform=linux/arm64", searchpages.LeadsToPull},
		// Not stored.
		"postgres:16":                 {"", "/pull?ref=postgres:16", searchpages.LeadsToPull},
		"ghcr.io/org/app":             {"", "/pull?ref=ghcr.io/org/app", searchpages.LeadsToPull},
		"localhost/app":               {"", "/pull?ref=localhost/app", searchpages.LeadsToPull},
		"localhost:5000/team/app":     {"", "/pull?ref=localhost:5000/team/app", searchpages.LeadsToPull},
		"registry:5000/app:1":         {"", "/pull?ref=registry:5000/app:1", searchpages.LeadsToPull},
		"bitnami/redis:7":             {"", "/pull?ref=bitnami/redis:7", searchpages.LeadsToPull},
		nowhere:                       {"", "/pull?ref=" + nowhere, searchpages.LeadsToPull},
		"postgres:15@sha256:" + zeros: {"", "/pull?ref=" + nowhere, searchpages.LeadsToPull}, // the digest wins
		"docker pull redis":           {"", "/pull?ref=redis", searchpages.LeadsToPull},
		"docker run -d -p 80:80 --rm redis:7 server": {"", "/pull?ref=redis:7", searchpages.LeadsToPull},
		"docker run --platform linux/arm64 redis:7":  {"", "/pull?ref=redis:7&platform=linux/arm64", searchpages.LeadsToPull},
		"skopeo copy docker://redis:7 dir:/tmp/x":    {"", "/pull?ref=redis:7", searchpages.LeadsToPull},
		"FROM golang:1.26 AS build":                  {"", "/pull?ref=golang:1.26", searchpages.LeadsToPull},
		`"redis:7",`:                                 {"", "/pull?ref=redis:7", searchpages.LeadsToPull},
		"https://hub.docker.com/_/postgres":          {"", "/search?repo=postgres", searchpages.LeadsToTags},
		"hub.docker.com/r/bitnami/redis/tags?page=2": {"", "/search?repo=bitnami/redis", searchpages.LeadsToTags},
		"https://quay.io/repository/org/app":         {"", "/search?repo=quay.io/org/app", searchpages.LeadsToTags},
		"https://quay.io/repository/org/app?tag=1.2": {"", "/pull?ref=quay.io/org/app:1.2", searchpages.LeadsToPull},
		"https://github.com/kim/x/pkgs/container/x":  {"", "/search?repo=ghcr.io/kim/x", searchpages.LeadsToTags},
	} {
		m, err := h.Search.Understand(t.Context(), text)
		if err != nil || m.Words != want.words || m.Page != want.page || m.Lead != want.lead {
			t.Errorf("%q: %+v, %v, want %+v", text, m, err, want)
		}
	}
}

func TestIDsAndDigestsLeadToWhatTheShelfHas(t *testing.T) {
	s := pages.New(t)
	s.Pull("postgres:15", "linux/amd64")
	target := s.Target("postgres:15")
	id, index := target.Images[0].ID, target.Digest
	layers, err := s.Store.Images.ImageLayers(t.Context(), target.Images[0].Manifest)
	if err != nil || len(layers) == 0 {
		t.Fatalf("%v, %v", layers, err)
	}
	h := understanding(t, s)
	for text, want := range map[string]string{
		id.Encoded()[:12]:           "/images/" + string(id),
		id.Encoded()[:6]:            "/images/" + string(id),
		" " + id.Encoded() + " ":    "/images/" + string(id),
		string(id):                  "/images/" + string(id),
		string(id)[:10]:             "/images/" + string(id), // with sha256: before it, any number of digits will do
		`"` + string(id) + `"`:      "/images/" + string(id),
		string(index):               "/images/docker.io/library/postgres@" + string(index),
		index.Encoded()[:12]:        "/images/docker.io/library/postgres@" + string(index),
		"postgres@" + string(index): "/images/docker.io/library/postgres@" + string(index),
		string(layers[0].Digest):    "/layers/" + string(layers[0].Digest),
	} {
		if m, err := h.Search.Understand(t.Context(), text); err != nil || m.Page != want || m.Words != "" || m.Lead != searchpages.LeadsToImage {
			t.Errorf("%q: %+v, %v, want %s", text, m, err, want)
		}
	}
}

func TestWhatLooksLikeAReferenceAndIsNoneIsAnError(t *testing.T) {
	h := understanding(t, pages.New(t))
	for text, want := range map[string]struct {
		kind image.Kind
		says string
	}{
		"POSTGRES:15":                              {image.Invalid, "lower case: try postgres:15"},
		"ghcr.io/Org/app":                          {image.Invalid, "lower case"},
		"postgres:15!":                             {image.Invalid, "A tag is made of"},
		"postgres@sha256:abc":                      {image.Invalid, "this one has 3"},
		"someone@example.com":                      {image.Invalid, "After @ comes a digest"},
		"https://ghcr.io/org/app":                  {image.Invalid, "Leave"},
		"docker pull POSTGRES":                     {image.Invalid, "lower case"},
		"https://hub.docker.com/":                  {image.Invalid, "Type a name such as"},
		"hub.docker.com/r/only":                    {image.Invalid, "Type a name such as"},
		"sha256:beef":                              {image.NotFound, "Pull it by its name"},
		"deadbeefdead":                             {image.NotFound, "Pull it by its name"},
		strings.Repeat("0", 64):                    {image.NotFound, "Pull it by its name"},
		strings.Repeat("x", 601):                   {image.Invalid, "Type a name such as"},
		strings.Repeat("x", 300):                   {"", ""},
		strings.Repeat("x/", 150):                  {"", ""},
		"ghcr.io/" + strings.Repeat("x", 300):      {image.Invalid, "at most 255"},
		"x:" + strings.Repeat("1", 129):            {image.Invalid, "at most 128"},
		"docker pull --platform 'linux/<b>' redis": {image.Invalid, "os/architecture"},
	} {
		m, err := h.Search.Understand(t.Context(), text)
		switch {
		case want.kind == "" && (err != nil || m.Words == ""):
			t.Errorf("%q: %+v, %v, want words", text, m, err)
		case want.kind != "":
			says := ""
			if e := (*image.Error)(nil); errors.As(err, &e) {
				says = e.Suggestion
			}
			if image.KindOf(err) != want.kind || !strings.Contains(says, want.says) || m.Page != "" || m.Words != "" && m.Words != "deadbeefdead" {
				t.Errorf("%q: %+v, %v (%s), want %s %q", text, m, err, says, want.kind, want.says)
			}
		}
	}
}
