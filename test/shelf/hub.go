package shelf

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/sample/fake"
)

// Hub is Docker Hub as one test sees it: a real registry with some images of the sample library, and the stand-in for
// its search service. Both record what they are asked for and take faults and holds.
//
//	h := DockerHub(t, "library/ubuntu:22.04", "library/nginx:1.27")
//	s := Start(t, ListRegistries(t, h.listed()))
type Hub struct {
	Registry *Upstream
	Search   *Upstream
	Tags     *fake.Large // what is in front of the registry: for thousands of tags and names
	found    []fake.Found
}

// DockerHub makes one that has these tags. Its search finds fake.HubFound: the official repositories of which a tag
// is there, and all that is made up, which is served by the first repository that is there.
func DockerHub(t *testing.T, names ...string) *Hub {
	t.Helper()
	real := RealUpstream(t)
	var tags fake.Pushed
	for _, name := range names {
		repository, tag, _ := strings.Cut(name, ":")
		tags = append(tags, fake.At(repository, tag, real.Library(t, repository, tag)))
	}
	front := fake.NewLarge(real.Faulty, tags)
	h := &Hub{Tags: front, Registry: ServeFaulty(t, real.Faulty, front)}
	h.Registry.push = real.push
	for _, f := range fake.HubFound() {
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
	h.Answers(t, fake.Hub{})
	return h
}

// Answers sets the shape that its search service answers in: by default the one of today.
func (h *Hub) Answers(t *testing.T, shape fake.Hub) {
	t.Helper()
	shape.Found, shape.Tagged = h.found, h.Tags
	h.Search = StandIn(t, shape.Handler())
}

// Listed is its entry in the list of registries.
func (h *Hub) Listed() registry.Entry {
	return registry.Entry{Host: "docker.io", Address: h.Registry.Host, TLS: outbound.TLSOff, Search: registry.SearchHub,
		SearchURL: h.Search.URL()}
}

// StandIn serves a search service, or a registry with one beside it, with faults and a record.
func StandIn(t *testing.T, service http.Handler) *Upstream {
	t.Helper()
	f := fake.NewFaulty(service)
	return ServeFaulty(t, f, f)
}

// ServeFaulty serves h, at whose bottom or top f is.
func ServeFaulty(t *testing.T, f *fake.Faulty, h http.Handler) *Upstream {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		f.Reset()
		server.CloseClientConnections()
		server.Close()
	})
	return &Upstream{Faulty: f, Host: strings.TrimPrefix(server.URL, "http://")}
}

// URL is its base address.
func (u *Upstream) URL() string { return "http://" + u.Host }

// ListRegistries writes the file of a list and gives the argument that names it.
func ListRegistries(t *testing.T, list ...registry.Entry) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("registries:\n")
	for _, l := range list {
		begin := "  - "
		for _, kv := range [][2]string{
			{"name", l.Host}, {"label", l.Label}, {"address", l.Address}, {"tls", string(l.TLS)}, {"ca", l.CAFile},
			{"credentials", l.Credentials},
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
	return "--registries=" + RegistriesFile(t, b.String())
}
