package outbound

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/response"
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

func newGuard(opts Options) *guard {
	g := &guard{private: opts.AllowPrivate, listed: map[string]bool{}, timeout: opts.Connect, log: opts.Logger}
	for _, p := range opts.Peers {
		for _, hostport := range p.Dialled() {
			g.listed[hostport] = true
		}
	}
	return g
}

// dial connects to one of a host's addresses that may be spoken to.
func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var allowed atomic.Bool // one of its addresses
	d := net.Dialer{Timeout: g.timeout, KeepAlive: keepAlive}
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
	var refused *ForbiddenAddress
	if allowed.Load() && errors.As(err, &refused) {
		// The dialer gives the first address's error, but it is the others that should have answered.
		return nil, fmt.Errorf("dial %s: none of the addresses that may be spoken to answers", address)
	}
	return conn, err
}

// judgeName refuses an address by what is written, for where somebody else dials it.
func (g *guard) judgeName(u *url.URL) error {
	kind, what := classOfName(u.Hostname())
	return g.judge(HostPort(u), u.Hostname(), kind, what)
}

func (g *guard) judge(address, at string, kind class, what image.Text) error {
	if kind == public || kind == private && (g.private || g.listed[normal(address)]) {
		return nil
	}
	return (&ForbiddenAddress{address: address, at: at, class: kind, what: what}).Explain("", "")
}

// ForbiddenAddress is the cause of an error of kind Forbidden: an address that is not spoken to.
type ForbiddenAddress struct {
	address string // host:port that was to be dialled
	at      string // what it led to: for the log alone
	class   class
	what    image.Text
}

// Error implements error.
func (r *ForbiddenAddress) Error() string {
	return fmt.Sprintf("%s is at %s, %s", r.address, r.at, r.what)
}

// Explain says why a registry that answers at api cannot be spoken to; both are empty where that is not known.
func (r *ForbiddenAddress) Explain(host, api string) error {
	name := response.Clean(withoutPort(r.address))
	if api != "" && withoutPort(api) == name {
		name, host = response.Clean(host), ""
	}
	e := image.Errorf(image.Forbidden, "this server may not connect to %s: it is at %s", name, r.what)
	if host != "" && withoutPort(host) != name {
		e = image.Errorf(image.Forbidden, "%s leads to %s, where this server may not connect: it is at %s",
			response.Clean(host), name, r.what)
	}
	if r.class == never {
		return e.Because(r).Suggest("No setting allows this. Check the registry's name, and this server's DNS.")
	}
	return e.Because(r).Suggest("Whoever runs this server can allow it: start it with --registry %s.", name)
}
