package registry

import (
	"context"
	"time"

	"github.com/stowage/stowage/image"
)

// TagDetail is what a search service says of a tag, beyond what the registry's list of tags does.
type TagDetail struct {
	Digest  image.Digest // of the index or manifest; empty where it is not said
	Updated time.Time    // zero where it is not said
	Size    int64        // compressed bytes of one platform, whichever the service means; negative where it is not said
	Images  []TagImage   // its platforms, attestations left out; empty where they are not said
}

// TagImage is a platform of a tag.
type TagImage struct {
	Platform image.Platform
	Digest   image.Digest // empty where it is not said
	Size     int64        // compressed bytes
}

// TagDetails asks the registry's search service for sizes and dates of a repository's tags: the newest hundred
// or so whose names contain the text. Nothing, and no error, where the registry has no such service.
func (c *Client) TagDetails(ctx context.Context, repo image.Repository, contains string) (map[string]TagDetail, error) {
	return nil, nil
}
