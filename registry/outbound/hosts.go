package outbound

import (
	"net"
	"net/netip"
	"strings"
)

// insecureHosts are the hosts that the operator named as insecure, as host:port or as host for each port.
type insecureHosts map[string]bool

func newInsecureHosts(hosts []string) insecureHosts {
	set := insecureHosts{}
	for _, h := range hosts {
		set[strings.ToLower(strings.TrimSpace(h))] = true
	}
	return set
}

func (s insecureHosts) has(hostport string) bool {
	hostport = strings.ToLower(hostport)
	return s[hostport] || s[hostname(hostport)]
}

// loopback tells a registry on this machine: localhost, 127.0.0.0/8 and ::1, as docker has it
// (daemon/registry/config.go, isSecureIndex).
func loopback(hostport string) bool {
	name := hostname(hostport)
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.Unmap().IsLoopback()
}

// hostname takes the port and the brackets of an IPv6 address off.
func hostname(hostport string) string {
	if name, _, err := net.SplitHostPort(hostport); err == nil {
		return name
	}
	return strings.Trim(hostport, "[]")
}
