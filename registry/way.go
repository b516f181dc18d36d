package registry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"

	"github.com/stowage/stowage/image"
)

const (
	dockerHub    = "docker.io"            // the name in references
	dockerHubAPI = "registry-1.docker.io" // where its registry answers
)

// way is how the references of a host are fetched: where, how far its TLS is trusted, and as whom.
type way struct {
	host   string  // as in references
	api    string  // host[:port] that answers
	tls    TLSMode // of api; empty: as docker does
	signIn string  // its key in docker's config.json

	withheld bool // nobody signs in there

	checked []string // host:port of the list's entry whose certificates are checked whatever --insecure-registry says
}

// checks tells whether the list says that the certificate of host[:port] is checked.
func (w way) checks(hostport string) bool {
	return slices.Contains(w.checked, withPorts(hostport)[0])
}

// wayTo is the one place that knows how a host is spoken to: by the entry that is a mirror of it, else by its own
// entry, else as docker does.
func (c *Client) wayTo(host string) way {
	w := way{host: host, api: apiOf(host), signIn: host, withheld: c.opts.WithholdLogins}
	entry, found := c.mirrorOf(host)
	if !found {
		if entry, found = c.entry(host); !found {
			return w
		}
	}
	w.api, w.tls, w.signIn, w.checked = apiOf(entry.Host), entry.TLS, entry.Host, entry.checked()
	if entry.Address != "" {
		w.api = entry.Address
	}
	if entry.Credentials != "" {
		w.signIn = entry.Credentials
	}
	return w
}

// apiOf gives where a host of references answers when nothing else is said.
func apiOf(host string) string {
	if host == dockerHub {
		return dockerHubAPI
	}
	return host
}

// loginCommand signs in where w leads.
func (w way) loginCommand() string {
	if w.signIn == dockerHub {
		return "docker login"
	}
	return "docker login " + w.signIn
}

// signingIn gives an error that suggests to sign in as it is where sign-ins are used, and else with the flag that has
// them used.
func (w way) signingIn(e *image.Error) *image.Error {
	if w.withheld {
		return e.Suggest("This server does not use its sign-ins for whoever asks on the network. Whoever runs it can allow that: --share-logins")
	}
	return e
}

// hub tells Docker Hub itself: a mirror of it has no accounts of Docker Hub's.
func (w way) hub() bool { return w.host == dockerHub && w.signIn == dockerHub }

// schemeOf finds out whether a registry speaks TLS, unless the list says. Only loopback and insecure hosts are
// ever spoken to in plain HTTP, as with dockerd. A loopback host is asked in plain HTTP first: a TLS server
// refuses that at once, whereas a plain one may wait for the end of what it takes for a request line.
func (c *Client) schemeOf(ctx context.Context, w way) (string, error) {
	switch {
	case w.tls == TLSOff:
		return "http", nil
	case w.tls == TLSVerify:
		return "https", nil
	case w.tls == TLSSkip:
		return c.firstScheme(ctx, w.api, "https", "http")
	case loopback(w.api):
		return c.firstScheme(ctx, w.api, "http", "https")
	case c.insecure.has(w.api):
		return c.firstScheme(ctx, w.api, "https", "http")
	}
	return "https", nil
}

// firstScheme asks for /v2/ in one scheme and then the other, and gives the first that was understood. The
// error is that of the first scheme.
func (c *Client) firstScheme(ctx context.Context, host string, schemes ...string) (string, error) {
	var first error
	odd := ""
	for _, scheme := range schemes {
		err := c.speaks(ctx, scheme, host)
		switch {
		case err == nil:
			return scheme, nil
		case ctx.Err() != nil:
			return "", ctx.Err()
		case image.KindOf(err) == image.Forbidden:
			return "", err // the guard's word is the same for each scheme
		case errors.Is(err, errBadRequest):
			odd = scheme
		}
		if first == nil {
			first = err
		}
	}
	if odd != "" {
		return odd, nil // the other scheme it does not understand at all
	}
	return "", first
}

// errBadRequest is a TLS server's usual answer to plain HTTP.
var errBadRequest = errors.New("the host answers 400 Bad Request")

// speaks asks a host for /v2/ without credentials. Any answer will do, and so will a certificate that is
// not trusted: the request that follows reports that.
func (c *Client) speaks(ctx context.Context, scheme, host string) error {
	ctx, cancel := context.WithTimeout(ctx, c.opts.ConnectTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+host+"/v2/", nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", c.opts.UserAgent)
	resp, err := c.base(req.URL).RoundTrip(req)
	switch {
	case err != nil && scheme == "https" && certificateError(err):
		return nil
	case err != nil:
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxErrorBody) // so that the connection is used again
	if resp.StatusCode == http.StatusBadRequest && scheme == "http" {
		return errBadRequest
	}
	return nil
}
