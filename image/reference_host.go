package image

import (
	"fmt"
	"net/netip"
	"strings"
)

// ipv6Suffix ends the names that stand for IPv6 addresses. Nobody has a host below it: the domain is kept for this.
const ipv6Suffix = ".ipv6-literal.net"

// pathHost writes a registry's host in the way in which it can stand in a path; see HostInPath.
func pathHost(host string) string {
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		name, port = host[:i], "_"+host[i+1:]
	}
	if address, ok := strings.CutPrefix(name, "["); ok {
		address = strings.TrimSuffix(address, "]")
		if strings.HasPrefix(address, ":") {
			address = "0" + address
		}
		if strings.HasSuffix(address, ":") {
			address += "0"
		}
		name = strings.ReplaceAll(address, ":", "-") + ipv6Suffix
	}
	return name + port
}

// HostInPath reads the host in a path that AsPath wrote. Any other is given back as it is: no host has a "_", and only
// one with a period, or localhost, has a port there.
func HostInPath(host string) string {
	name, port := host, ""
	if i := strings.LastIndexByte(host, '_'); i >= 0 && (strings.Contains(host[:i], ".") || host[:i] == "localhost") {
		name, port = host[:i], host[i+1:]
		if !IsPort(port) {
			return host
		}
		port = ":" + port
	}
	if digits, ok := strings.CutSuffix(name, ipv6Suffix); ok {
		address, err := netip.ParseAddr(strings.ReplaceAll(digits, "-", ":"))
		if err != nil || !address.Is6() || address.Zone() != "" {
			return host
		}
		name = "[" + spelled(address) + "]"
	}
	return name + port
}

// oneSpelling writes the address of a registry that is named by one in the one way that stands for it.
func oneSpelling(r Repository) Repository {
	digits, found := strings.CutPrefix(string(r), "[")
	digits, rest, closed := strings.Cut(digits, "]")
	if !found || !closed {
		return r
	}
	address, err := netip.ParseAddr(digits)
	if err != nil {
		return r
	}
	return Repository("[" + spelled(address) + "]" + rest)
}

// spelled writes an IPv6 address in hexadecimal digits alone: references take no others.
func spelled(a netip.Addr) string {
	if v4 := a.As16(); a.Is4In6() {
		return fmt.Sprintf("::ffff:%x:%x", int(v4[12])<<8|int(v4[13]), int(v4[14])<<8|int(v4[15]))
	}
	return a.String()
}

// IsPort reports whether s has the form of a port.
func IsPort(s string) bool { return s != "" && len(s) <= 5 && strings.Trim(s, "0123456789") == "" }
