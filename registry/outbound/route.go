package outbound

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"time"

	"github.com/stowage/stowage/image"
)

// route is the way out to hosts whose certificates are checked alike: past the guard, or through the operator's proxy.
type route struct {
	guard           *guard
	proxy           ProxyFunc
	direct, proxied *http.Transport
}

func newRoute(opts Options, g *guard, tlsConfig *tls.Config) *route {
	direct := DialFunc(g.dial)
	toProxy := DialFunc((&net.Dialer{Timeout: opts.Connect, KeepAlive: keepAlive}).DialContext)
	if opts.Dial != nil {
		direct, toProxy = opts.Dial(direct), opts.Dial(toProxy)
	}
	r := &route{
		guard: g, proxy: opts.Proxy, direct: newTransport(opts, tlsConfig, direct),
		proxied: newTransport(opts, tlsConfig, toProxy),
	}
	r.proxied.Proxy = func(req *http.Request) (*url.URL, error) {
		via, err := opts.Proxy(req)
		if err == nil && via == nil {
			err = errors.New("there is no proxy any more") // never past the guard
		}
		return via, err
	}
	return r
}

// send sends a request, and tells note whether it goes to a private address: by the connection that it gets, or by the
// name alone where that is a proxy's to look up.
func (r *route) send(req *http.Request, note func(inside bool)) (*http.Response, error) {
	via, err := r.proxy(req)
	if err == nil && via == nil {
		trace := &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) { note(isInside(got.Conn.RemoteAddr())) }}
		return r.direct.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	}
	if err == nil {
		err = r.guard.judgeName(req.URL)
	}
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	kind, _ := classOfName(req.URL.Hostname())
	note(kind == private)
	return r.proxied.RoundTrip(req)
}

func (r *route) closeIdle() {
	r.direct.CloseIdleConnections()
	r.proxied.CloseIdleConnections()
}

// newTransport speaks HTTP/1.1 only, as dockerd does: several blobs at a time go faster over several
// connections than over one shared by HTTP/2.
func newTransport(opts Options, tlsConfig *tls.Config, dial DialFunc) *http.Transport {
	return &http.Transport{
		DialContext:            dial,
		TLSClientConfig:        tlsConfig,
		TLSHandshakeTimeout:    opts.Connect,
		ResponseHeaderTimeout:  opts.Header,
		MaxResponseHeaderBytes: 256 << 10,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    opts.Connections,
		IdleConnTimeout:        90 * time.Second,
		DisableCompression:     true, // a digest is of the bytes as they are
	}
}

// routes are all the ways out, by how certificates are checked.
type routes struct {
	verified   *route            // also carries plain HTTP
	unverified *route            // any certificate will do
	own        map[string]*route // by host:port: of the peers that say how theirs are checked
}

func newRoutes(opts Options) (routes, error) {
	g := newGuard(opts)
	trusting := func(files ...string) (*route, error) {
		pool, err := rootCAs(files)
		if err != nil {
			return nil, err
		}
		return newRoute(opts, g, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}), nil
	}
	verified, err := trusting(opts.CAFiles...)
	if err != nil {
		return routes{}, err
	}
	//nolint:gosec // only for hosts that the operator named as insecure
	r := routes{verified: verified, unverified: newRoute(opts, g, &tls.Config{InsecureSkipVerify: true}),
		own: map[string]*route{}}
	byFile := map[string]*route{"": verified}
	for i, p := range opts.Peers {
		own := byFile[p.CAFile]
		if own == nil {
			if own, err = trusting(append(slices.Clone(opts.CAFiles), p.CAFile)...); err != nil {
				return routes{}, &PeerError{Peer: i, Problem: image.Textf("its CA file is of no use: %s", err), Err: err}
			}
			byFile[p.CAFile] = own
		}
		hosts := p.checked() // of others Options.InsecureHosts may say something
		if p.TLS == TLSSkip {
			own, hosts = r.unverified, withPorts(p.Hosts)
		}
		for _, hostport := range hosts {
			if other := r.own[hostport]; other != nil && other != own {
				problem := image.Textf("another entry has %s too, and checks its certificate in another way", hostport)
				return routes{}, &PeerError{Peer: i, Problem: problem}
			}
			r.own[hostport] = own
		}
	}
	return r, nil
}

func (r routes) closeIdle() {
	r.verified.closeIdle()
	r.unverified.closeIdle()
	for _, own := range r.own {
		own.closeIdle()
	}
}
