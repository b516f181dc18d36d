package search

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/stowage/stowage/guard"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/response"
)

const (
	hubURL   = "https://hub.docker.com"
	hubV1URL = "https://index.docker.io"
	quayHost = "quay.io"
)

// serviceOf finds out where a registry's search answers.
func (c *Client) serviceOf(ctx context.Context, host string, kind registry.SearchKind) (service, error) {
	s := service{out: c.out, limiters: &c.limiters, host: c.registries.HostOf(host)}
	base := ""
	switch listed, _ := c.registries.Find(host); {
	case listed.SearchURL != "":
		base = listed.SearchURL
	case kind == registry.SearchHub && host == image.DockerHub:
		base = hubURL
	case kind == registry.SearchV1 && host == image.DockerHub:
		base = hubV1URL
	case kind == registry.SearchQuay && host == quayHost && listed.Address == "": // else its search moves with it
		base = "https://" + quayHost
	}
	var err error
	if base == "" || kind == registry.SearchHarbor || kind == registry.SearchV1 && host != image.DockerHub {
		if s.host, err = c.registries.Reach(ctx, host); err != nil {
			return s, err
		}
		if base == "" {
			base = s.host.Scheme + "://" + s.host.API
		}
	}
	if s.base, err = url.Parse(strings.TrimSuffix(base, "/")); err != nil {
		return s, image.Errorf(image.Invalid, "the search of %s cannot be at %q", host, response.Clean(base)).Because(err)
	}
	return s, nil
}

// searchKind returns how a registry is searched. foundOut is true where nobody set it.
func (c *Client) searchKind(ctx context.Context, host,
	text string) (kind registry.SearchKind, foundOut bool, err error) {
	listed, _ := c.registries.Find(host)
	switch {
	case listed.Search == registry.SearchOff:
		return "", false, image.Errorf(image.NotFound, "searching %s is switched off", host).
			Suggest("Type the whole name of an image, such as %s/NAME.", host)
	case listed.Search != registry.SearchAuto:
		return listed.Search, false, nil
	case host == image.DockerHub:
		return registry.SearchHub, false, nil
	case host == quayHost && listed.Address == "":
		return registry.SearchQuay, false, nil
	}
	kind, err = c.kinds.Get(ctx, host,
		func(ctx context.Context) (registry.SearchKind, error) { return c.findKind(ctx, host, text) })
	return kind, true, err
}

// findKind finds out how a registry is searched: by the services' own ways, asked side by side, or else by its
// catalog. That is not read here: whoever asks for the details of tags may name any host, and has no use for it.
// What counts is the shape of the answer: there are hosts that answer anything with a web page and status 200.
// Whoever cannot be reached, or not now, is asked again next time.
func (c *Client) findKind(ctx context.Context, host, text string) (registry.SearchKind, error) {
	kinds := []registry.SearchKind{registry.SearchHarbor, registry.SearchQuay, registry.SearchV1}
	if text == "" {
		text = "a"
	}
	errs := make([]error, len(kinds))
	var all sync.WaitGroup
	for i, kind := range kinds {
		all.Go(func() {
			errs[i] = guard.Do(func() error { _, err := c.answer(ctx, host, kind, text, 1, defaultLimit); return err })
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		return "", (service{host: c.registries.HostOf(host), base: &url.URL{Host: host}}).explain(ctx, ctx.Err())
	}
	for i, kind := range kinds {
		if errs[i] == nil {
			return kind, nil
		}
	}
	for _, err := range errs {
		if !errors.Is(err, registry.ErrNotThis) {
			return "", err
		}
	}
	return registry.SearchCatalog, nil
}

// searcherOf returns the way of searching a registry.
func (c *Client) searcherOf(ctx context.Context, host string, kind registry.SearchKind) (searcher, error) {
	if kind == registry.SearchCatalog {
		return c.catalog(host), nil
	}
	s, err := c.serviceOf(ctx, host, kind)
	switch kind {
	case registry.SearchHub:
		return hubSearch{s, c.hubPatience,
			func(ctx context.Context) (searcher, error) { return c.searcherOf(ctx, host, registry.SearchV1) }}, err
	case registry.SearchQuay:
		return quaySearch{s}, err
	case registry.SearchHarbor:
		return harborSearch{s}, err
	}
	return v1Search{s}, err
}

// answer asks a service for a page, or remembers what it said. Catalogs are remembered as a whole instead.
func (c *Client) answer(ctx context.Context, host string, kind registry.SearchKind, text string, page,
	size int) (found, error) {
	ask := func(ctx context.Context) (found, error) {
		s, err := c.searcherOf(ctx, host, kind)
		if err != nil {
			return found{}, err
		}
		f, err := s.find(ctx, text, page, size)
		f.hits = slices.Clone(f.hits) // it may be a part of far more, and is kept
		return f, err
	}
	if kind == registry.SearchCatalog {
		return ask(ctx)
	}
	return c.answers.Get(ctx, answerKey{host, kind, text, page, size}, ask)
}
