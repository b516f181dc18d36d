package registry

import (
	"net/url"
	"slices"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/logins"
	"github.com/stowage/stowage/registry/outbound"
)

// SearchKind is a way of searching a registry.
type SearchKind string

// The kinds.
const (
	SearchAuto    SearchKind = ""        // found out by asking, and remembered
	SearchHub     SearchKind = "hub"     // Docker Hub's own API, or else its v1 search
	SearchQuay    SearchKind = "quay"    // /api/v1/find/repositories
	SearchHarbor  SearchKind = "harbor"  // /api/v2.0/search
	SearchV1      SearchKind = "v1"      // /v1/search, what docker search asks
	SearchCatalog SearchKind = "catalog" // /v2/_catalog, filtered here
	SearchOff     SearchKind = "off"
)

// Entry is a registry of the short list that the operator keeps. It is searched, and may be at a private
// address also where the server listens beyond loopback. What is listed without a port stands for the ports 443
// and 80, not for whatever else the host runs.
type Entry struct {
	Host        string           // as in references: "docker.io", "harbor.example.com:8443"
	Label       string           // for people: "Docker Hub"; empty means Host
	Address     string           // host[:port] that is spoken to instead of Host; empty means Host
	TLS         outbound.TLSMode // of Host and Address
	CAFile      string           // PEM file of an authority that is trusted for this registry alone, and for Hosts
	Credentials string           // key in docker's config.json; empty means Host's own
	Hosts       []string         // other hosts that it may lead to at private addresses: its token server, its blob store
	Search      SearchKind       // empty: found out by asking
	// where its search service answers, such as https://hub.docker.com; empty: the usual place
	SearchURL string
	At        string // where the operator wrote it, for errors: "registries.yaml:4", "--registry"
	// host whose references are fetched from this registry instead; such an entry is not searched by itself
	MirrorOf string
}

// Name returns the label, or else the host.
func (e Entry) Name() string {
	if e.Label != "" {
		return e.Label
	}
	return e.Host
}

// peer returns what the entry says of connections.
func (e Entry) peer() outbound.Peer {
	p := outbound.Peer{Hosts: []string{e.Host, apiOf(e.Host)}, Others: slices.Clone(e.Hosts), TLS: e.TLS, CAFile: e.CAFile}
	if e.Address != "" {
		p.Hosts = append(p.Hosts, e.Address)
	}
	if u, err := url.Parse(e.SearchURL); err == nil && u.Host != "" {
		p.Others = append(p.Others, outbound.HostPort(u))
	}
	return p
}

// apiOf returns where a host of references answers when nothing else is said.
func apiOf(host string) string {
	if host == image.DockerHub {
		return logins.HubAPI
	}
	return host
}

// entries are the operator's list, with Docker Hub, checked.
type entries []Entry

// entry returns a host's own entry, be it a mirror.
func (l entries) entry(host string) (Entry, bool) {
	return l.first(func(e Entry) bool { return strings.EqualFold(e.Host, host) })
}

// mirrorOf returns the entry that is a host's mirror.
func (l entries) mirrorOf(host string) (Entry, bool) {
	return l.first(func(e Entry) bool { return strings.EqualFold(e.MirrorOf, host) })
}

func (l entries) first(is func(Entry) bool) (Entry, bool) {
	if i := slices.IndexFunc(l, is); i >= 0 {
		return l[i], true
	}
	return Entry{}, false
}
