package distribution

import (
	"net/http"
	"strings"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/memo"
)

// count notes that a client was given an index or a manifest. A HEAD only tells the client what a tag points to, and an
// answer to If-None-Match that it has it already; but docker from 20.10 on, containerd and oras ask so for a tag and
// then get the digest that they are told, which is handing out the tag.
func (h *Handler) count(q request, ref image.Reference, d image.Digest) {
	asked := askedTag{from: client(q.Request), repo: q.repo, digest: d}
	if q.Method != http.MethodGet {
		if ref.Tag != "" {
			h.asked.remember(asked, ref.Tag, time.Now())
		}
		return
	}
	if known := q.Header.Get("If-None-Match"); known != "" &&
		(strings.Contains(known, string(d)) || strings.TrimSpace(known) == "*") {
		return
	}
	if ref.Tag == "" {
		ref.Tag = h.asked.take(asked, time.Now)
	}
	h.downloads.Downloaded(ref, d)
}

// client returns the address that a request comes from, without its port: a client may get the digest over another
// connection than it asked for the tag.
func client(r *http.Request) string {
	return r.RemoteAddr[:max(0, strings.LastIndexByte(r.RemoteAddr, ':'))]
}

const (
	// askedWithin is how soon after it asked for a tag a client gets the digest.
	askedWithin = 2 * time.Minute
	// mostAsked bounds the tags that are remembered, some 300 bytes each.
	mostAsked = 4096
)

// askedTag is a client that was told of a tag's digest.
type askedTag struct {
	from   string
	repo   image.Repository
	digest image.Digest
}

// askedTags remembers for which tags clients asked. Clients behind one address can take each other's: then another tag
// of the same digest counts. Safe for concurrent use.
type askedTags struct {
	tags *memo.Recent[askedTag, toldTag]
}

func newAskedTags() askedTags { return askedTags{memo.NewRecent[askedTag, toldTag](mostAsked)} }

type toldTag struct {
	tag string
	at  time.Time
}

func (a askedTags) remember(asked askedTag, tag string, at time.Time) {
	// Not the whole request with it.
	a.tags.Put(askedTag{strings.Clone(asked.from), asked.repo, asked.digest}, toldTag{strings.Clone(tag), at})
}

// take returns the tag for which a client has just asked; empty where it has not.
func (a askedTags) take(asked askedTag, now func() time.Time) string {
	told, ok := a.tags.Take(asked)
	if !ok || now().Sub(told.at) > askedWithin {
		return ""
	}
	return told.tag
}
