package search

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/response"
)

// Search asks one registry. Errors are image.Errors, or the context's: NotFound where the registry cannot be
// searched (its catalog is switched off and it has no search), RateLimited, Unauthorized, Unavailable. An empty
// text lists a catalog; other services are not asked for it, and nothing is found.
func (c *Client) Search(ctx context.Context, host string, q Question) (Hits, error) {
	q, err := q.checked(host)
	if err != nil {
		return Hits{}, err
	}
	for again := false; ; again = true {
		kind, foundOut, err := c.searchKind(ctx, host, q.Text)
		if err != nil {
			return Hits{}, plain(ctx, host, err)
		}
		hits, err := c.searchBy(ctx, host, kind, q)
		err = plain(ctx, host, err)
		if foundOut && !again && errors.Is(err, registry.ErrNotThis) && kind != registry.SearchCatalog {
			c.kinds.Forget(host) // it has become another
			continue
		}
		return hits, err
	}
}

// plain makes an image.Error of one that is not, unless the caller's context has ended.
func plain(ctx context.Context, host string, err error) error {
	var known *image.Error
	if err == nil || ctx.Err() != nil || errors.As(err, &known) {
		return err
	}
	return image.Errorf(image.Internal, "the search of %s failed", host).Because(err)
}

// searchBy asks a registry in one way.
func (c *Client) searchBy(ctx context.Context, host string, kind registry.SearchKind, q Question) (Hits, error) {
	if q.Text == "" && kind != registry.SearchCatalog {
		return Hits{Kind: kind}, nil
	}
	if q.filtered() {
		return c.searchWindow(ctx, host, kind, q)
	}
	if q.Page*q.Limit > mostDeep {
		return Hits{Kind: kind, Total: -1}, nil
	}
	f, err := c.answer(ctx, host, kind, q.Text, q.Page, q.Limit)
	if err != nil {
		return Hits{}, err
	}
	return f.plain(), nil
}

// searchWindow filters and orders the first results that a service has, as docker does with its limit.
func (c *Client) searchWindow(ctx context.Context, host string, kind registry.SearchKind, q Question) (Hits, error) {
	s, err := c.searcherOf(ctx, host, kind)
	if err != nil {
		return Hits{}, err
	}
	pages, size := s.window()
	first, err := c.answer(ctx, host, kind, q.Text, 1, size)
	if err != nil {
		return Hits{}, err
	}
	seen := []found{first}
	if first.more && pages > 1 {
		rest, errs := make([]found, pages-1), make([]error, pages-1)
		var all sync.WaitGroup
		for i := range rest {
			all.Go(func() { rest[i], errs[i] = c.answer(ctx, host, kind, q.Text, i+2, size) })
		}
		all.Wait()
		for i, f := range rest {
			if errs[i] != nil {
				return Hits{}, errs[i]
			}
			if seen = append(seen, f); !f.more {
				break
			}
		}
	}
	return q.apply(seen), nil
}

// TagDetails asks the registry's search service for sizes and dates of a repository's tags: the newest hundred
// or so whose names contain the text. Nothing, and no error, where the registry has no such service, or that
// does not show the repository. Answers are remembered for a minute. Errors are image.Errors, or the context's.
func (c *Client) TagDetails(ctx context.Context, repo image.Repository, contains string) (map[string]TagDetail, error) {
	if !validTagPart.MatchString(contains) {
		return nil, nil // no tag does
	}
	all, err := c.details.Get(ctx, detailsKey{repo, contains}, func(ctx context.Context) (map[string]TagDetail, error) {
		host := repo.Host()
		kind, _, err := c.searchKind(ctx, host, repo.Path()[strings.LastIndex(repo.Path(), "/")+1:])
		if image.KindOf(err) == image.NotFound {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		s, err := c.searcherOf(ctx, host, kind)
		if err != nil {
			return nil, err
		}
		all, err := s.details(ctx, repo.Path(), contains)
		var status *response.StatusError
		if errors.As(err, &status) {
			switch status.Code {
			case http.StatusNotFound, http.StatusUnauthorized, http.StatusForbidden:
				return nil, nil
			}
		}
		return all, err
	})
	return maps.Clone(all), err
}
