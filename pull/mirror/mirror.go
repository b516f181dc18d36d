// Package mirror brings what clients of the registry API ask for and the shelf lacks, by the queue of pulls.
package mirror

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/memo"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/shelf"
)

const (
	// Fresh is for how long the answer about a tag holds where nobody says otherwise.
	Fresh = 5 * time.Minute
	// RestLimited is for how long a registry is left alone that limits requests and does not say until when.
	RestLimited = time.Minute

	waitStored   = 5 * time.Second  // for which a client waits for the registry when something is stored
	askTimeout   = 30 * time.Second // for one question about a tag
	restFailed   = 30 * time.Second // for which a registry that does not answer is not asked again
	restMissing  = 10 * time.Second // the same for a tag that it does not have
	restEnded    = 10 * time.Second // after which a pull that has ended is begun again for a client
	restPassing  = time.Minute      // the same for one that failed by what may pass
	restRefused  = time.Hour        // and for one that failed by what the image is
	mostTags     = 8 << 10          // tags, documents and blobs that are remembered, some 300 bytes each
	mostDocs     = 16 << 10
	mostBlobs    = 16 << 10
	mostChildren = 2048             // entries of one index that are remembered
	noteTimeout  = 10 * time.Second // for one write to the shelf's records
)

// Blobs are the files of blobs.
type Blobs interface {
	// HasBlob reports whether the blob's whole, verified file is on disk.
	HasBlob(d image.Descriptor) bool
}

// Images is what a Mirror looks up of what is stored.
type Images interface {
	// Listed returns which index of a repository lists a digest, and under which reference that is stored; NotFound
	// where none does.
	Listed(ctx context.Context, ref image.Reference) (shelf.Indexed, error)
}

// Options are what a Mirror works with. Queue, Jobs, Blobs, Images and Registries are required.
type Options struct {
	Queue      *pull.Queue
	Jobs       *job.Runner // those of the queue
	Blobs      Blobs
	Images     Images
	Checks     Checks        // keeps what is heard of stored tags; nil: nothing
	Registries []string      // hosts that may be fetched from, as in references
	Fresh      time.Duration // for which the answer about a tag holds
	Logger     *slog.Logger
}

// Mirror brings what clients of the registry API ask for and the shelf lacks: through the queue, as a pull like any
// other, while the bytes go on to the clients as they come. A tag is asked about by HEAD, by all clients together once
// in a while. Nil, it covers nothing. Safe for concurrent use.
type Mirror struct {
	queue      *pull.Queue
	jobs       *job.Runner
	stored     Blobs
	images     Images
	checks     Checks
	registries []string
	fresh      time.Duration
	log        *slog.Logger

	asking singleflight.Group
	tags   *memo.Recent[image.Reference, Standing]
	docs   *memo.Recent[image.Reference, origin]
	blobs  *memo.Recent[image.Reference, handedBlob]
	begun  *memo.Recent[image.Reference, begun]
	failed *memo.Recent[int64, failure]

	counts struct{ asked, stale, streamed atomic.Int64 }
}

// New makes a Mirror.
func New(o Options) *Mirror {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	m := &Mirror{
		queue: o.Queue, jobs: o.Jobs, stored: o.Blobs, images: o.Images, checks: o.Checks,
		registries: o.Registries, fresh: o.Fresh, log: o.Logger,
		tags:   memo.NewRecent[image.Reference, Standing](mostTags),
		docs:   memo.NewRecent[image.Reference, origin](mostDocs),
		blobs:  memo.NewRecent[image.Reference, handedBlob](mostBlobs),
		begun:  memo.NewRecent[image.Reference, begun](mostTags),
		failed: memo.NewRecent[int64, failure](mostTags),
	}
	// What a pull was told is newer than what clients were told before it.
	heard := func(ref image.Reference, d image.Digest, asked time.Time) {
		if m.Covers(ref.Repository) {
			m.heard(ref, d, asked)
		}
	}
	o.Queue.Resolver().Hear(heard)
	o.Jobs.Ended(func(j job.Job, err error) {
		if err != nil && !errors.Is(err, job.ErrClosing) {
			m.failed.Put(j.ID, failure{kind: job.ProblemOf(err).Kind, at: m.jobs.Now()})
		}
	})
	return m
}

// Covers reports whether what is missing of a repository may be fetched.
func (m *Mirror) Covers(repo image.Repository) bool {
	return m != nil && slices.Contains(m.registries, repo.Host())
}

// Tally counts what was done since the start.
type Tally struct {
	Asked    int64 // questions about tags
	Stale    int64 // answers from the shelf because the registry could not be asked
	Streamed int64 // blobs that were handed on while they came
}

// Tally returns the counts.
func (m *Mirror) Tally() Tally {
	return Tally{Asked: m.counts.asked.Load(), Stale: m.counts.stale.Load(), Streamed: m.counts.streamed.Load()}
}

// maxMediaType is how many bytes of a media type are remembered (RFC 6838, section 4.2: two names of 127).
const maxMediaType = 255

// own keeps a reference from holding on to the request that it is a part of.
func own(ref image.Reference) image.Reference {
	return image.Reference{Repository: image.Repository(strings.Clone(string(ref.Repository))),
		Tag: strings.Clone(ref.Tag), Digest: image.Digest(strings.Clone(string(ref.Digest)))}
}

// bare is a descriptor as it is remembered: without what its author can add to it, of any length.
func bare(d image.Descriptor) image.Descriptor {
	if len(d.MediaType) > maxMediaType {
		d.MediaType = ""
	}
	return image.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
}
