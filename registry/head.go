package registry

import (
	"context"
	"errors"
	"net"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/outbound"
)

// Head resolves a reference with one HEAD, which does not count against Docker Hub's allowance. One GET follows where
// that gives no digest: registries refuse HEAD in all ways, and the reason of a refusal has a body, which no answer to
// HEAD has. Then the descriptor's Data are the bytes of the document, and what the GET says is what counts. Errors are
// image.Errors, or the context's.
func (c *Client) Head(ctx context.Context, r image.Reference) (image.Descriptor, error) {
	ex, err := c.ask(ctx, subject{ref: r}, kindManifest, func(ctx context.Context, u *upstream) error {
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
	return image.Descriptor{MediaType: outbound.MediaType(ex.header), Digest: d, Size: max(ex.length, 0)}, nil
}

// worthAGET tells of an error of HEAD that a GET may not meet: any but a rate limit, the failure of a token server, and
// what keeps the registry from being reached at all.
func worthAGET(err error) bool {
	var token *tokenFailure
	var dialled *net.OpError
	var name *net.DNSError
	var slow net.Error
	switch image.KindOf(err) {
	case image.RateLimited, image.Internal:
		return false
	case image.Forbidden:
		var status *outbound.StatusError
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
	var status *outbound.StatusError
	if errors.As(err, &status) && status.Gone() {
		return "", true, nil
	}
	return head.Digest, false, err
}
