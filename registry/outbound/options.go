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

	// wraps how the guard dials: tests put their servers in place of hosts; nil: nothing does
	Dial  func(DialFunc) DialFunc
	Proxy ProxyFunc // nil: the environment's
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

// keepAlive is the pause between probes of a connection.
const keepAlive = 30 * time.Second
