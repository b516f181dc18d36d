package search

import (
	"context"
	"net/url"

	"github.com/stowage/stowage/registry"
)

// Registries is what a search asks the client of registries for.
type Registries interface {
	// Find returns the list's entry of a host.
	Find(host string) (registry.Entry, bool)
	// HostOf returns how a host is spoken to, as far as the list says.
	HostOf(name string) registry.Host
	// Reach returns it with what only asking tells.
	Reach(ctx context.Context, name string) (registry.Host, error)
	// CatalogPage asks for one page of the names that a registry lists.
	CatalogPage(ctx context.Context, host string, page *url.URL) (registry.CatalogPage, error)
}

// searcher is a way of searching one registry. Errors are image.Errors, or the context's; those that say that
// the answer is not such a service's wrap registry.ErrNotThis.
type searcher interface {
	// find returns a page, counted from 1, of at most size repositories, best match first.
	find(ctx context.Context, text string, page, size int) (found, error)
	// window is how many pages of which size filters and orders of our own look at.
	window() (pages, size int)
	// details returns what is known of a repository's tags whose names contain a text; nil where nothing is.
	details(ctx context.Context, path, contains string) (map[string]TagDetail, error)
}

// found is what a search service answers.
type found struct {
	kind    registry.SearchKind
	hits    []Hit
	total   int // negative where it is not said
	more    bool
	read    int // names of the catalog; 0 for a service
	partial bool
	reading bool
}
