package registry

import (
	"context"
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
	Window  int  // when filters or an order were applied here: how many of the service's results they saw; else 0
	Partial bool // a catalog that is still being read: what there is so far
}

// Answer is what one registry of several said.
type Answer struct {
	Registry Listed
	Hits     Hits
	Err      error // an image.Error
	Late     bool  // Err says that it did not answer by the deadline; it may be asked again soon
}

// Search asks one registry. Errors are image.Errors, or the context's: NotFound where the registry cannot be
// searched (its catalog is switched off and it has no search), RateLimited, Unauthorized, Unavailable.
func (c *Client) Search(ctx context.Context, host string, q Query) (Hits, error) {
	return Hits{}, image.Errorf(image.Unavailable, "not yet")
}

// SearchAll asks several registries side by side and waits for each until the deadline, which does not end
// what was begun: it is kept for the next time somebody asks. The answers are in the order of hosts.
func (c *Client) SearchAll(ctx context.Context, hosts []string, q Query, deadline time.Duration) []Answer {
	return nil
}
