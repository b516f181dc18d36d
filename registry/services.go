package registry

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/share"
)

// Limits on what is remembered of search services and lists of tags.
const (
	answerLife  = time.Minute
	kindLife    = time.Hour // how a registry is searched
	mostAnswers = 500
	roomAnswers = 8 << 20 // bytes
	mostTags    = 500
	roomTags    = 16 << 20
	roomDetails = 16 << 20
	mostLate    = 16 // searches that go on beyond their deadline, and one of each other registry
)

// services is what is remembered of the registries' search services.
type services struct {
	gates    gates
	kinds    *memo[string, SearchKind] // by host, as found out
	answers  *memo[answerKey, found]
	details  *memo[detailsKey, map[string]TagDetail]
	tags     *memo[image.Repository, string] // one tag on a line: one piece of memory for thousands
	catalogs catalogs
	late     *share.Places

	hubPatience time.Duration // see the constant
}

// answerKey is one question to one service.
type answerKey struct {
	host       string
	kind       SearchKind
	text       string
	page, size int
}

func newServices() *services {
	s := &services{
		gates: gates{pace: gatePace, byHost: map[string]*gate{}},
		kinds: newMemo(kindLife, maxHosts, 1<<20, func(host string, _ SearchKind) int64 { return int64(len(host)) }),
		answers: newMemo(answerLife, mostAnswers, roomAnswers, func(k answerKey, f found) int64 {
			n := len(k.text) + len(k.host)
			for _, h := range f.hits {
				n += 100 + len(h.Repository) + len(h.Description)
			}
			return int64(n)
		}),
		details: newMemo(answerLife, mostTags, roomDetails, func(k detailsKey, all map[string]TagDetail) int64 {
			n := len(k.repository) + len(k.contains)
			for name, d := range all {
				n += 150 + len(name) + len(d.Digest)
				for _, i := range d.Images {
					n += 100 + len(i.Digest)
				}
			}
			return int64(n)
		}),
		tags: newMemo(answerLife, mostTags, roomTags, func(r image.Repository, lines string) int64 { return int64(len(r) + len(lines)) }),
		catalogs: catalogs{
			patience: catalogPatience, now: time.Now,
			readers: share.New(share.Rules{Usual: catalogReaders, PerHost: 1, Most: catalogMost}), byHost: map[string]*catalogReading{},
		},
		late:        share.New(share.Rules{Usual: mostLate, PerHost: 1, Most: 2 * mostLate}),
		hubPatience: hubPatience,
	}
	s.kinds.limit, s.answers.limit, s.details.limit = 2*searchLimit, searchLimit, 2*searchLimit
	return s
}

// searchKind tells how a registry is searched. foundOut is true where nobody set it.
func (c *Client) searchKind(ctx context.Context, host, text string) (kind SearchKind, foundOut bool, err error) {
	listed, _ := c.Find(host)
	switch {
	case listed.Search == SearchOff:
		return "", false, image.Errorf(image.NotFound, "searching %s is switched off", host).
			Suggest("Type the whole name of an image, such as %s/NAME.", host)
	case listed.Search != SearchAuto:
		return listed.Search, false, nil
	case host == dockerHub:
		return SearchHub, false, nil
	case host == quayHost && listed.Address == "":
		return SearchQuay, false, nil
	}
	kind, err = c.services.kinds.get(ctx, host, func(ctx context.Context) (SearchKind, error) { return c.findKind(ctx, host, text) })
	return kind, true, err
}

// findKind finds out how a registry is searched: by the services' own ways, asked side by side, or else by its
// catalog. That is not read here: whoever asks for the details of tags may name any host, and has no use for it.
// What counts is the shape of the answer: there are hosts that answer anything with a web page and status 200.
// Whoever cannot be reached, or not now, is asked again next time.
func (c *Client) findKind(ctx context.Context, host, text string) (SearchKind, error) {
	kinds := []SearchKind{SearchHarbor, SearchQuay, SearchV1}
	if text == "" {
		text = "a"
	}
	errs := make([]error, len(kinds))
	var all sync.WaitGroup
	for i, kind := range kinds {
		all.Go(func() {
			_, errs[i] = safely(ctx, func(ctx context.Context) (found, error) { return c.answer(ctx, host, kind, text, 1, defaultLimit) })
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		return "", (service{client: c, host: host, base: &url.URL{Host: host}}).explain(ctx, ctx.Err())
	}
	for i, kind := range kinds {
		if errs[i] == nil {
			return kind, nil
		}
	}
	for _, err := range errs {
		if !errors.Is(err, errNotThis) {
			return "", err
		}
	}
	return SearchCatalog, nil
}

// searcherOf gives the way of searching a registry.
func (c *Client) searcherOf(ctx context.Context, host string, kind SearchKind) (searcher, error) {
	if kind == SearchCatalog {
		return catalogSearch{client: c, host: host}, nil
	}
	s, err := c.serviceOf(ctx, host, kind)
	switch kind {
	case SearchHub:
		return hubSearch{s, func(ctx context.Context) (searcher, error) { return c.searcherOf(ctx, host, SearchV1) }}, err
	case SearchQuay:
		return quaySearch{s}, err
	case SearchHarbor:
		return harborSearch{s}, err
	}
	return v1Search{s}, err
}

// answer asks a service for a page, or remembers what it said. Catalogs are remembered as a whole instead.
func (c *Client) answer(ctx context.Context, host string, kind SearchKind, text string, page, size int) (found, error) {
	ask := func(ctx context.Context) (found, error) {
		s, err := c.searcherOf(ctx, host, kind)
		if err != nil {
			return found{}, err
		}
		f, err := s.find(ctx, text, page, size)
		f.hits = slices.Clone(f.hits) // it may be a part of far more, and is kept
		return f, err
	}
	if kind == SearchCatalog {
		return ask(ctx)
	}
	return c.services.answers.get(ctx, answerKey{host, kind, text, page, size}, ask)
}
