package resolve

import (
	"context"
	"slices"

	"github.com/stowage/stowage/image"
)

// MaxTags is how many tags one pull of all takes on.
const MaxTags = 5000

// Tags lists the tags of a repository whose names contain match, newest version first. NotFound where there
// are none, TooLarge for more than MaxTags.
func (s *Resolver) Tags(ctx context.Context, repo image.Repository, match string, retry Retrier) ([]string, error) {
	var tags []string
	err := retry(ctx, func(ctx context.Context) error {
		all, err := s.source.Tags(ctx, repo)
		tags = image.TagsContaining(all, match) // a slice of our own: a source may keep its own
		return err
	})
	if err != nil {
		return nil, err
	}
	image.SortTags(tags)
	tags = slices.Compact(tags)
	switch n := len(tags); {
	case n == 0 && match != "":
		return nil, image.Errorf(image.NotFound, "%s has no tag whose name contains %q", repo.Familiar(), match)
	case n == 0:
		return nil, image.Errorf(image.NotFound, "%s has no tags", repo.Familiar())
	case n > MaxTags:
		return nil, image.Errorf(image.TooLarge, "%d tags of %s would be pulled, more than the %d that can be pulled at once",
			n, repo.Familiar(), MaxTags).
			Suggest("Narrow them down to those whose names contain a text, such as a version.")
	}
	return tags, nil
}
