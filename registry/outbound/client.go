// Package outbound is the only way out to other hosts. It judges each address before it connects, checks certificates as
// the operator says, and reads what comes back within bounds. How the parts hang together:
//
//	Client ── Origin (a host that requests are made for, and whether it is on this network)
//	            └─ route (an http.RoundTripper for each way of checking certificates)
//	                 └─ guard (judges each address before it is connected to)
package outbound

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/stowage/stowage/image"
)

// Options configures a Client.
type Options struct {
	Peers         []Peer        // that the operator lists
	InsecureHosts []string      // host, or host:port: their certificates are not checked
	CAFiles       []string      // PEM files of authorities that are trusted beside the system's
	AllowPrivate  bool          // private addresses may be spoken to whoever names them
	Connections   int           // to one host that are kept for the next request
	Connect       time.Duration // for connecting and for the TLS handshake, each
	Header        time.Duration // from a request to the head of its answer
	UserAgent     string        // of requests for a host's scheme
	Logger        *slog.Logger  // learns which addresses are refused; nil for none

	Dial  func(DialFunc) DialFunc // wraps how the guard dials: tests put their servers in place of hosts; nil: nothing does
	Proxy ProxyFunc               // nil: the environment's
}

type (
	// DialFunc connects to host:port.
	DialFunc func(ctx context.Context, network, address string) (net.Conn, error)
	// ProxyFunc returns the proxy of a request; nil where it has none.
	ProxyFunc func(*http.Request) (*url.URL, error)
)

// Peer is what the operator lists of a registry and of what belongs to it.
type Peer struct {
	Hosts  []string // host[:port] where it answers itself
	Others []string // host[:port] where it may lead at private addresses: its token server, its blob store
	TLS    TLSMode  // of Hosts
	CAFile string   // PEM file of an authority that is trusted for this peer alone
}

// Dialled returns host:port of all that belongs to the peer.
func (p Peer) Dialled() []string { return append(withPorts(p.Hosts), withPorts(p.Others)...) }

// checked returns host:port of all whose certificates are checked because the operator says so.
func (p Peer) checked() []string {
	switch {
	case p.CAFile != "":
		return p.Dialled()
	case p.TLS == TLSVerify:
		return withPorts(p.Hosts)
	}
	return nil
}

// Checks reports whether the operator says that the certificate of host[:port] is checked, whatever InsecureHosts says.
func (p Peer) Checks(hostport string) bool {
	at := withPorts([]string{hostport})[0]
	for _, checked := range p.checked() {
		if checked == at {
			return true
		}
	}
	return false
}

// PeerError says what is wrong with a peer.
type PeerError struct {
	Peer    int // in Options.Peers
	Problem image.Text
	Err     error // nil where Problem says all
}

// Error implements error.
func (e *PeerError) Error() string { return e.Problem.String() }

// Unwrap returns the cause.
func (e *PeerError) Unwrap() error { return e.Err }

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
