package registry

import (
	"net/url"
	"slices"
	"strings"
)

// TLSMode says how far a registry's TLS is trusted.
type TLSMode string

// The modes. The zero value verifies certificates, and speaks plain HTTP to loopback hosts that have no TLS,
// as docker does; Options.InsecureHosts applies to it alone.
const (
	TLSVerify TLSMode = "verify"
	TLSSkip   TLSMode = "skip" // any certificate will do; plain HTTP where there is no TLS
	TLSOff    TLSMode = "off"  // plain HTTP
)

// Listed is a registry of the short list that the operator keeps. It is searched, and may be at a private
// address also where the server listens beyond loopback. What is listed without a port stands for the ports 443
// and 80, not for whatever else the host runs.
type Listed struct {
	Host        string     // as in references: "docker.io", "harbor.example.com:8443"
	Label       string     // for people: "Docker Hub"; empty means Host
	Address     string     // host[:port] that is spoken to instead of Host; empty means Host
	TLS         TLSMode    // of Host and Address
	CAFile      string     // PEM file of an authority that is trusted for this registry alone, and for Hosts
	Credentials string     // key in docker's config.json; empty means Host's own
	Hosts       []string   // other hosts that it may lead to at private addresses: its token server, its blob store
	Search      SearchKind // empty: found out by asking
	SearchURL   string     // where its search service answers, such as https://hub.docker.com; empty: the usual place
	At          string     // where the operator wrote it, for errors: "registries.yaml:4", "--registry"
	MirrorOf    string     // host whose references are fetched from this registry instead; such an entry is not searched by itself
}

// Name gives the label, or else the host.
func (l Listed) Name() string {
	if l.Label != "" {
		return l.Label
	}
	return l.Host
}

// answering gives host:port of where the registry itself answers.
func (l Listed) answering() []string {
	all := append(withPorts(l.Host), withPorts(apiOf(l.Host))...)
	if l.Address != "" {
		all = append(all, withPorts(l.Address)...)
	}
	return all
}

// dialled gives host:port of all that belongs to the registry.
func (l Listed) dialled() []string {
	all := l.answering()
	for _, host := range l.Hosts {
		all = append(all, withPorts(host)...)
	}
	if u, err := url.Parse(l.SearchURL); err == nil && u.Host != "" {
		all = append(all, normal(hostPort(u)))
	}
	return all
}

// checked gives host:port of all whose certificates are checked because the entry says so.
func (l Listed) checked() []string {
	switch {
	case l.CAFile != "":
		return l.dialled()
	case l.TLS == TLSVerify:
		return l.answering()
	}
	return nil
}

// Listed gives the list without the mirrors: Docker Hub first unless the operator put it elsewhere.
func (c *Client) Listed() []Listed {
	var all []Listed
	for _, l := range c.list {
		if l.MirrorOf == "" {
			l.Hosts = slices.Clone(l.Hosts)
			all = append(all, l)
		}
	}
	return all
}

// Find gives the list's entry of a host, unless that is a mirror.
func (c *Client) Find(host string) (Listed, bool) {
	l, found := c.entry(host)
	if !found || l.MirrorOf != "" {
		return Listed{}, false
	}
	l.Hosts = slices.Clone(l.Hosts)
	return l, true
}

// entry gives a host's own entry, be it a mirror.
func (c *Client) entry(host string) (Listed, bool) {
	return c.first(func(l Listed) bool { return strings.EqualFold(l.Host, host) })
}

// mirrorOf gives the entry that is a host's mirror.
func (c *Client) mirrorOf(host string) (Listed, bool) {
	return c.first(func(l Listed) bool { return strings.EqualFold(l.MirrorOf, host) })
}

func (c *Client) first(is func(Listed) bool) (Listed, bool) {
	if i := slices.IndexFunc(c.list, is); i >= 0 {
		return c.list[i], true
	}
	return Listed{}, false
}
