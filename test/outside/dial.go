package outside

import (
	"context"
	"net"
	"net/netip"

	"github.com/stowage/stowage/registry/outbound"
)

// DialTo stands in for the network, and the guard: host:port to the address of a server of the test. Other hosts do not
// exist. Each is at the address that its name leads to, if any.
func DialTo(addresses map[string]string) func(outbound.DialFunc) outbound.DialFunc {
	return Dial(addresses, func(_ context.Context, network, address string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(address)
		return nil, &net.OpError{Op: "dial", Net: network,
			Err: &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}}
	})
}

// PastTheGuard dials servers of the test in place of some hosts, which are at the addresses that their names lead to,
// and leaves the rest to the guard.
func PastTheGuard(addresses map[string]string) func(outbound.DialFunc) outbound.DialFunc {
	return func(guarded outbound.DialFunc) outbound.DialFunc { return Dial(addresses, guarded)(guarded) }
}

// Dial dials servers of the test in place of some hosts, and others by a function.
func Dial(addresses map[string]string, others outbound.DialFunc) func(outbound.DialFunc) outbound.DialFunc {
	return func(outbound.DialFunc) outbound.DialFunc {
		return func(ctx context.Context, network, address string) (net.Conn, error) {
			to, found := addresses[address]
			if !found {
				return others(ctx, network, address)
			}
			conn, err := new(net.Dialer).DialContext(ctx, network, to)
			if err != nil {
				return nil, err
			}
			return at(conn, address), nil
		}
	}
}

// at makes a connection look like one to the address that the host of host:port leads to.
func at(conn net.Conn, hostport string) net.Conn {
	host, _, _ := net.SplitHostPort(hostport)
	if all := names.of(host); len(all) > 0 {
		return elsewhere{conn, net.TCPAddrFromAddrPort(netip.AddrPortFrom(all[0], 443))}
	}
	return conn
}

type elsewhere struct {
	net.Conn
	remote net.Addr
}

// RemoteAddr implements net.Conn.
func (e elsewhere) RemoteAddr() net.Addr { return e.remote }
