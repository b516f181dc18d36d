package shelf

import (
	"time"

	"github.com/stowage/stowage/image"
)

// Reason says why a digest is on the
type Reason string

// The reasons, most binding first (product words: by digest, dangling).
const (
	ByTag    Reason = "tag"
	ByDigest Reason = "by digest"
	Dangling Reason = "dangling"
)

// Row is one line of the Images page: a tag, or a digest without one.
type Row struct {
	Reference image.Reference // the tag, or the digest where there is no tag
	Digest    image.Digest    // what the tag points to
	Reason    Reason
	ImageID   image.Digest     // of Platform; empty when no platform is stored
	Platform  image.Platform   // the platform that ID, times and sizes are of
	Platforms []image.Platform // all that are stored, in the index's order
	Created   time.Time        // zero where the config does not say
	Pulled    time.Time
	Size      int64      // compressed bytes of Platform's layers
	Unpacked  int64      // bytes as docker counts SIZE; -1 until known
	TotalSize int64      // compressed bytes of all stored platforms, shared layers once
	Broken    image.Text // why the image cannot be used; empty when nothing is known against it
	Pinned    bool       // somebody marked Digest as in use
	Update    UpdateState
	Downloads Download // by the tag or by the digest that it points to; of a digest, in all
}

// Totals are the sums that the Images page shows.
type Totals struct {
	Images       int // rows of the list
	Repositories int
	Blobs        int
	Bytes        int64 // of the blobs, each once
	Waiting      int   // blobs that nothing needs and whose files are on disk until a deletion cannot be undone any more
	WaitingBytes int64
}

// RepositoryRow is one line of the list by repositories: what its rows that a query chooses come to.
type RepositoryRow struct {
	Repository image.Repository
	Tags       int
	Dangling   int              // digests
	ByDigest   int              // digests
	Platforms  []image.Platform // that any of the rows has
	Created    time.Time        // the newest; zero where none says
	Pulled     time.Time        // the last
	// compressed bytes of each digest added up: a layer that two of them share is counted twice
	Size      int64
	Available int // tags for which the registry has another digest
	Gone      int // tags that the registry no longer has
	Pinned    int
	Downloads Download // of any of the rows
}

// RepositoryTotals are the sums that a repository's page shows.
type RepositoryTotals struct {
	Tags     int
	Untagged int // digests that no tag of the repository points to
}
