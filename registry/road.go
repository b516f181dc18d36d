package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/stowage/stowage/image"
)

// spareRequests is how many requests to a registry are let through beside those for blobs.
const spareRequests = 16

// road is the way out to hosts whose certificates are checked alike: past the guard, or through the operator's
// proxy. It is an http.RoundTripper, and nothing leaves this package but by one.
type road struct {
	guard           *guard
	proxy           proxyFunc
	direct, proxied *http.Transport
}

func newRoad(opts Options, g *guard, tlsConfig *tls.Config) *road {
	direct, toProxy := dialFunc(g.dial), dialFunc((&net.Dialer{Timeout: opts.ConnectTimeout, KeepAlive: 30 * time.Second}).DialContext)
	if opts.dial != nil {
		direct, toProxy = opts.dial, opts.dial
	}
	if opts.past != nil {
		direct = opts.past(direct)
	}
	r := &road{guard: g, proxy: opts.proxy, direct: newTransport(opts, tlsConfig, direct), proxied: newTransport(opts, tlsConfig, toProxy)}
	r.proxied.Proxy = func(req *http.Request) (*url.URL, error) {
		via, err := opts.proxy(req)
		if err == nil && via == nil {
			err = errors.New("there is no proxy any more") // never past the guard
		}
		return via, err
	}
	return r
}

// RoundTrip implements http.RoundTripper.
func (r *road) RoundTrip(req *http.Request) (*http.Response, error) {
	via, err := r.proxy(req)
	if err == nil && via == nil {
		return r.direct.RoundTrip(req)
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
	return r.proxied.RoundTrip(req)
}

// CloseIdleConnections drops what is kept open for the next request.
func (r *road) CloseIdleConnections() {
	r.direct.CloseIdleConnections()
	r.proxied.CloseIdleConnections()
}

// newTransport speaks HTTP/1.1 only, as dockerd does: several blobs at a time go faster over several
// connections than over one shared by HTTP/2.
func newTransport(opts Options, tlsConfig *tls.Config, dial func(context.Context, string, string) (net.Conn, error)) *http.Transport {
	return &http.Transport{
		DialContext:            dial,
		TLSClientConfig:        tlsConfig,
		TLSHandshakeTimeout:    opts.ConnectTimeout,
		ResponseHeaderTimeout:  opts.HeaderTimeout,
		MaxResponseHeaderBytes: 256 << 10,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    opts.Concurrency + spareRequests,
		IdleConnTimeout:        90 * time.Second,
		DisableCompression:     true, // a digest is of the bytes as they are
	}
}

// roads are all the ways out, by how certificates are checked.
type roads struct {
	verified   *road            // also carries plain HTTP
	unverified *road            // any certificate will do
	own        map[string]*road // by host:port: of the listed registries that say how theirs are checked
}

func newRoads(opts Options, g *guard, list []Listed) (roads, error) {
	trusting := func(files []string) (*road, error) {
		pool, err := rootCAs(files)
		if err != nil {
			return nil, err
		}
		return newRoad(opts, g, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}), nil
	}
	verified, err := trusting(opts.CAFiles)
	if err != nil {
		return roads{}, err
	}
	//nolint:gosec // only for hosts that the operator named as insecure
	r := roads{verified: verified, unverified: newRoad(opts, g, &tls.Config{InsecureSkipVerify: true}), own: map[string]*road{}}
	byFile := map[string]*road{"": verified}
	for _, l := range list {
		own := byFile[l.CAFile]
		if own == nil {
			if own, err = trusting(append(slices.Clone(opts.CAFiles), l.CAFile)); err != nil {
				return roads{}, invalidEntry(l, image.Textf("its CA file is of no use: %s", err)).Because(err)
			}
			byFile[l.CAFile] = own
		}
		hosts := l.checked() // of others Options.InsecureHosts may say something
		if l.TLS == TLSSkip {
			own, hosts = r.unverified, l.answering()
		}
		for _, hostport := range hosts {
			if other := r.own[hostport]; other != nil && other != own {
				return roads{}, invalidEntry(l, image.Textf("another entry has %s too, and checks its certificate in another way", hostport))
			}
			r.own[hostport] = own
		}
	}
	return r, nil
}

func (r roads) closeIdle() {
	r.verified.CloseIdleConnections()
	r.unverified.CloseIdleConnections()
	for _, own := range r.own {
		own.CloseIdleConnections()
	}
}

// base picks the way to an address that somebody named: certificates go unverified for the hosts named as insecure, and
// for nothing that those redirect to; a listed registry's own authority is trusted for it alone.
func (c *Client) base(u *url.URL) *road { return c.pick(c.roads, u) }

// led picks the way to an address that others led to, each from its host to the next. What any of them that is not inside
// itself leads to is not either, unless it is listed: its connections are its own too.
func (c *Client) led(ctx context.Context, to *url.URL, by ...string) *road {
	for _, host := range by {
		if host != to.Host && !c.roads.verified.guard.inside(ctx, host) {
			return c.pick(c.onward, to)
		}
	}
	return c.base(to)
}

func (c *Client) pick(r roads, u *url.URL) *road {
	if own := r.own[normal(hostPort(u))]; own != nil {
		return own
	}
	if c.insecure.has(u.Host) {
		return r.unverified
	}
	return r.verified
}

func rootCAs(files []string) (*x509.CertPool, error) {
	if len(files) == 0 {
		return nil, nil // the system's
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's certificate authorities: %w", err)
	}
	for _, f := range files {
		pem, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("read registry CA: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read registry CA: %s holds no PEM certificate", f)
		}
	}
	return pool, nil
}
