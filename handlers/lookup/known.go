package lookup

import (
	"context"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
)

// MinPastedID is how many hex digits of an image ID are taken for one where a reference is expected: those
// that docker shows.
const MinPastedID = 12

// FewestTyped is how many of them lead somewhere from the search box, if that is where nothing else begins so.
const FewestTyped = 6

// PastedID reads an image ID or a digest, or the beginning of one, in the place of a reference.
func PastedID(s string) (hex string, ok bool) {
	hex, ok = image.ParseIDPrefix(s)
	return hex, ok && len(hex) >= MinPastedID
}

// UnknownDigest is the error of an ID or a digest that the shelf does not have.
func UnknownDigest(hex string) error {
	return image.Errorf(image.NotFound, "nothing on the shelf has an ID or a digest that begins with %s", hex).
		Suggest("An image cannot be pulled by its ID. Pull it by its name, such as postgres:15.")
}

// KnownPage returns the address of what the shelf has under the beginning of a digest: an image by its ID, what
// a repository knows by that digest, or a layer. It is empty where there is nothing, and an error of kind
// Conflict where several images begin so.
func (h *Desk) KnownPage(ctx context.Context, hex string) (string, error) {
	img, err := h.Images.ImageByID(ctx, hex)
	if err == nil {
		return address.OfID(img.ID).String(), nil
	}
	if image.KindOf(err) != image.NotFound {
		return "", err
	}
	d := image.Digest("sha256:" + hex)
	rows, _, err := h.Lists.List(ctx, shelf.Query{Text: string(d), Limit: 2})
	if err != nil {
		return "", err
	}
	layer, _, err := h.Images.Layer(ctx, d, 1)
	if err == nil {
		return address.Layer(layer.Digest), nil
	}
	if image.KindOf(err) != image.NotFound {
		return "", err
	}
	for _, row := range rows {
		// The page of the digest itself; that of a platform leads on to its index.
		switch {
		case strings.HasPrefix(string(row.Digest), string(d)):
			return address.Of(row.Reference.WithDigest(row.Digest)).String(), nil
		case len(hex) == 64:
			return address.Of(row.Reference.WithDigest(d)).String(), nil
		}
	}
	return "", nil
}
