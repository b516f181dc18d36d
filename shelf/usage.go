package shelf

import (
	"time"

	"github.com/stowage/stowage/image"
)

// DamagedBlob is a blob whose file is not what was stored, and what needs it.
type DamagedBlob struct {
	Digest image.Digest
	Size   int64
	Layer  bool         // it is a layer, and has a page
	Needs  []DamagedUse // a few references that lead to it, by name
	More   bool         // there are more
}

// DamagedUse is a reference whose images need a damaged blob, and those of its platforms that do.
type DamagedUse struct {
	Reference image.Reference
	Platforms []image.Platform
}

// Freed is what left the disk.
type Freed struct {
	Files int
	Bytes int64
}

// Add counts one more file.
func (f *Freed) Add(bytes int64) {
	f.Files++
	f.Bytes += bytes
}

// PartialBlob is a layer that was fetched in part.
type PartialBlob struct {
	Digest image.Digest
	Bytes  int64
}

// Usage says what uses the disk, and for whom. Sizes are bytes. A blob counts once, for one of Repositories with
// OtherBytes, Shared and Dangling: together they are Blobs.
type Usage struct {
	At   time.Time     // of what it says; zero: nothing has been counted yet
	Took time.Duration // to work it out

	Blobs    int64 // of images and indexes
	Copies   int64 // what the images would take if none shared a blob with another one
	Unpacked int64 // of the layers that have been unpacked, each once, as docker counts SIZE
	Layers   LayerCount

	Repositories []RepositoryUsage // by what is their own, largest first; the first maxRepositories of them
	Others       int               // further repositories, and what is their own
	OtherBytes   int64
	Shared       int64 // that several repositories lead to
	Dangling     int64 // that only dangling digests lead to

	Waiting int64 // of blobs that wait to be swept; not among Blobs

	Largest     []LayerUsage // the maxLargest largest layers
	Reclaimable Reclaimable
	Files       Files

	Changes int64 // the last one that touched what is counted
}

// LayerCount counts layers by what is known of them.
type LayerCount struct {
	All     int
	Pending int // not unpacked yet
	Broken  int // cannot be unpacked
}

// RepositoryUsage is what a repository's tags, and digests that somebody asked for, lead to.
type RepositoryUsage struct {
	Repository image.Repository
	Tags       int
	Own        int64 // bytes that no other repository leads to
	Shared     int64 // bytes that others lead to as well
}

// LayerUsage is a large layer and who has it.
type LayerUsage struct {
	Digest     image.Digest
	Size       int64
	Unpacked   int64 // -1 until it was unpacked, or where it cannot be
	CreatedBy  string
	Images     int               // stored images that use it
	References []image.Reference // a few that lead to those
}

// Reclaimable is what a prune could free.
type Reclaimable struct {
	At       time.Time  // of what it says; zero: nothing has been counted yet
	Dangling int64      // bytes that pruning dangling digests frees
	Images   int        // platform images that go with it
	Plan     PlanTotals // of the plan for that; zero where there are too many digests to plan while nobody asks
	Unpinned int64      // bytes that only what nobody pinned leads to
}

// DiskUse is what the shelf takes on disk: bytes of files. At rest All is what the files of the data folder have
// together.
type DiskUse struct {
	Images       int64     // blobs of images and indexes
	Waiting      int64     // blobs that nothing needs, until their deletion cannot be undone any more
	WaitingBlobs int       // how many
	WaitingUntil time.Time // when the last of them goes; zero where nothing waits
	// of pulls that run, or that did not end well: whole layers, as last counted, and parts of layers
	Unfinished int64
	Database   int64 // with its log, and what is kept free for it
	Layout     int64 // index.json, and what else makes the folder an image layout
	Other      int64 // what is not Stowage's, as last counted

	Free, Volume uint64 // of the volume that the data folder is on
}

// Blobs returns what images, deletions and pulls take.
func (d DiskUse) Blobs() int64 { return d.Images + d.Waiting + d.Unfinished }

// All returns what the whole data folder takes.
func (d DiskUse) All() int64 { return d.Blobs() + d.Database + d.Layout + d.Other }

// Files is what the data folder takes on disk: bytes of its files, by what they are.
type Files struct {
	Blobs    int64 // of images, waiting to be swept, and of pulls that have not ended well
	Partial  int64 // blobs that have been fetched in part, and uploads under way
	Database int64 // with its log, and what is kept free for it
	Layout   int64 // index.json, and what else makes the folder an image layout
	Other    int64 // what is not Stowage's

	// Loose are those of Blobs that no row knows: layers that a running pull has brought, or one that failed. As long as
	// things change it is off by what changed.
	Loose int64
}

// All adds the files up.
func (f Files) All() int64 { return f.Blobs + f.Partial + f.Database + f.Layout + f.Other }
