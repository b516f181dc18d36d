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
	"time"

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
		limiters: limiters{pace: pace, byHost: memo.NewRecent[string, *limiter](mostServices)},
		kinds: memo.New(kindLife, mostKinds, 1<<20,
			func(host string, _ registry.SearchKind) int64 { return int64(len(host)) }).
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
