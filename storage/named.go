package storage

import (
	"context"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// Named finds what somebody names as docker takes it (daemon/images/image.go): a whole image ID, else a tag or a
// digest, else the image whose ID alone begins so. So a repository of that spelling comes before the beginning of an
// ID. Errors are of kind NotFound, of kind Conflict where several IDs begin so, and of kind Invalid.
func (s *Images) Named(ctx context.Context, name string) (shelf.Named, error) {
	hex, isID := image.ParseIDPrefix(name)
	if !isID || len(hex) < 64 {
		ref, err := image.ParseReference(name)
		if err == nil {
			_, err = targetDigest(ctx, s.db, ref)
		}
		switch kind := image.KindOf(err); {
		case err == nil:
			return shelf.Named{Reference: ref}, nil
		case !isID && strings.HasPrefix(name, "sha256:"):
			return shelf.Named{}, image.NotAnID(name)
		case !isID || kind != image.NotFound && kind != image.Invalid:
			return shelf.Named{}, err
		}
	}
	img, err := s.ImageByID(ctx, hex)
	return shelf.Named{Image: img}, err
}
