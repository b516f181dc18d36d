package share

import (
	"net/netip"
	"strings"
)

// Requester returns the name under which somebody's places are counted: all clients of one address have one share,
// whatever they call themselves, and so has a network of IPv6, of which one machine has all addresses.
func Requester(by string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(by, "client "), " (")
	address, err := netip.ParseAddr(name)
	if err != nil {
		return by
	}
	address = address.Unmap().WithZone("")
	if address.Is6() {
		if network, err := address.Prefix(64); err == nil {
			return network.String()
		}
	}
	return address.String()
}
