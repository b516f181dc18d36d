package registry

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/regclient/regclient/scheme"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/response"
)

// ValidTag matches what can be a tag.
var ValidTag = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

// Tags lists the tags of a repository in the registry's order, following its pages (Link, rel=next;
// distribution-spec "Listing Tags"). Names that cannot be tags are left out: null, empty ones, and the digests
// that some registries put among them. The list is remembered for a minute. Errors are image.Errors, or the
// context's; TooLarge for a listing beyond all reason.
func (c *Client) Tags(ctx context.Context, repo image.Repository) ([]string, error) {
	lines, err := c.tags.Get(ctx, repo, func(ctx context.Context) (string, error) {
		tags, err := c.listTags(ctx, repo)
		return strings.Join(tags, "\n"), err
	})
	if err != nil {
		return nil, err
	}
	if lines == "" {
		return []string{}, nil
	}
	return strings.Split(lines, "\n"), nil
}

func (c *Client) listTags(ctx context.Context, repo image.Repository) ([]string, error) {
	var tags []string
	r := image.Reference{Repository: repo}
	_, err := c.upstreams.ask(ctx, subject{ref: r}, kindTags, func(ctx context.Context, u *upstream) (err error) {
		tags, err = listPages(ctx, u, r)
		return err
	})
	return tags, err
}

// listPages lists tags as far as the pages link to each other. Where none does, and the list ends as a page would, the
// rest is asked for by the last name, for as long as more come.
func listPages(ctx context.Context, u *upstream, r image.Reference) (tags []string, err error) {
	seen := map[string]bool{}
	var from []scheme.TagOpts
	for {
		list, err := u.rc.TagList(ctx, regRef(r), from...)
		if err != nil {
			var status *response.StatusError
			if from != nil && errors.As(err, &status) && status.Lasts() {
				return tags, nil // it does not go on from a name, so that was all
			}
			return nil, err
		}
		fresh := 0
		for _, t := range list.Tags {
			if t != "" && !seen[t] {
				seen[t] = true
				fresh++
				if ValidTag.MatchString(t) {
					tags = append(tags, t)
				}
			}
		}
		if fresh == 0 || exchangeOf(ctx).listing.linked || !response.EndsAsAPage(len(list.Tags)) {
			return tags, nil
		}
		from = []scheme.TagOpts{scheme.WithTagLast(list.Tags[len(list.Tags)-1])}
	}
}
