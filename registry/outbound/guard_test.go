package outbound

import (
	"net/netip"
	"testing"
)

func TestClassesOfAddresses(t *testing.T) {
	for kind, addresses := range map[class][]string{
		public: {
			"8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.255.255", "100.128.0.0", "192.0.1.1", "223.255.255.255",
			"2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "::808:808",
		},
		private: {
			"127.0.0.1", "127.255.255.254", "::1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1",
			"198.18.0.1",
			"198.19.255.255", "192.0.0.1", "192.0.2.1", "fc00::1", "fd12:3456::1", "fec0::1", "2001:db8::1", "::ffff:127.0.0.1",
			"::ffff:10.0.0.1",
			"::7f00:1", "::ffff:0:10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b:1::808:808", "2002:a00:1::1", "2002:7f00:1::",
			"2001:0:808:808::f5ff:fffe", "2001:0:a00:1::f7f7:f7f7", // Teredo: the client 10.0.0.1, the server 10.0.0.1
		},
		never: {
			"169.254.169.254", "169.254.0.1", "169.254.170.2", "fe80::1", "fe80::1%eth0", "febf::1", "fd00:ec2::254",
			"fd20:ce::254", "100.100.100.200",
			"168.63.129.16", "192.0.0.192", "0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "239.255.255.255", "ff02::1", "240.0.0.1",
			"255.255.255.255",
			"::ffff:169.254.169.254", "::ffff:0.0.0.0", "::a9fe:a9fe", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe",
			"2002:a9fe:a9fe::",
			"2001:0:808:808::5601:5601", "::ffff:0:169.254.169.254",
		},
	} {
		for _, s := range addresses {
			got, what := classOf(netip.MustParseAddr(s))
			if got != kind {
				t.Errorf("%s is of class %d, want %d", s, got, kind)
			}
			if (what.String() == "") != (kind == public) {
				t.Errorf("%s is called %q", s, what)
			}
		}
	}
}

func TestTheGuardInItsTwoModes(t *testing.T) {
	for address, allowed := range map[string]struct{ strict, lax, listed bool }{
		"8.8.8.8":         {true, true, true},
		"127.0.0.1":       {false, true, true},
		"10.0.0.1":        {false, true, true},
		"::1":             {false, true, true},
		"::ffff:10.0.0.1": {false, true, true},
		"169.254.169.254": {false, false, false},
		"fe80::1":         {false, false, false},
		"255.255.255.255": {false, false, false},
	} {
		kind, what := classOf(netip.MustParseAddr(address))
		list := []Peer{{Hosts: []string{"listed.test"}}}
		for mode, tt := range map[string]struct {
			opts    Options
			host    string
			allowed bool
		}{
			"strict": {Options{Peers: list}, "other.test:443", allowed.strict},
			"lax":    {Options{Peers: list, AllowPrivate: true}, "other.test:443", allowed.lax},
			"listed": {Options{Peers: list}, "Listed.test:443", allowed.listed},
		} {
			err := newGuard(tt.opts).judge(tt.host, address, kind, what)
			if (err == nil) != tt.allowed {
				t.Errorf("%s, %s: %v", address, mode, err)
			}
		}
	}
}

func TestLoopbackHosts(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:5000": true, "LOCALHOST:1": true, "127.0.0.1:5000": true, "127.9.9.9": true,
		"[::1]:5000": true, "[::1]": true, "docker.io": false, "localhost.example.com": false, "10.0.0.1:5000": false,
		"128.0.0.1": false,
	} {
		if got := loopback(host); got != want {
			t.Errorf("loopback(%q) is %v", host, got)
		}
	}
}

func TestInsecureHostsNameAPortOrAllPorts(t *testing.T) {
	hosts := newInsecureHosts([]string{"a.test:5000", "B.test", "[::1]:7"})
	for host, want := range map[string]bool{
		"a.test:5000": true, "a.test:5001": false, "a.test": false, "b.test": true, "b.test:9": true, "c.test": false,
		"[::1]:7": true, "[::1]:8": false,
	} {
		if got := hosts.has(host); got != want {
			t.Errorf("%q is insecure: %v", host, got)
		}
	}
}
