package imagepage

import (
	"context"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/views/address"
)

// imageAddress reads the path below /images/. Errors are of kind Invalid.
func (h *Addresses) imageAddress(c echo.Context) (address.Image, error) {
	// Not echo's parameter, which is still escaped in some addresses and not in others.
	path := c.Request().URL.Path
	a, err := address.ParseImage(path)
	if err != nil {
		return a, err
	}
	return h.settled(c.Request().Context(), a, path)
}

// settled returns what an address stands for on the shelf, where docker would take it in another way than it reads: a
// tag of a repository sha256 comes before the beginning of an ID, and hex digits alone are the beginning of an ID where
// no repository is called so.
func (h *Addresses) settled(ctx context.Context, a address.Image, path string) (address.Image, error) {
	if a.ID != "" {
		if len(a.ID) == 64 {
			return a, nil
		}
		named, err := h.Images.Named(ctx, "sha256:"+a.ID)
		if err == nil && named.Reference.Tag != "" {
			a.Ref, a.ID = named.Reference, ""
		}
		return a, nil // whatever is wrong with an ID is said where it is looked for
	}
	digits, section, isID := address.ParseDigits(path)
	if !isID || !a.IsRepository() {
		return a, nil
	}
	known, err := h.Images.RepositoryExists(ctx, a.Ref.Repository)
	if err != nil || known {
		return a, err
	}
	named, err := h.Images.Named(ctx, digits)
	if err != nil {
		return a, nil //nolint:nilerr // it is a name of which nothing is stored
	}
	if named.Image.ID != "" {
		return address.OfID(named.Image.ID).At(section), nil
	}
	return address.Of(named.Reference).At(section), nil
}
