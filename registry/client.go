// Package registry talks to upstream registries over regclient: it resolves references, fetches indexes,
// manifests and blobs, and lists tags. Everything that comes back is bounded in size and time, and every
// failure is an image.Error that names the host and the reference and says what to do next.
//
// How the parts hang together:
//
//	Client ── upstream (one per host: plain HTTP or TLS, credentials, its own regclient)
//	             └─ transport (http.RoundTripper under regclient: Accept, Range, limits, status to error)
//	                  └─ two http.Transports, one that verifies certificates and one that does not
//
// regclient does references, token and basic authentication, redirects and paging. It does not retry here:
// the pull queue does that, where people can see it.
package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/regclient/regclient/types/ref"

	"github.com/stowage/stowage/image"
)

// Options configures a Client. The zero value is a client for public registries.
type Options struct {
	// InsecureHosts are registries that are asked over TLS without verification and, where they do not speak
	// TLS, in plain HTTP. An entry is host:port, or a host that then stands for each of its ports.
	InsecureHosts []string
	// CAFiles are PEM files of authorities that are trusted beside the system's.
	CAFiles []string
	// DockerConfig is the folder of docker's config.json. Empty means $DOCKER_CONFIG or else ~/.docker.
	DockerConfig string
	// Mirrors are registries that are spoken to at another address, host:port by host. Names and credentials
	// stay those of the registry.
	Mirrors map[string]string
	// Registries is the operator's short list; see Listed. Docker Hub is on it always.
	Registries []Listed
	// AllowPrivate lets loopback and private addresses be spoken to whoever names them: for a server that
	// itself listens on loopback only. Otherwise they must be listed.
	AllowPrivate bool
	// UserAgent is sent with each request.
	UserAgent string
	// Logger gets what regclient logs, at debug level or below, and failing credential helpers as warnings.
	Logger *slog.Logger
	// Concurrency is how many blobs the caller reads at a time from one registry. Some requests more are let
	// through, so that a manifest never waits for a blob to end. 0 means 16.
	Concurrency int

	ConnectTimeout  time.Duration // for connecting and for the TLS handshake, each; 0 means 10 s
	HeaderTimeout   time.Duration // from a request to the head of its answer; 0 means 30 s
	StallTimeout    time.Duration // for a blob to deliver its next byte; 0 means 30 s
	DocumentTimeout time.Duration // for one Head, Document or Tags as a whole, and for a blob to begin; 0 means 60 s

	dial dialFunc // stands in for the network in this package's tests
}

// spareRequests is how many requests to a registry are let through beside those for blobs.
const spareRequests = 16

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.ConnectTimeout, 10*time.Second)
	def(&o.HeaderTimeout, 30*time.Second)
	def(&o.StallTimeout, 30*time.Second)
	def(&o.DocumentTimeout, time.Minute)
	if o.Concurrency <= 0 {
		o.Concurrency = 16
	}
	if o.UserAgent == "" {
		o.UserAgent = "stowage"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.DockerConfig == "" {
		o.DockerConfig = os.Getenv("DOCKER_CONFIG")
	}
	if home, err := os.UserHomeDir(); o.DockerConfig == "" && err == nil {
		o.DockerConfig = filepath.Join(home, ".docker")
	}
	return o
}

// Client talks to any number of registries. It may be used by many goroutines at once.
type Client struct {
	opts       Options
	insecure   insecureHosts
	verified   *http.Transport // checks certificates; also carries plain HTTP
	unverified *http.Transport

	mu    sync.Mutex
	slots map[string]*slot // by registry host
}

// New makes a client. It fails where a CA file cannot be read.
func New(opts Options) (*Client, error) {
	opts = opts.withDefaults()
	roots, err := rootCAs(opts.CAFiles)
	if err != nil {
		return nil, err
	}
	c := &Client{opts: opts, insecure: newInsecureHosts(opts.InsecureHosts), slots: map[string]*slot{}}
	c.verified = newTransport(opts, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
	//nolint:gosec // only for hosts that the operator named as insecure
	c.unverified = newTransport(opts, &tls.Config{InsecureSkipVerify: true})
	return c, nil
}

// Close drops idle connections. The client stays usable.
func (c *Client) Close() error {
	c.verified.CloseIdleConnections()
	c.unverified.CloseIdleConnections()
	return nil
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

// newTransport speaks HTTP/1.1 only, as dockerd does: several blobs at a time go faster over several
// connections than over one shared by HTTP/2.
func newTransport(opts Options, tlsConfig *tls.Config) *http.Transport {
	dial := opts.dial
	if dial == nil {
		// A rule on which addresses may be dialled belongs here, into the dialer's Control: that sees what a
		// name resolved to, also after a redirect.
		dial = (&net.Dialer{Timeout: opts.ConnectTimeout, KeepAlive: 30 * time.Second}).DialContext
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
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

// Head resolves a reference with one HEAD, which does not count against Docker Hub's allowance. A GET
// follows only where the registry knows no HEAD or names no digest. Errors are image.Errors, or the
// context's.
func (c *Client) Head(ctx context.Context, r image.Reference) (image.Descriptor, error) {
	ex, err := c.ask(ctx, subject{ref: r}, kindManifest, func(ctx context.Context, u *upstream) error {
		_, err := u.rc.ManifestHead(ctx, regRef(r))
		return err
	})
	var status *statusError
	if errors.As(err, &status) && (status.code == http.StatusMethodNotAllowed || status.code == http.StatusNotImplemented) {
		return c.headByGet(ctx, r)
	}
	if err != nil {
		return image.Descriptor{}, err
	}
	d, err := image.ParseDigest(ex.header.Get("Docker-Content-Digest"))
	if err != nil {
		return c.headByGet(ctx, r)
	}
	if r.Digest != "" && r.Digest != d {
		return image.Descriptor{}, wrongDigest(subject{ref: r}, d)
	}
	return image.Descriptor{MediaType: mediaTypeOf(ex.header), Digest: d, Size: max(ex.length, 0)}, nil
}

func (c *Client) headByGet(ctx context.Context, r image.Reference) (image.Descriptor, error) {
	doc, err := c.Document(ctx, r)
	return doc.Descriptor(), err
}

// Document fetches an index or a manifest of at most image.MaxManifestSize bytes. Its bytes are proved
// against the digest of r or, for a tag, against the digest that the registry announced. Errors are
// image.Errors, those of image.ParseDocument among them, or the context's.
func (c *Client) Document(ctx context.Context, r image.Reference) (image.Document, error) {
	s := subject{ref: r}
	ex, err := c.ask(ctx, s, kindManifest, func(ctx context.Context, u *upstream) error {
		_, err := u.rc.ManifestGet(ctx, regRef(r))
		return err
	})
	if err != nil {
		return image.Document{}, err
	}
	doc, err := image.ParseDocument(ex.header.Get("Content-Type"), ex.raw)
	switch image.KindOf(err) {
	case image.NotImage, image.Unavailable: // schema 1's digest is of other bytes; a web page has none
		return image.Document{}, err
	}
	if wrong := proveDigest(s, ex); wrong != nil {
		return image.Document{}, wrong
	}
	return doc, err
}

// proveDigest holds the raw bytes against the digest asked for or, for a tag, the one announced.
func proveDigest(s subject, ex *exchange) error {
	want := s.ref.Digest
	if want == "" {
		announced, err := image.ParseDigest(ex.header.Get("Docker-Content-Digest"))
		if err != nil {
			return nil // none announced, or not by sha256: there is nothing to hold it against
		}
		want = announced
	}
	if got := image.DigestOf(ex.raw); got != want {
		return wrongDigest(s, got)
	}
	return nil
}

// ask carries out one bounded request for a document or tags. Where credentials that once worked are
// refused it asks a second time with fresh ones: tokens get revoked, and people run docker login.
func (c *Client) ask(ctx context.Context, s subject, kind requestKind, do func(context.Context, *upstream) error) (*exchange, error) {
	for first := true; ; first = false {
		u, err := c.upstream(ctx, s)
		if err != nil {
			return nil, err
		}
		ex := &exchange{kind: kind, subject: s}
		left, err := u.within(ctx, c.opts.DocumentTimeout, ex, do)
		if left {
			ex = &exchange{kind: kind, subject: s} // the other one is still in use
		}
		if err == nil || ex.complete() {
			u.worked.Store(true)
			return ex, nil
		}
		if !c.again(ctx, u, err, ex) || !first {
			return nil, u.explain(ctx, s, ex, err)
		}
	}
}

// within runs do with the exchange in its context and a time limit of its own; see await for left.
func (u *upstream) within(ctx context.Context, limit time.Duration, ex *exchange, do func(context.Context, *upstream) error) (left bool, err error) {
	ctx, cancel := context.WithTimeout(withExchange(ctx, ex), limit)
	defer cancel()
	_, left, err = await(ctx, func() (struct{}, error) { return struct{}{}, do(ctx, u) }, func(struct{}) {})
	return left, err
}

// leaveAfter is how long a request has to notice that its context has ended.
const leaveAfter = time.Second

// await runs f. Where f goes on although ctx has ended it is left behind, with the error of ctx; what it
// gives later goes to late. regclient asks for tokens without the request's context, one at a time for a
// host, so a token server that hangs would hold up everybody, also those who have given up.
func await[T any](ctx context.Context, f func() (T, error), late func(T)) (value T, left bool, err error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, false, r.err
	case <-ctx.Done():
	}
	grace := time.NewTimer(leaveAfter)
	defer grace.Stop()
	select {
	case r := <-done:
		return r.value, false, r.err
	case <-grace.C:
	}
	go func() {
		if r := <-done; r.err == nil {
			late(r.value)
		}
	}()
	return value, true, ctx.Err()
}

// regRef builds regclient's reference from fields that image.ParseReference has proved. Its own parser is
// not used: that one also reads ocidir:// and would open folders on this machine.
func regRef(r image.Reference) ref.Ref {
	return ref.Ref{
		Scheme:     "reg",
		Reference:  r.String(),
		Registry:   r.Repository.Host(),
		Repository: r.Repository.Path(),
		Tag:        r.Tag,
		Digest:     string(r.Digest),
	}
}
