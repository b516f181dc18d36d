package registry

import (
	"context"
	"errors"
	"net"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/registry/response"
)

// Document fetches an index or a manifest of at most image.MaxManifestSize bytes. Its bytes are proved
// against the digest of r or, for a tag, against the digest that the registry announced. Errors are
// image.Errors, those of image.ParseDocument among them, or the context's.
func (c *Client) Document(ctx context.Context, r image.Reference) (image.Document, error) {
	s := subject{ref: r}
	ex, err := c.upstreams.ask(ctx, s, kindManifest, func(ctx context.Context, u *upstream) error {
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

// Attestation fetches the manifest of an attestation by its digest, against which its bytes are proved. Errors are
// image.Errors, those of image.ParseAttestation among them, or the context's.
func (c *Client) Attestation(ctx context.Context, r image.Reference) (image.Attestation, error) {
	s := subject{ref: r}
	ex, err := c.upstreams.ask(ctx, s, kindManifest, func(ctx context.Context, u *upstream) error {
		_, err := u.rc.ManifestGet(ctx, regRef(r))
		return err
	})
	if err != nil {
		return image.Attestation{}, err
	}
	if err := proveDigest(s, ex); err != nil {
		return image.Attestation{}, err
	}
	return image.ParseAttestation(ex.header.Get("Content-Type"), ex.raw)
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

// Head resolves a reference with one HEAD, which does not count against Docker Hub's allowance. One GET follows where
// that returns no digest: registries refuse HEAD in all ways, and the reason of a refusal has a body, which no answer
// to HEAD has. Then the descriptor's Data are the bytes of the document, and what the GET says is what counts. Errors
// are image.Errors, or the context's.
func (c *Client) Head(ctx context.Context, r image.Reference) (image.Descriptor, error) {
	ex, err := c.upstreams.ask(ctx, subject{ref: r}, kindManifest, func(ctx context.Context, u *upstream) error {
		_, err := u.rc.ManifestHead(ctx, regRef(r))
		return err
	})
	if err != nil {
		if ctx.Err() != nil || !worthAGET(err) {
			return image.Descriptor{}, err
		}
		return c.headByGet(ctx, r)
	}
	d, err := image.ParseDigest(ex.header.Get("Docker-Content-Digest"))
	if err != nil || r.Digest != "" && r.Digest != d {
		return c.headByGet(ctx, r)
	}
	return image.Descriptor{MediaType: response.MediaType(ex.header), Digest: d, Size: max(ex.length, 0)}, nil
}

// worthAGET reports whether a GET may not meet an error of HEAD: any but a rate limit, the failure of a token server,
// and what keeps the registry from being reached at all.
func worthAGET(err error) bool {
	var token *tokenFailure
	var dialled *net.OpError
	var name *net.DNSError
	var slow net.Error
	switch image.KindOf(err) {
	case image.RateLimited, image.Internal:
		return false
	case image.Forbidden:
		var status *response.StatusError
		return errors.As(err, &status)
	}
	_, untrusted := outbound.CertificateProblem(err)
	switch {
	case errors.As(err, &token), errors.As(err, &name), untrusted, outbound.SchemeMismatch(err),
		errors.As(err, &dialled) && dialled.Op == "dial",
		errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return false
	}
	return true
}

func (c *Client) headByGet(ctx context.Context, r image.Reference) (image.Descriptor, error) {
	doc, err := c.Document(ctx, r)
	if err != nil {
		return image.Descriptor{}, err
	}
	d := doc.Descriptor()
	d.Data = doc.Raw
	return d, nil
}

// Check asks which digest a tag points to, as Head does. gone tells that the registry answered a GET and does not have
// the tag: 404 or 410, and no web page, as proxies answer; for Docker Hub 404 is never the answer to a repository that
// one may not see. Whatever else keeps the digest from being known is an error: an image.Error, or the context's.
func (c *Client) Check(ctx context.Context, r image.Reference) (d image.Digest, gone bool, err error) {
	head, err := c.Head(ctx, r)
	var status *response.StatusError
	if errors.As(err, &status) && status.Gone() {
		return "", true, nil
	}
	return head.Digest, false, err
}
