package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/sample"
)

// hub is Docker Hub as one test sees it: a real registry with some images of the sample library, and the stand-in for
// its search service. Both record what they are asked for and take faults and holds.
//
//	h := dockerHub(t, "library/ubuntu:22.04", "library/nginx:1.27")
//	s := startStowage(t, listRegistries(t, h.listed()))
type hub struct {
	registry *upstream
	search   *upstream
	tags     *sample.Large // what is in front of the registry: for thousands of tags and names
	found    []sample.Found
}

// dockerHub makes one that has these tags. Its search finds sample.HubFound: the official repositories of which a tag
// is there, and all that is made up, which is served by the first repository that is there.
func dockerHub(t *testing.T, names ...string) *hub {
	t.Helper()
	real := realUpstream(t)
	var tags sample.Pushed
	for _, name := range names {
		repository, tag, _ := strings.Cut(name, ":")
		tags = append(tags, sample.At(repository, tag, real.library(t, repository, tag)))
	}
	front := sample.NewLarge(real.Faulty, tags)
	h := &hub{tags: front, registry: serveFaulty(t, real.Faulty, front)}
	h.registry.push = real.push
	for _, f := range sample.HubFound() {
		switch {
		case f.Like != "":
			front.AddRepositories(tags[0].Repository, f.Repository)
		case len(tags.TagsOf(f.Repository)) > 0:
			front.Show(f.Repository)
		default:
			continue
		}
		h.found = append(h.found, f)
	}
	h.answers(t, sample.Hub{})
	return h
}

// answers sets the shape that its search service answers in: by default the one of today.
func (h *hub) answers(t *testing.T, shape sample.Hub) {
	t.Helper()
	shape.Found, shape.Tagged = h.found, h.tags
	h.search = standIn(t, shape.Handler())
}

// listed is its entry in the list of registries.
func (h *hub) listed() registry.Entry {
	return registry.Entry{Host: "docker.io", Address: h.registry.host, TLS: outbound.TLSOff, Search: registry.SearchHub, SearchURL: h.search.url()}
}

// standIn serves a search service, or a registry with one beside it, with faults and a record.
func standIn(t *testing.T, service http.Handler) *upstream {
	t.Helper()
	f := sample.NewFaulty(service)
	return serveFaulty(t, f, f)
}

// serveFaulty serves h, at whose bottom or top f is.
func serveFaulty(t *testing.T, f *sample.Faulty, h http.Handler) *upstream {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		f.Reset()
		server.CloseClientConnections()
		server.Close()
	})
	return &upstream{Faulty: f, host: strings.TrimPrefix(server.URL, "http://")}
}

// url is its base address.
func (u *upstream) url() string { return "http://" + u.host }

// listRegistries writes the file of a list and gives the argument that names it.
func listRegistries(t *testing.T, list ...registry.Entry) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("registries:\n")
	for _, l := range list {
		begin := "  - "
		for _, kv := range [][2]string{
			{"name", l.Host}, {"label", l.Label}, {"address", l.Address}, {"tls", string(l.TLS)}, {"ca", l.CAFile}, {"credentials", l.Credentials},
			{"search", string(l.Search)}, {"search-url", l.SearchURL}, {"mirror-of", l.MirrorOf},
		} {
			if kv[1] != "" {
				fmt.Fprintf(&b, "%s%s: %q\n", begin, kv[0], kv[1])
				begin = "    "
			}
		}
		for i, host := range l.Hosts {
			if i == 0 {
				b.WriteString("    hosts:\n")
			}
			fmt.Fprintf(&b, "      - %q\n", host)
		}
	}
	file := filepath.Join(t.TempDir(), "registries.yaml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return "--registries=" + file
}
