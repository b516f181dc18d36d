package imagepage

import (
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
)

// Changes has the page that compares two images of a repository.
type Changes struct {
	Site     *page.Site
	Images   ImageStore
	Blobs    BlobStore
	Platform image.Platform // that is compared where nobody chooses
}
