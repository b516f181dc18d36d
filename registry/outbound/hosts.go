package outbound

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"slices"
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

// loopback reports whether a registry is on this machine: localhost, 127.0.0.0/8 and ::1, as docker has it
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

// leadsHere reports whether a host is this machine.
func leadsHere(ctx context.Context, host string) bool {
	if loopback(host) {
		return true
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	return err == nil && slices.ContainsFunc(addresses, func(a netip.Addr) bool { return a.Unmap().IsLoopback() })
}

// normal returns host:port as it is compared.
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

// withPorts returns host:port for each host[:port]. Without a port it stands for those of https and http, and not for
// what else may run on the host.
func withPorts(hosts []string) (all []string) {
	for _, hostport := range hosts {
		if _, _, err := net.SplitHostPort(hostport); err == nil {
			all = append(all, normal(hostport))
			continue
		}
		name := strings.Trim(hostport, "[]")
		all = append(all, normal(net.JoinHostPort(name, "443")), normal(net.JoinHostPort(name, "80")))
	}
	return all
}

// HostPort returns the host and port that a URL is dialled at when no proxy is.
func HostPort(u *url.URL) string {
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
