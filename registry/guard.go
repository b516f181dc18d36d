package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/stowage/stowage/image"
)

// guard decides which addresses are dialled: people type any host, and any registry redirects and names token
// servers as it likes. It judges the very address that the kernel is about to connect to, so neither a name's
// second look-up nor a redirect gets round it.
//
// Where the operator set a proxy in the environment, that is what is dialled, and names are the proxy's to
// look up and to refuse. What can be told from the name alone is refused here nevertheless.
type guard struct {
	private bool            // private addresses may be spoken to whoever names them
	listed  map[string]bool // host:port that the operator named: those may be at private addresses
	timeout time.Duration
	log     *slog.Logger // which address it was: people are told only what kind of
}

func newGuard(opts Options, list []Listed) *guard {
	g := &guard{private: opts.AllowPrivate, listed: map[string]bool{}, timeout: opts.ConnectTimeout, log: opts.Logger}
	for _, l := range list {
		for _, hostport := range l.dialled() {
			g.listed[hostport] = true
		}
	}
	return g
}

// dial connects to one of a host's addresses that may be spoken to.
func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var allowed atomic.Bool // one of its addresses
	d := net.Dialer{Timeout: g.timeout, KeepAlive: 30 * time.Second}
	d.ControlContext = func(_ context.Context, _, dialled string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(dialled)
		if err != nil {
			return fmt.Errorf("dial %s: %w", address, err)
		}
		kind, what := classOf(at.Addr())
		if err := g.judge(address, dialled, kind, what); err != nil {
			g.log.DebugContext(ctx, "address is not dialled", "host", address, "address", dialled, "what", what.String())
			return err
		}
		allowed.Store(true)
		return nil
	}
	conn, err := d.DialContext(ctx, network, address)
	var refused *refusal
	if allowed.Load() && errors.As(err, &refused) {
		// The dialer gives the first address's error, but it is the others that should have answered.
		return nil, fmt.Errorf("dial %s: none of the addresses that may be spoken to answers", address)
	}
	return conn, err
}

// judgeName refuses an address by what is written, for where somebody else dials it.
func (g *guard) judgeName(u *url.URL) error {
	kind, what := classOfName(u.Hostname())
	return g.judge(hostPort(u), u.Hostname(), kind, what)
}

// inward tells a redirect from outside to this machine, which regclient refuses for its own requests. It goes by
// names, before anything is dialled: what is dialled is judged in any case.
func (g *guard) inward(ctx context.Context, from, to *url.URL) bool {
	return from.Host != to.Host && !g.listed[normal(hostPort(to))] && leadsHere(ctx, to.Hostname()) && !leadsHere(ctx, from.Hostname())
}

// inside reports whether host[:port] is at a private address or on this machine, where those may be spoken to whoever
// names them.
func (g *guard) inside(ctx context.Context, hostport string) bool {
	if !g.private {
		return false
	}
	host := hostname(hostport)
	if kind, _ := classOfName(host); kind == private {
		return true
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	return err == nil && len(addresses) > 0 && !slices.ContainsFunc(addresses, func(a netip.Addr) bool {
		kind, _ := classOf(a)
		return kind != private
	})
}

// leadsHere tells whether a host is this machine.
func leadsHere(ctx context.Context, host string) bool {
	if loopback(host) {
		return true
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	return err == nil && slices.ContainsFunc(addresses, func(a netip.Addr) bool { return a.Unmap().IsLoopback() })
}

func (g *guard) judge(address, at string, kind class, what image.Text) error {
	if kind == public || kind == private && (g.private || g.listed[normal(address)]) {
		return nil
	}
	return (&refusal{address: address, at: at, class: kind, what: what}).explain("", "")
}

// refusal is the cause of an error of kind Forbidden: an address that is not spoken to.
type refusal struct {
	address string // host:port that was to be dialled
	at      string // what it led to: for the log alone
	class   class
	what    image.Text
}

// Error implements error.
func (r *refusal) Error() string { return fmt.Sprintf("%s is at %s, %s", r.address, r.at, r.what) }

// explain says why a registry that answers at api cannot be spoken to; both are empty where that is not known.
func (r *refusal) explain(host, api string) error {
	name := clean(withoutPort(r.address))
	if api != "" && withoutPort(api) == name {
		name, host = clean(host), ""
	}
	e := image.Errorf(image.Forbidden, "this server may not connect to %s: it is at %s", name, r.what)
	if host != "" && withoutPort(host) != name {
		e = image.Errorf(image.Forbidden, "%s leads to %s, where this server may not connect: it is at %s", clean(host), name, r.what)
	}
	if r.class == never {
		return e.Because(r).Suggest("No setting allows this. Check the registry's name, and this server's DNS.")
	}
	return e.Because(r).Suggest("Whoever runs this server can allow it: start it with --registry %s.", name)
}

// normal gives host:port as it is compared.
func normal(hostport string) string {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return strings.ToLower(hostport)
	}
	if a, err := netip.ParseAddr(host); err == nil {
		host = a.Unmap().String()
	}
	return strings.ToLower(net.JoinHostPort(host, port))
}

// withPorts gives host:port for host[:port]. Without a port it stands for those of https and http, and not for
// what else may run on the host.
func withPorts(hostport string) []string {
	if _, _, err := net.SplitHostPort(hostport); err == nil {
		return []string{normal(hostport)}
	}
	name := strings.Trim(hostport, "[]")
	return []string{normal(net.JoinHostPort(name, "443")), normal(net.JoinHostPort(name, "80"))}
}

// hostPort gives the host and port that a URL is dialled at when no proxy is.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// withoutPort takes the ports off that nobody types.
func withoutPort(hostport string) string {
	host, port, err := net.SplitHostPort(hostport)
	switch {
	case err != nil || port != "443" && port != "80":
		return hostport
	case strings.Contains(host, ":"):
		return "[" + host + "]"
	}
	return host
}
