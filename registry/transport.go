package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/regclient/regclient/types/errs"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/registry/response"
)

const (
	maxRedirects = 5
	maxTokenBody = 1 << 20 // bytes of a token server's answer
)

// transport is one upstream's http.RoundTripper under regclient. Everything but a blob is read here, whole
// and bounded; a status that is no success becomes an response.StatusError, so that regclient neither waits for what
// Retry-After says nor tries again by itself.
type transport struct {
	origin   *outbound.Origin
	host     string
	api      string
	scheme   string
	secrets  []string
	rates    *allowances
	patience time.Duration // with token servers

	mu           sync.Mutex
	tokenFailure *tokenFailure // why the last request for a token failed; regclient does not tell
}

// accepted are the manifests that image.ParseDocument reads. Schema 1 is not among them: a registry that
// converts would otherwise be free to send it.
var accepted = []string{
	ocispec.MediaTypeImageIndex,
	ocispec.MediaTypeImageManifest,
	image.MediaTypeDockerManifestList,
	image.MediaTypeDockerManifest,
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	origin, hops := response.RedirectedFrom(req)
	if hops > maxRedirects {
		return nil, image.Errorf(image.Unavailable, "%s redirects in a circle, or too often", t.host)
	}
	out := req.Clone(req.Context())
	out.Header.Del("Referer") // it would tell the next host about this one
	// net/http keeps the header for other ports and for subdomains. What regclient put in for the new host
	// itself, after a challenge of its own, stays.
	if req.URL.Host != origin.URL.Host && out.Header.Get("Authorization") == origin.Header.Get("Authorization") {
		out.Header.Del("Authorization")
	}
	ex := exchangeOf(req.Context())
	if ex == nil {
		if leaks(origin, out) {
			return nil, fmt.Errorf("redirect of a request for a token to %s://%s: %w", out.URL.Scheme, out.URL.Host,
				errs.ErrHTTPRedirectRefused)
		}
		return t.token(out)
	}
	if origin.URL.Host != t.api || origin.URL.Scheme != t.scheme {
		return nil, image.Errorf(image.Unavailable, "%s sends us on to %s for its list of tags", t.host,
			response.Clean(origin.URL.Host))
	}
	out.Header.Set("Accept-Encoding", "identity")
	if ex.kind == kindManifest {
		out.Header["Accept"] = accepted
	}
	if ex.kind == kindCatalog && ex.next != nil && hops == 0 { // regclient knows no pages of catalogs
		out.URL.Path, out.URL.RawPath, out.URL.RawQuery = ex.next.Path, ex.next.RawPath, ex.next.RawQuery
	}
	if ex.kind == kindBlob && ex.offset > 0 {
		out.Header.Set("Range", fmt.Sprintf("bytes=%d-", ex.offset))
	}
	resp, err := t.origin.Do(out)
	if err != nil {
		return nil, err
	}
	return t.receive(ex, out, resp)
}

// receive sorts an answer by its status.
func (t *transport) receive(ex *exchange, req *http.Request, resp *http.Response) (*http.Response, error) {
	ex.challenged = resp.StatusCode == http.StatusUnauthorized
	if ex.kind == kindManifest && req.URL.Host == t.api {
		t.rates.hear(t.host, resp)
	}
	switch code := resp.StatusCode; {
	case ex.challenged:
		ex.refusal = response.ReadStatus(req, resp, t.secrets...).Words
		ex.unanswerable = response.LeaveOneChallenge(resp.Header)
		return resp, nil
	case code >= 300 && code < 400 && resp.Header.Get("Location") != "":
		return resp, nil
	case code == http.StatusRequestedRangeNotSatisfiable && ex.kind == kindBlob && ex.offset > 0:
		_ = resp.Body.Close()
		return t.fromTheBeginning(ex, req)
	case code != http.StatusOK && code != http.StatusPartialContent:
		status := response.ReadStatus(req, resp, t.secrets...)
		_ = resp.Body.Close()
		return nil, status
	}
	resp, err := t.success(ex, req, resp)
	if errors.Is(err, errPartEncoded) {
		return t.fromTheBeginning(ex, req)
	}
	if err == nil {
		ex.header, ex.length, ex.url = resp.Header, resp.ContentLength, req.URL
	}
	return resp, err
}

// fromTheBeginning asks for a blob again, and for all of it.
func (t *transport) fromTheBeginning(ex *exchange, req *http.Request) (*http.Response, error) {
	ex.offset = 0
	req.Header.Del("Range")
	resp, err := t.origin.Do(req)
	if err != nil {
		return nil, err
	}
	return t.receive(ex, req, resp)
}

func (t *transport) success(ex *exchange, req *http.Request, resp *http.Response) (*http.Response, error) {
	var err error
	switch {
	case ex.kind != kindBlob && response.MediaType(resp.Header) == "text/html":
		err = t.webPage(req)
	case ex.kind == kindBlob:
		err = blobAnswer(ex, req, resp)
	case resp.StatusCode != http.StatusOK:
		err = response.ReadStatus(req, resp, t.secrets...)
	case req.Method == http.MethodHead:
	default:
		err = t.document(ex, req, resp)
	}
	if errors.Is(err, response.ErrTooLarge) {
		err = image.Errorf(image.TooLarge, "%s answers with more than %d bytes for %s", t.host, limitOf(ex.kind),
			ex.subject.name())
	}
	if err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// document reads an answer whole, and puts what it means in its place.
func (t *transport) document(ex *exchange, req *http.Request, resp *http.Response) error {
	sent, err := response.ReadBody(resp, int64(limitOf(ex.kind)))
	if err != nil {
		return err
	}
	var want image.Digest
	if ex.kind == kindManifest {
		if want = ex.subject.ref.Digest; want == "" {
			want, _ = image.ParseDigest(resp.Header.Get("Docker-Content-Digest"))
		}
	}
	raw := response.PlainDocument(resp.Header, sent, want, int64(limitOf(ex.kind)))
	if err := image.CheckNesting(raw); err != nil {
		return err
	}
	response.SetBody(resp, raw)
	if ex.kind != kindTags {
		ex.raw = raw
		return nil
	}
	return ex.tagPage(&url.URL{Scheme: t.scheme, Host: t.api}, req, resp, len(raw))
}

func (t *transport) webPage(req *http.Request) error {
	return image.Errorf(image.Unavailable, "%s answers with a web page, not as a registry does",
		response.Clean(req.URL.Host)).Because(ErrNotThis).
		Suggest("Check the registry's address: a proxy or a sign-in page may stand in front of it.")
}

// token carries out a request for a token. regclient makes those without the caller's context, so they have
// a time limit here, and keeps quiet about why they fail, so that is remembered here.
func (t *transport) token(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), t.patience)
	defer cancel()
	failure := &tokenFailure{host: response.Clean(req.URL.Host)}
	resp, err := t.origin.Do(req.WithContext(ctx))
	switch {
	case err != nil:
	case resp.StatusCode >= 300 && resp.StatusCode < 400 && resp.Header.Get("Location") != "":
		return resp, nil
	case resp.StatusCode >= 300:
		status := response.ReadStatus(req, resp, t.secrets...)
		status.Token = true
		failure.err = status
		t.setTokenError(failure)
		return resp, nil
	default:
		failure.what, err = readToken(resp)
	}
	switch {
	case err != nil:
		failure.err = &url.Error{Op: "Get", URL: req.URL.Scheme + "://" + req.URL.Host, Err: err}
	case !failure.what.Empty():
		failure.err = fmt.Errorf("no token: %w", errs.ErrHTTPUnauthorized)
	default:
		t.setTokenError(nil)
		return resp, nil
	}
	t.setTokenError(failure)
	return nil, failure
}

func (t *transport) setTokenError(failure *tokenFailure) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tokenFailure = failure
}

// lastTokenFailure returns why the last request for a token failed; nil where it did not.
func (t *transport) lastTokenFailure() *tokenFailure {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tokenFailure
}
