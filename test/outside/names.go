package outside

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// names is the DNS of tests that run by Main: they look nothing up outside.
var names = &nameServer{addresses: map[string][]netip.Addr{}}

// Main runs the tests of a package with names of their own; call it from TestMain.
func Main(m *testing.M) {
	conn, err := new(net.ListenConfig).ListenPacket(context.Background(), "udp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go names.serve(conn)
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	os.Exit(m.Run())
}

// nameServer answers for the names of tests; there are no others.
type nameServer struct {
	mu        sync.Mutex
	addresses map[string][]netip.Addr
}

// Lead makes a name resolve to addresses until the test ends.
func Lead(t *testing.T, name string, addresses ...string) {
	t.Helper()
	var all []netip.Addr
	for _, a := range addresses {
		all = append(all, netip.MustParseAddr(a))
	}
	names.set(name, all)
	t.Cleanup(func() { names.set(name, nil) })
}

func (s *nameServer) set(name string, addresses []netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addresses[name] = addresses
}

func (s *nameServer) of(name string) []netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addresses[strings.TrimSuffix(strings.ToLower(name), ".")]
}

func (s *nameServer) serve(conn net.PacketConn) {
	buf := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		if packed, err := s.answer(m.ID, m.Questions[0]); err == nil {
			_, _ = conn.WriteTo(packed, from)
		}
	}
}

func (s *nameServer) answer(id uint16, q dnsmessage.Question) ([]byte, error) {
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, Response: true, Authoritative: true, RecursionAvailable: true},
		Questions: []dnsmessage.Question{q},
	}
	found := s.of(q.Name.String())
	if len(found) == 0 {
		m.RCode = dnsmessage.RCodeNameError
	}
	head := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET}
	for _, a := range found {
		switch {
		case q.Type == dnsmessage.TypeA && a.Is4():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: a.As4()}})
		case q.Type == dnsmessage.TypeAAAA && a.Is6():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	return m.Pack()
}
