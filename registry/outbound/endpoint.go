package outbound

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/response"
)

// FindScheme finds out whether the registry at host[:port] speaks TLS, unless the mode says. Only loopback and
// insecure hosts are ever spoken to in plain HTTP, as with dockerd. A loopback host is asked in plain HTTP first: a
// TLS server refuses that at once, whereas a plain one may wait for the end of what it takes for a request line.
func (c *Client) FindScheme(ctx context.Context, host string, mode TLSMode) (string, error) {
	switch {
	case mode == TLSOff:
		return "http", nil
	case mode == TLSVerify:
		return "https", nil
	case mode == TLSSkip:
		return c.firstScheme(ctx, host, "https", "http")
	case loopback(host):
		return c.firstScheme(ctx, host, "http", "https")
	case c.insecure.has(host):
		return c.firstScheme(ctx, host, "https", "http")
	}
	return "https", nil
}

// firstScheme asks for /v2/ in one scheme and then the other, and returns the first that was understood. The error is
// that of the first scheme.
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

// speaks asks a host for /v2/ without credentials. Any answer will do, and so will a certificate that is not trusted:
// the request that follows reports that.
func (c *Client) speaks(ctx context.Context, scheme, host string) error {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Connect)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+host+"/v2/", nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", c.opts.UserAgent)
	resp, err := c.From(host).Do(req)
	if _, untrusted := CertificateProblem(err); untrusted && scheme == "https" {
		return nil
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, response.MaxErrorBody) // so that the connection is used again
	if resp.StatusCode == http.StatusBadRequest && scheme == "http" {
		return errBadRequest
	}
	return nil
}
