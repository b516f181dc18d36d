package page

import (
	"context"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// MaxNames is how many references are read for one image.
const MaxNames = 200

// CrumbsOf returns the way to a repository; its last part leads to url where that is not empty.
func CrumbsOf(ctx context.Context, r image.Repository, url string) []ui.Crumb {
	crumbs := []ui.Crumb{{Label: text.T(ctx, "nav.images"), URL: address.ImagesPath}, {Label: r.Host()}}
	for part := range strings.SplitSeq(r.Path(), "/") {
		crumbs = append(crumbs, ui.Crumb{Label: part})
	}
	crumbs[len(crumbs)-1].URL = url
	return crumbs
}
