// Package outbound is the only way out to other hosts. It judges each address before it connects, and checks
// certificates as the operator says. How the parts hang together:
//
//	Client ── Origin (a host that requests are made for, and whether it is on this network)
//	            └─ route (an http.RoundTripper for each way of checking certificates)
//	                 └─ guard (judges each address before it is connected to)
package outbound

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
)

// Client sends requests. It may be used by many goroutines at once.
type Client struct {
	opts     Options
	insecure insecureHosts
	routes   routes
	onward   routes // to where a host from outside leads; the same where private addresses are closed anyway
}

// New makes a client. It fails where a CA file cannot be read, and with a PeerError where a peer makes no sense.
func New(opts Options) (*Client, error) {
	if opts.Proxy == nil {
		opts.Proxy = http.ProxyFromEnvironment
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Client{opts: opts, insecure: newInsecureHosts(opts.InsecureHosts)}
	var err error
	if c.routes, err = newRoutes(opts); err != nil {
		return nil, err
	}
	c.onward = c.routes
	if opts.AllowPrivate {
		opts.AllowPrivate = false
		if c.onward, err = newRoutes(opts); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Close drops idle connections. The client stays usable.
func (c *Client) Close() {
	c.routes.closeIdle()
	c.onward.closeIdle()
}

// Inward reports whether a redirect leads from outside to this machine. It goes by names, before anything is dialled:
// what is dialled is judged in any case. A host that the operator lists may be led to.
func (c *Client) Inward(ctx context.Context, from, to *url.URL) bool {
	return from.Host != to.Host && !c.routes.verified.guard.listed[normal(HostPort(to))] &&
		leadsHere(ctx, to.Hostname()) && !leadsHere(ctx, from.Hostname())
}

// route picks the route to an address: certificates go unverified for the hosts named as insecure, and for nothing that
// those redirect to; a peer's own authority is trusted for it alone.
func (c *Client) route(r routes, u *url.URL) *route {
	if own := r.own[normal(HostPort(u))]; own != nil {
		return own
	}
	if c.insecure.has(u.Host) {
		return r.unverified
	}
	return r.verified
}
