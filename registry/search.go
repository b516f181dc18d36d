package registry

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stowage/stowage/image"
)

// SearchKind is a way of searching a registry.
type SearchKind string

// The kinds.
const (
	SearchAuto    SearchKind = ""        // found out by asking, and remembered
	SearchHub     SearchKind = "hub"     // Docker Hub's own API, or else its v1 search
	SearchQuay    SearchKind = "quay"    // /api/v1/find/repositories
	SearchHarbor  SearchKind = "harbor"  // /api/v2.0/search
	SearchV1      SearchKind = "v1"      // /v1/search, what docker search asks
	SearchCatalog SearchKind = "catalog" // /v2/_catalog, filtered here
	SearchOff     SearchKind = "off"
)

// SearchSort is an order of results.
type SearchSort string

// The orders. All but the first are of what was fetched: see Hits.Window.
const (
	SortMatch SearchSort = "" // as the service has it: best match
	SortStars SearchSort = "stars"
	SortPulls SearchSort = "pulls"
	SortName  SearchSort = "name"
)

// Query is what is searched for. Official and Stars are docker search's filters is-official and stars.
type Query struct {
	Text     string
	Official bool
	Stars    int // at least
	Sort     SearchSort
	Page     int // from 1
	Limit    int // results on a page, 1 to 100; docker's default is 25
}

// Hit is one repository that was found. Description is hostile text.
type Hit struct {
	Repository  image.Repository
	Description string
	Official    bool
	Verified    bool  // a verified publisher's
	Stars       int64 // negative where the service does not say
	Pulls       int64 // negative where the service does not say
	Updated     time.Time
}

// Hits is a page of results.
type Hits struct {
	Kind    SearchKind // who answered
	Hits    []Hit
	Total   int  // how many there are in all; negative where the service does not say
	More    bool // there is a further page
	Window  int  // when filters or an order were applied here: how many of the service's results they saw; else 0. Total is of those
	Partial bool // a catalog that is still being read, or too long to be read whole: what there is of it
	Reading bool // it is still being read: ask again for more
	Read    int  // names of a catalog that were searched; of a service, the results that it sent
}

// Answer is what one registry of several said.
type Answer struct {
	Registry Listed
	Hits     Hits
	Err      error // an image.Error
	Late     bool  // Err says that it did not answer by the deadline; it may be asked again soon
}

const (
	defaultLimit = 25  // docker's
	mostLimit    = 100 // docker's
	mostText     = 200 // bytes of what is searched for
	mostDeep     = 10_000
)

// Search asks one registry. Errors are image.Errors, or the context's: NotFound where the registry cannot be
// searched (its catalog is switched off and it has no search), RateLimited, Unauthorized, Unavailable. An empty
// text lists a catalog; other services are not asked for it, and nothing is found.
func (c *Client) Search(ctx context.Context, host string, q Query) (Hits, error) {
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
		if foundOut && !again && errors.Is(err, errNotThis) && kind != SearchCatalog {
			c.services.kinds.forget(host) // it has become another
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

// checked brings a query for a registry into its normal form, as dockerd does: without the host, and without
// library/ for Docker Hub.
func (q Query) checked(host string) (Query, error) {
	q.Text = strings.Join(strings.Fields(strings.ToValidUTF8(q.Text, "")), " ")
	q.Text = strings.TrimPrefix(q.Text, host+"/")
	if host == dockerHub {
		q.Text = strings.TrimPrefix(strings.TrimPrefix(q.Text, "index."+dockerHub+"/"), "library/")
	}
	if len(q.Text) > mostText {
		return q, image.Errorf(image.Invalid, "the text to search for is longer than %d bytes", mostText).Suggest("Search for a part of the name.")
	}
	if q.Limit == 0 {
		q.Limit = defaultLimit
	}
	if q.Limit < 1 || q.Limit > mostLimit {
		return q, image.Errorf(image.Invalid, "limit %d is outside the range of [1, %d]", q.Limit, mostLimit)
	}
	q.Page = min(max(q.Page, 1), mostDeep)
	q.Stars = max(q.Stars, 0)
	switch q.Sort {
	case SortMatch, SortStars, SortPulls, SortName:
		return q, nil
	}
	return q, image.Errorf(image.Invalid, "results cannot be sorted by %.40q", string(q.Sort)).Suggest("Sort them by stars, pulls or name.")
}

// searchBy asks a registry in one way.
func (c *Client) searchBy(ctx context.Context, host string, kind SearchKind, q Query) (Hits, error) {
	if q.Text == "" && kind != SearchCatalog {
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

func (f found) plain() Hits {
	return Hits{
		Kind: f.kind, Hits: slices.Clone(f.hits), Total: f.total, More: f.more,
		Partial: f.partial, Reading: f.reading, Read: max(f.read, len(f.hits)),
	}
}

// filtered tells whether a query is more than the services' own search does.
func (q Query) filtered() bool { return q.Official || q.Stars > 0 || q.Sort != SortMatch }

// searchWindow filters and orders the first results that a service has, as docker does with its limit.
func (c *Client) searchWindow(ctx context.Context, host string, kind SearchKind, q Query) (Hits, error) {
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

// apply filters and orders what was fetched, and gives the page that is asked for.
func (q Query) apply(seen []found) Hits {
	result := Hits{Kind: seen[0].kind}
	var all []Hit
	for _, f := range seen {
		all = append(all, f.hits...)
		result.Partial, result.Reading = result.Partial || f.partial, result.Reading || f.reading
		result.Read += max(f.read, len(f.hits))
	}
	all = unique(all)
	result.Window = len(all)
	all = slices.DeleteFunc(all, func(h Hit) bool {
		return q.Official && !h.Official || q.Stars > 0 && h.Stars < int64(q.Stars)
	})
	q.Sort.order(all)
	result.Total, result.More = len(all), len(all) > q.Page*q.Limit
	result.Hits = slices.Clone(pageOf(all, q.Page, q.Limit))
	return result
}

// order puts results in an order, those that are alike as they came.
func (s SearchSort) order(all []Hit) {
	shown := map[image.Repository]string{} // names as people read them
	if s == SortName {
		for _, h := range all {
			shown[h.Repository] = h.Repository.Familiar()
		}
	}
	slices.SortStableFunc(all, func(a, b Hit) int {
		switch s {
		case SortStars:
			return cmp.Compare(b.Stars, a.Stars)
		case SortPulls:
			return cmp.Compare(b.Pulls, a.Pulls)
		case SortName:
			return cmp.Compare(shown[a.Repository], shown[b.Repository])
		}
		return 0
	})
}
