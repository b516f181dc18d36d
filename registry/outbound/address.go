package outbound

import (
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/stowage/stowage/image"
)

// class says who may be found at an address.
type class int

// The classes, the worse the higher.
const (
	public  class = iota
	private       // this machine and its network: only where the operator allows it
	never         // no registry is there, and what is there trusts whoever asks
)

// block is what addresses are set apart for, and which.
type block struct {
	class    class
	what     image.Text
	prefixes []netip.Prefix
}

// blocks are the addresses that are not public: the IANA special-purpose registries, and where clouds hand out
// credentials to whoever asks from the inside. Of those that an address is in, the first of the worst class counts.
var blocks = []block{
	{never, image.Textf("the address of a cloud's metadata service"), prefixes(
		"169.254.169.254/32",     // nearly all of them
		"169.254.170.2/32",       // AWS: credentials of a container
		"100.100.100.200/32",     // Alibaba
		"168.63.129.16/32",       // Azure
		"192.0.0.192/32",         // Oracle
		"fd00:ec2::/32",          // AWS
		"fd20:ce::254/128",       // Google
		"fd00:c1::a9fe:a9fe/128", // Oracle
		"fd00:42::42/128",        // Scaleway
	)},
	{never, image.Textf("a link-local address"), prefixes("169.254.0.0/16", "fe80::/10")},
	{never, image.Textf("a multicast address"), prefixes("224.0.0.0/4", "ff00::/8")},
	{never, image.Textf("an address that stands for none"), prefixes("0.0.0.0/8", "::/128")},
	{never, image.Textf("a reserved address"), prefixes("240.0.0.0/4")}, // with broadcast
	{private, image.Textf("an address of this machine"), prefixes("127.0.0.0/8", "::1/128")},
	{private, image.Textf("a private address"), prefixes(
		"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", // RFC 1918
		"100.64.0.0/10",         // RFC 6598, carrier-grade NAT
		"fc00::/7", "fec0::/10", // RFC 4193, and the site-local ones before it
		"64:ff9b:1::/48", // RFC 8215, translation within a network
	)},
	{private, image.Textf("a reserved address"), prefixes(
		"192.0.0.0/24", "198.18.0.0/15", "2001:2::/48", "100::/64", // protocols, benchmarks, discard
		"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20", // documentation
	)},
}

func prefixes(list ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(list))
	for i, s := range list {
		all[i] = netip.MustParsePrefix(s)
	}
	return all
}

// classOf judges an address, and the IPv4 addresses within it, by the worst of them.
func classOf(a netip.Addr) (worst class, what image.Text) {
	a = a.WithZone("").Unmap()
	for _, form := range append([]netip.Addr{a}, embedded(a)...) {
		for _, b := range blocks {
			if b.class > worst && slices.ContainsFunc(b.prefixes, func(p netip.Prefix) bool { return p.Contains(form) }) {
				worst, what = b.class, b.what
			}
		}
	}
	return worst, what
}

var (
	compatible = prefixes("::/96")[0]           // RFC 4291, section 2.5.5.1
	translated = prefixes("::ffff:0:0:0/96")[0] // RFC 2765
	nat64      = prefixes("64:ff9b::/96")[0]    // RFC 6052
	localNAT64 = prefixes("64:ff9b:1::/48")[0]  // RFC 8215
	sixToFour  = prefixes("2002::/16")[0]       // RFC 3056
	teredo     = prefixes("2001::/32")[0]       // RFC 4380
)

// embedded returns the IPv4 addresses that an IPv6 address leads to by way of a translator or a tunnel.
func embedded(a netip.Addr) []netip.Addr {
	if !a.Is6() || a.IsUnspecified() || a.IsLoopback() {
		return nil
	}
	b := a.As16()
	v4 := func(at int) netip.Addr { return netip.AddrFrom4([4]byte(b[at : at+4])) }
	switch {
	case compatible.Contains(a), translated.Contains(a), nat64.Contains(a), localNAT64.Contains(a):
		return []netip.Addr{v4(12)}
	case sixToFour.Contains(a):
		return []netip.Addr{v4(2)}
	case teredo.Contains(a):
		server := v4(4)
		for i := 12; i < 16; i++ {
			b[i] ^= 0xff // the client's address is stored inverted
		}
		return []netip.Addr{server, v4(12)}
	}
	return nil
}

// writtenPlainly is what names of hosts are made of.
var writtenPlainly = regexp.MustCompile(`^[a-z0-9._-]+$`)

// metadataNames are the names of metadata services that every resolver inside their cloud knows.
var metadataNames = []string{"metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}

// classOfName judges a host by what is written, without a look-up: an address, a name for this machine, a
// metadata service's. A number that netip does not take for an address may still be one to others, as 127.1 and
// 0x7f000001 are; so may what is not ASCII, whose wide digits and dots net/http makes plain ones (IDNA).
func classOfName(host string) (class, image.Text) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if a, err := netip.ParseAddr(host); err == nil {
		return classOf(a)
	}
	last := host[strings.LastIndex(host, ".")+1:]
	switch {
	case slices.Contains(metadataNames, host):
		return classOf(netip.MustParseAddr("169.254.169.254"))
	case last == "localhost", last == "localdomain" && strings.HasPrefix(host, "localhost"):
		return classOf(netip.MustParseAddr("127.0.0.1"))
	case strings.Trim(last, "0123456789") == "", strings.HasPrefix(last, "0x"), !writtenPlainly.MatchString(host):
		return never, image.Textf("an address that is not written as one")
	}
	return public, image.Text{}
}

// isInside reports whether an address that is connected to is private.
func isInside(remote net.Addr) bool {
	at, err := netip.ParseAddrPort(remote.String())
	if err != nil {
		return false
	}
	kind, _ := classOf(at.Addr())
	return kind == private
}
