// Package search searches registries: each by its own service where it has one, or else by the names that it lists, and
// several side by side. How the parts hang together:
//
//	Client ── memo (remembers answers and tags; has each asked for once at a time)
//	            └─ searcher (one for each search service: hub, quay, harbor, v1, catalog)
//	                 └─ limiter (few requests at a time to a host, and none while it says that there were too many)
//
// What services answer is hostile, and read leniently. Errors are image.Errors, or the context's.
package search

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/memo"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/share"
)

// Limits on what is remembered of search services.
const (
	answerLife  = time.Minute
	kindLife    = time.Hour // how a registry is searched
	mostAnswers = 500
	roomAnswers = 8 << 20 // bytes
	mostKinds   = 256
	mostTags    = 500
	roomDetails = 16 << 20
	mostLate    = 16 // searches that go on beyond their deadline, and one of each other registry
)

// Registries is what a search asks the client of registries for.
type Registries interface {
	// Find returns the list's entry of a host.
	Find(host string) (registry.Entry, bool)
	// Host returns how a host is spoken to, as far as the list says.
	Host(name string) registry.Host
	// Reach returns it with what only asking tells.
	Reach(ctx context.Context, name string) (registry.Host, error)
	// CatalogPage asks for one page of the names that a registry lists.
	CatalogPage(ctx context.Context, host string, page *url.URL) (registry.CatalogPage, error)
}

// Client searches registries. It may be used by many goroutines at once.
type Client struct {
	registries Registries
	out        *outbound.Client
	limiters   limiters
	kinds      *memo.Memo[string, registry.SearchKind] // by host, as found out
	answers    *memo.Memo[answerKey, found]
	details    *memo.Memo[detailsKey, map[string]TagDetail]
	catalogs   catalogs
	late       *share.Places

	hubPatience time.Duration // see the constant
}

// answerKey is one question to one service.
type answerKey struct {
	host       string
	kind       registry.SearchKind
	text       string
	page, size int
}

// New makes a client that searches registries and takes the way out for it.
func New(registries Registries, out *outbound.Client) *Client {
	return &Client{
		registries: registries, out: out, hubPatience: hubPatience,
		limiters: limiters{pace: pace, byHost: map[string]*limiter{}},
		kinds: memo.New(kindLife, mostKinds, 1<<20, func(host string, _ registry.SearchKind) int64 { return int64(len(host)) }).
			Within(2 * searchLimit),
		answers:  memo.New(answerLife, mostAnswers, roomAnswers, sizeOfAnswer).Within(searchLimit),
		details:  memo.New(answerLife, mostTags, roomDetails, sizeOfDetails).Within(2 * searchLimit),
		catalogs: newCatalogs(registries),
		late:     share.New(share.Rules{Usual: mostLate, PerHost: 1, Most: 2 * mostLate}),
	}
}

func sizeOfAnswer(k answerKey, f found) int64 {
	n := len(k.text) + len(k.host)
	for _, h := range f.hits {
		n += 100 + len(h.Repository) + len(h.Description)
	}
	return int64(n)
}

func sizeOfDetails(k detailsKey, all map[string]TagDetail) int64 {
	n := len(k.repository) + len(k.contains)
	for name, d := range all {
		n += 150 + len(name) + len(d.Digest)
		for _, i := range d.Images {
			n += 100 + len(i.Digest)
		}
	}
	return int64(n)
}

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
