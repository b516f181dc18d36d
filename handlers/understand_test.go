package handlers

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/search"
)

// understanding is the handlers over a shelf, with a client that must not be asked: its registries are nowhere.
func understanding(t *testing.T, s *testShelf) *Handlers {
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
	return New(Options{Store: s.store, Queue: s.queue, Registry: client, Search: search.New(client, client.Outbound()), Logger: slog.New(slog.DiscardHandler)})
}

func TestWordsAreToldFromReferences(t *testing.T) {
	s := newShelf(t)
	s.pull("postgres:15", "linux/amd64")
	s.pull("postgres:latest", "linux/amd64")
	s.pull("ghcr.io/acme/api:v2.14.0", "linux/amd64")
	h := understanding(t, s)
	const zeros = "0000000000000000000000000000000000000000000000000000000000000000"
	nowhere := "postgres@sha256:" + zeros
	for text, want := range map[string]struct {
		words, page string
		lead        lead
	}{
		// Words, also where the shelf has a repository of that name.
		"":                  {"", "", leadsNowhere},
		"  ":                {"", "", leadsNowhere},
		"postgres":          {"postgres", "", leadsNowhere},
		" postgres ":        {"postgres", "", leadsNowhere},
		"Postgres":          {"Postgres", "", leadsNowhere},
		"post":              {"post", "", leadsNowhere},
		"library/postgres":  {"library/postgres", "", leadsNowhere},
		"bitnami/redis":     {"bitnami/redis", "", leadsNowhere},
		"Bitnami/Redis":     {"Bitnami/Redis", "", leadsNowhere},
		"a/b/c":             {"a/b/c", "", leadsNowhere},
		"node.js":           {"node.js", "", leadsNowhere},
		"ghcr.io":           {"ghcr.io", "", leadsNowhere},
		"c++":               {"c++", "", leadsNowhere},
		"postgres 15":       {"postgres 15", "", leadsNowhere},
		"time series: fast": {"time series: fast", "", leadsNowhere},
		"데이터베이스":            {"데이터베이스", "", leadsNowhere},
		"포스트그레스:15":         {"포스트그레스:15", "", leadsNowhere},
		`"postgres"`:        {"postgres", "", leadsNowhere},
		"deadbeef":          {"deadbeef", "", leadsNowhere},
		"from scratch":      {"from scratch", "", leadsNowhere},
		"localhost:5000":    {"localhost:5000", "", leadsNowhere},
		"127.0.0.1:5000":    {"127.0.0.1:5000", "", leadsNowhere},
		// Not finished.
		"postgres:": {"postgres", "", leadsNowhere},
		"postgres@": {"postgres", "", leadsNowhere},
		"bitnami/":  {"bitnami/", "", leadsNowhere},
		"ghcr.io/":  {"ghcr.io/", "", leadsNowhere},
		"https://":  {"https://", "", leadsNowhere},
		// Stored.
		"postgres:15":                                 {"", "/images/docker.io/library/postgres:15", leadsToImage},
		"docker.io/library/postgres:15":               {"", "/images/docker.io/library/postgres:15", leadsToImage},
		"docker pull postgres:15":                     {"", "/images/docker.io/library/postgres:15", leadsToImage},
		"docker pull postgres":                        {"", "/images/docker.io/library/postgres:latest", leadsToImage},
		"docker.io/postgres":                          {"", "/images/docker.io/library/postgres:latest", leadsToImage},
		"docker pull --platform linux/amd64 postgres": {"", "/images/docker.io/library/postgres:latest?platform=linux/amd64", leadsToImage},
		"image: ghcr.io/acme/api:v2.14.0":             {"", "/images/ghcr.io/acme/api:v2.14.0", leadsToImage},
		// Stored, but not what is meant.
		"docker pull --platform linux/arm64 postgres":       {"", "/pull?ref=postgres&platform=linux/arm64", leadsToPull},
		"ghcr.io/acme/api":                                  {"", "/images/ghcr.io/acme/api", leadsToImage}, // other tags than latest
		"docker pull ghcr.io/acme/api":                      {"", "/images/ghcr.io/acme/api", leadsToImage},
		"FROM --platform=linux/amd64 ghcr.io/acme/api AS x": {"", "/pull?ref=ghcr.io/acme/api&platform=linux/amd64", leadsToPull},
		"docker pull --all-tags postgres":                   {"", "/pull?ref=postgres&all=1", leadsToPull},
		"docker pull -a --platform linux/arm64 postgres":    {"", "/pull?ref=postgres&all=1&platform=linux/arm64", leadsToPull},
		// Not stored.
		"postgres:16":                 {"", "/pull?ref=postgres:16", leadsToPull},
		"ghcr.io/org/app":             {"", "/pull?ref=ghcr.io/org/app", leadsToPull},
		"localhost/app":               {"", "/pull?ref=localhost/app", leadsToPull},
		"localhost:5000/team/app":     {"", "/pull?ref=localhost:5000/team/app", leadsToPull},
		"registry:5000/app:1":         {"", "/pull?ref=registry:5000/app:1", leadsToPull},
		"bitnami/redis:7":             {"", "/pull?ref=bitnami/redis:7", leadsToPull},
		nowhere:                       {"", "/pull?ref=" + nowhere, leadsToPull},
		"postgres:15@sha256:" + zeros: {"", "/pull?ref=" + nowhere, leadsToPull}, // the digest wins
		"docker pull redis":           {"", "/pull?ref=redis", leadsToPull},
		"docker run -d -p 80:80 --rm redis:7 server": {"", "/pull?ref=redis:7", leadsToPull},
		"docker run --platform linux/arm64 redis:7":  {"", "/pull?ref=redis:7&platform=linux/arm64", leadsToPull},
		"skopeo copy docker://redis:7 dir:/tmp/x":    {"", "/pull?ref=redis:7", leadsToPull},
		"FROM golang:1.26 AS build":                  {"", "/pull?ref=golang:1.26", leadsToPull},
		`"redis:7",`:                                 {"", "/pull?ref=redis:7", leadsToPull},
		"https://hub.docker.com/_/postgres":          {"", "/search?repo=postgres", leadsToTags},
		"hub.docker.com/r/bitnami/redis/tags?page=2": {"", "/search?repo=bitnami/redis", leadsToTags},
		"https://quay.io/repository/org/app":         {"", "/search?repo=quay.io/org/app", leadsToTags},
		"https://quay.io/repository/org/app?tag=1.2": {"", "/pull?ref=quay.io/org/app:1.2", leadsToPull},
		"https://github.com/kim/x/pkgs/container/x":  {"", "/search?repo=ghcr.io/kim/x", leadsToTags},
	} {
		m, err := h.understand(t.Context(), text)
		if err != nil || m.Words != want.words || m.Page != want.page || m.Lead != want.lead {
			t.Errorf("%q: %+v, %v, want %+v", text, m, err, want)
		}
	}
}

func TestIDsAndDigestsLeadToWhatTheShelfHas(t *testing.T) {
	s := newShelf(t)
	s.pull("postgres:15", "linux/amd64")
	target := s.target("postgres:15")
	id, index := target.Images[0].ID, target.Digest
	layers, err := s.store.ImageLayers(t.Context(), target.Images[0].Manifest)
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
		if m, err := h.understand(t.Context(), text); err != nil || m.Page != want || m.Words != "" || m.Lead != leadsToImage {
			t.Errorf("%q: %+v, %v, want %s", text, m, err, want)
		}
	}
}

func TestWhatLooksLikeAReferenceAndIsNoneIsAnError(t *testing.T) {
	h := understanding(t, newShelf(t))
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
		m, err := h.understand(t.Context(), text)
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
