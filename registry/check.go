package registry

import (
	"context"
	"errors"
	"net/http"

	"github.com/stowage/stowage/image"
)

// Check asks by one HEAD, and by nothing else, which digest a tag points to. gone tells that the registry answered and
// does not have the tag: 404 or 410, and no web page, as proxies answer; for Docker Hub 404 is never the answer to a
// repository that one may not see. Whatever else keeps the digest from being known is an error: an image.Error, or the
// context's.
func (c *Client) Check(ctx context.Context, r image.Reference) (d image.Digest, gone bool, err error) {
	ex, err := c.ask(ctx, subject{ref: r}, kindManifest, func(ctx context.Context, u *upstream) error {
		_, err := u.rc.ManifestHead(ctx, regRef(r))
		return err
	})
	var status *statusError
	if errors.As(err, &status) && (status.code == http.StatusNotFound || status.code == http.StatusGone) && !status.token && !status.html {
		return "", true, nil
	}
	if err != nil {
		return "", false, err
	}
	d, err = image.ParseDigest(ex.header.Get("Docker-Content-Digest"))
	if err != nil {
		return "", false, image.Errorf(image.Unavailable, "%s does not say by HEAD which digest %s has", r.Repository.Host(), r.Familiar()).Because(err).
			Suggest("Pull it to see whether it moved.")
	}
	return d, false, nil
}
