package registry

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/registry/response"
)

// builtIn is Docker Hub where the operator says nothing of it.
var builtIn = Entry{Host: image.DockerHub, Label: "Docker Hub", Search: SearchHub}

// checkList brings the operator's entries into their normal form and adds Docker Hub. Errors are image.Errors of
// kind Invalid that name the entry.
func checkList(given []Entry) (entries, error) {
	var list entries
	for _, l := range given {
		l, err := checkEntry(l)
		if err != nil {
			return nil, err
		}
		for _, other := range list {
			switch {
			case other.Host == l.Host:
				return nil, invalidEntry(l, image.Textf("it is there twice"))
			case l.MirrorOf != "" && other.MirrorOf == l.MirrorOf:
				return nil, invalidEntry(l, image.Textf("%s is a mirror of %s already", other.Host, l.MirrorOf))
			}
		}
		list = append(list, l)
	}
	if !slices.ContainsFunc(list, func(l Entry) bool { return l.Host == image.DockerHub }) {
		list = slices.Insert(list, 0, builtIn)
	}
	return list, nil
}

func checkEntry(l Entry) (Entry, error) {
	host, ok := referenceHost(l.Host)
	if !ok {
		return l, invalidEntry(l, image.Textf("it is not the name of a registry")).
			Suggest("A registry is named as in references, as host or host:port: registry.example.com, localhost:5000.")
	}
	l.Host, l.Label = host, response.Clean(l.Label)
	if host == image.DockerHub {
		if l.Label == "" {
			l.Label = builtIn.Label
		}
		if l.Search == SearchAuto {
			l.Search = builtIn.Search
		}
	}
	l.Hosts = slices.Clone(l.Hosts)
	for i := range l.Hosts {
		if l.Hosts[i], ok = address(l.Hosts[i]); !ok {
			return l, invalidEntry(l, image.Textf("%q is not a host or host:port", response.Clean(l.Hosts[i])))
		}
	}
	if l.Address != "" {
		if l.Address, ok = address(l.Address); !ok {
			return l, invalidEntry(l, image.Textf("%q is not a host or host:port", response.Clean(l.Address))).
				Suggest("An address goes without https:// and without a path.")
		}
	}
	if l.MirrorOf != "" {
		mirrored, ok := referenceHost(l.MirrorOf)
		if !ok || mirrored == host {
			return l, invalidEntry(l, image.Textf("it cannot be a mirror of %q", response.Clean(l.MirrorOf))).
				Suggest("A mirror stands in for another registry, named as in references, such as docker.io.")
		}
		l.MirrorOf = mirrored
	}
	return l, checkChoices(l)
}

// checkChoices checks what is one of a few values.
func checkChoices(l Entry) error {
	if !slices.Contains([]outbound.TLSMode{"", outbound.TLSVerify, outbound.TLSSkip, outbound.TLSOff}, l.TLS) {
		return invalidEntry(l, image.Textf("its TLS is verify, skip or off, and not %q", response.Clean(string(l.TLS))))
	}
	if l.CAFile != "" && (l.TLS == outbound.TLSSkip || l.TLS == outbound.TLSOff) {
		return invalidEntry(l, image.Textf("it has a CA file, but its certificate is not verified (TLS is %s)", l.TLS))
	}
	if !slices.Contains([]SearchKind{SearchAuto, SearchHub, SearchQuay, SearchHarbor, SearchV1, SearchCatalog, SearchOff},
		l.Search) {
		return invalidEntry(l, image.Textf("its search is hub, quay, harbor, v1, catalog or off, and not %q",
			response.Clean(string(l.Search))))
	}
	if l.SearchURL == "" {
		return nil
	}
	u, err := url.Parse(l.SearchURL)
	if err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.User == nil && u.RawQuery == "" && u.Fragment == "" {
		if _, ok := address(u.Host); ok {
			return nil
		}
	}
	return invalidEntry(l, image.Textf("its search address %q is not one", response.Clean(l.SearchURL))).
		Suggest("A search address is such as https://hub.docker.com, without a user, a query or a fragment.")
}

// invalidEntry is the error for an entry of the list, which it names.
func invalidEntry(l Entry, problem image.Text) *image.Error {
	if l.At != "" {
		return image.Errorf(image.Invalid, "%s: the registry %q cannot be used: %s", l.At, response.Clean(l.Host), problem)
	}
	return image.Errorf(image.Invalid, "the registry %q of the list cannot be used: %s", response.Clean(l.Host), problem)
}

// referenceHost returns the host that references name a registry by, or false for what none can: docker takes
// "harbor" without a period or a port for a folder of Docker Hub's.
func referenceHost(s string) (string, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	r, err := image.ParseRepositoryReference(s + "/library/name")
	if err != nil {
		return "", false
	}
	host := r.Repository.Host()
	if host != s && s != "index."+image.DockerHub { // docker's own second name for it
		return "", false
	}
	return host, validPort(host)
}

// address returns host[:port] in lower case, or false for anything else. A port makes a host of any name.
func address(s string) (string, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	withPort := s
	if _, _, err := net.SplitHostPort(s); err != nil {
		withPort += ":443"
	}
	_, ok := referenceHost(withPort)
	return s, ok
}

// validPort reports whether a host has no port, or one from 1 to 65535.
func validPort(hostport string) bool {
	_, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return true
	}
	n, err := strconv.Atoi(port)
	return err == nil && n > 0 && n < 1<<16
}
