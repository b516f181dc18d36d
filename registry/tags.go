package registry

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/regclient/regclient/scheme"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/outbound"
)

// Limits on a listing of tags. The largest repositories of Docker Hub have some ten thousand tags.
const (
	maxTagPages = 1000     // answers to follow by Link
	maxTagPage  = 4 << 20  // bytes of one answer
	maxTagBytes = 16 << 20 // bytes of all answers

	tagsLife = time.Minute // for which a listing is remembered
	mostTags = 500         // listings that are
	roomTags = 16 << 20    // bytes of them all
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
	_, err := c.ask(ctx, subject{ref: r}, kindTags, func(ctx context.Context, u *upstream) (err error) {
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
			var status *outbound.StatusError
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
		if fresh == 0 || exchangeOf(ctx).linked || !EndsAsAPage(len(list.Tags)) {
			return tags, nil
		}
		from = []scheme.TagOpts{scheme.WithTagLast(list.Tags[len(list.Tags)-1])}
	}
}

// tagPage checks one answer of a listing: not a page seen before, not one too many, nor at an endless address. The next
// one is named as regclient reads it.
func (ex *exchange) tagPage(t *transport, req *http.Request, resp *http.Response, size int) error {
	if ex.pages == nil {
		ex.pages = map[string]bool{}
	}
	page := req.URL.String()
	if len(page) > maxLink {
		return image.Errorf(image.Unavailable, "%s links to a next page that is no address", req.URL.Host)
	}
	if ex.pages[page] {
		return image.Errorf(image.Unavailable, "%s lists the tags of %s in a circle", req.URL.Host, ex.subject.name())
	}
	ex.pages[page] = true
	ex.bytes += size
	if len(ex.pages) > maxTagPages || ex.bytes > maxTagBytes {
		return image.Errorf(image.TooLarge, "%s has more tags than can be listed", ex.subject.name()).
			Suggest("Ask for the tags that you need by name.")
	}
	next, err := nextLink(resp.Header, req.URL, t.host)
	resp.Header.Del("Link")
	if next != nil {
		ex.linked = true
		next.Scheme, next.Host = t.scheme, t.api
		resp.Header.Set("Link", "<"+next.String()+`>; rel="next"`)
	}
	return err
}
