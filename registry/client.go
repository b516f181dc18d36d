// Package registry talks to upstream registries over regclient: it resolves references, fetches indexes,
// manifests and blobs, and lists tags. Everything that comes back is bounded in size and time, and every
// failure is an image.Error that names the host and the reference and says what to do next.
//
// How the parts hang together:
//
//	Client ── upstream (one per host: plain HTTP or TLS, credentials, its own regclient)
//	             └─ transport (http.RoundTripper under regclient: Accept, Range, limits, status to error)
//	                  └─ outbound.Origin (the way out), response (what comes back)
//
// regclient does references, token and basic authentication, redirects and paging. It does not retry here:
// the pull queue does that, where people can see it.
package registry

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/memo"
	"github.com/stowage/stowage/registry/logins"
	"github.com/stowage/stowage/registry/outbound"
)

// Limits on the listings of tags that are remembered.
const (
	tagsLife = time.Minute
	mostTags = 500
	roomTags = 16 << 20 // bytes of them all
)

// Client talks to any number of registries. It may be used by many goroutines at once.
type Client struct {
	opts      Options
	upstreams upstreams
	tags      *memo.Memo[image.Repository, string] // one tag on a line: one piece of memory for thousands
}

// New makes a client. It fails where a CA file cannot be read, and with an image.Error of kind Invalid where
// an entry of the list makes no sense.
func New(opts Options) (*Client, error) {
	opts = opts.withDefaults()
	list, err := checkList(opts.Registries)
	if err != nil {
		return nil, err
	}
	out, err := outbound.New(opts.outbound(list))
	var peer *outbound.PeerError
	if errors.As(err, &peer) {
		return nil, invalidEntry(list[peer.Peer], peer.Problem).Because(peer.Err)
	}
	if err != nil {
		return nil, err
	}
	return &Client{
		opts: opts,
		upstreams: upstreams{
			opts: opts, list: list, out: out, slots: map[string]*slot{},
			logins: logins.Logins{File: filepath.Join(opts.DockerConfig, logins.ConfigFile), Log: opts.Logger},
		},
		tags: memo.New(tagsLife, mostTags, roomTags,
			func(r image.Repository, lines string) int64 { return int64(len(r) + len(lines)) }),
	}, nil
}

// Outbound returns the way out that the client takes, for those who ask registries for more than it does.
func (c *Client) Outbound() *outbound.Client { return c.upstreams.out }

// Close drops idle connections. The client stays usable.
func (c *Client) Close() error {
	c.upstreams.out.Close()
	return nil
}

// Listed returns the list without the mirrors: Docker Hub first unless the operator put it elsewhere.
func (c *Client) Listed() []Entry {
	var all []Entry
	for _, e := range c.upstreams.list {
		if e.MirrorOf == "" {
			e.Hosts = slices.Clone(e.Hosts)
			all = append(all, e)
		}
	}
	return all
}

// Find returns the list's entry of a host, unless that is a mirror.
func (c *Client) Find(host string) (Entry, bool) {
	e, found := c.upstreams.list.entry(host)
	if !found || e.MirrorOf != "" {
		return Entry{}, false
	}
	e.Hosts = slices.Clone(e.Hosts)
	return e, true
}

// HostOf returns how a host is spoken to, as far as the list says. What only asking tells is not in it; see Reach.
func (c *Client) HostOf(name string) Host { return c.upstreams.host(name) }

// Reach returns a host with its scheme and its login, which are found out on first use. Errors are image.Errors, or the
// context's.
func (c *Client) Reach(ctx context.Context, name string) (Host, error) {
	u, err := c.upstreams.get(ctx, subjectOfSearch(name))
	if err != nil {
		return Host{}, err
	}
	return u.Host, nil
}

// Allowance returns what a registry said last; false where it never said anything, or no longer limits us.
func (c *Client) Allowance(host string) (Allowance, bool) { return c.upstreams.rates.of(host) }
