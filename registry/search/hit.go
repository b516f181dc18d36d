package search

import (
	"slices"
	"strings"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry"
)

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
	Kind  registry.SearchKind // who answered
	Hits  []Hit
	Total int  // how many there are in all; negative where the service does not say
	More  bool // there is a further page
	// when filters or an order were applied here: how many of the service's results they saw; else 0. Total is of those
	Window  int
	Partial bool // a catalog that is still being read, or too long to be read whole: what there is of it
	Reading bool // it is still being read: ask again for more
	Read    int  // names of a catalog that were searched; of a service, the results that it sent
}

// hitOf makes a result of a registry, or false where the name is none. Names come with and without the host and, from
// Docker Hub, with and without library/.
func hitOf(host string, name lenientText) (Hit, bool) {
	path := strings.TrimPrefix(string(name), host+"/")
	r, err := image.ParseRepositoryReference(host + "/" + path)
	if err != nil || r.Tag != "" || r.Digest != "" || r.Repository.Host() != host {
		return Hit{}, false
	}
	return Hit{Repository: r.Repository, Stars: -1, Pulls: -1}, true
}

// unique leaves out what is there twice.
func unique(hits []Hit) []Hit {
	seen := make(map[image.Repository]bool, len(hits))
	return slices.DeleteFunc(hits, func(h Hit) bool {
		twice := seen[h.Repository]
		seen[h.Repository] = true
		return twice
	})
}

// pageOf returns a page of a list.
func pageOf[T any](all []T, page, size int) []T {
	from := min((page-1)*size, len(all))
	return all[from:min(from+size, len(all))]
}

func (f found) plain() Hits {
	return Hits{
		Kind: f.kind, Hits: slices.Clone(f.hits), Total: f.total, More: f.more,
		Partial: f.partial, Reading: f.reading, Read: max(f.read, len(f.hits)),
	}
}
