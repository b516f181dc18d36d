package shelf

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/stowage/stowage/image"
)

// Stored is what the shelf holds under a reference.
type Stored struct {
	Digest image.Digest  // what the reference points to on the shelf
	Images []StoredImage // the platforms of it that are stored, and not broken
}

// Indexed is an entry of an index that is stored.
type Indexed struct {
	image.Descriptor
	Reference image.Reference // a tag that points to the index, or else its digest
	Index     image.Digest    // what that points to
	Kind      image.EntryKind
	// Platform is the one that the index says; zero where it lists another image for that platform first. That of an
	// attestation is the platform of the image that it describes.
	Platform  image.Platform
	Describes image.Digest // an attestation's image, by its manifest
}

// StoredImage is one stored platform.
type StoredImage struct {
	Manifest image.Digest
	Platform image.Platform
}

// PulledImage is one platform that a pull brought, its blobs on disk.
type PulledImage struct {
	Document image.Document // its manifest
	Config   *image.Config
	Platform image.Platform // as the index says, or else the config

	Attestations []image.Attestation // what the index lists about it, as far as it could be had
}

// Digests lists the blobs of the image: its manifest, config and layers, and all of what describes it. Some can be in
// it twice.
func (i PulledImage) Digests() []image.Digest {
	all := []image.Digest{i.Document.Digest, i.Document.Manifest.Config.Digest}
	for _, l := range i.Document.Manifest.Layers {
		all = append(all, l.Digest)
	}
	for _, a := range i.Attestations {
		all = append(all, a.Digest)
		for _, d := range a.Blobs() {
			all = append(all, d.Digest)
		}
	}
	return all
}

// Pulled is what a pull brought, to be recorded.
type Pulled struct {
	Reference image.Reference
	Before    image.Digest     // what the tag pointed to on the shelf when the pull looked; empty if nothing
	Target    image.Document   // what the reference points to: an index or a manifest
	Indexes   []image.Document // nested indexes on the way to the images
	Images    []PulledImage
	JobID     int64
	By        image.Actor
	Uploaded  bool      // an archive brought it, and no registry
	Asked     time.Time // when the registry said where the tag points; zero where it was not asked
	At        time.Time
}

// ErrMoved says that another pull has moved the tag while this one ran.
var ErrMoved = errors.New("tag moved during the pull")

// Change says what a pull changed.
type Change struct {
	Previous image.Digest // what the tag pointed to before; empty if it is new
	Newer    bool         // the reference is new or moved, or a platform was added
}

// Import is what an archive brings, proved, to be recorded: all of it or nothing.
type Import struct {
	Pulled []Pulled                        // one for each name; Before is looked up when it is recorded
	Files  map[image.Digest]image.Staged   // every blob that Pulled names
	Proved map[image.Digest]image.Unpacked // every layer, unpacked
	// manifests that no registry has: the archive did not hold any, or one over unpacked layers
	Made  map[image.Digest]bool
	JobID int64
	By    image.Actor
}

// Imported is what became of one name of an Import.
type Imported struct {
	Change
	Digest image.Digest // what the reference points to now
	Same   bool         // the tag had this very image already, by its ID: it stays as it is
}

// Stage keeps what somebody sends apart from the shelf until it is proved. Errors are image.Errors.
type Stage interface {
	// Add writes what r gives and hashes it; size is how much that should be. An error of r is returned as it is, wrapped
	// at most; DiskFull where there is no room.
	Add(ctx context.Context, r io.Reader, size int64) (image.Staged, error)
	// Open opens a staged file. The caller closes it.
	Open(f image.Staged) (io.ReadCloser, error)
	// Discard removes the stage with what is still on it.
	Discard() error
}

// BlobWriter receives one blob. It is used by one goroutine.
type BlobWriter interface {
	io.Writer
	// Offset returns the bytes that are on disk and counted in the digest.
	Offset() int64
	// Restart forgets what is there.
	Restart() error
	// Commit proves size and digest and makes the blob durable. With image.Corrupt what was fetched is gone,
	// and Restart begins anew.
	Commit() error
	// Close gives the writer up. What was written stays for the next attempt unless it was committed; after
	// Commit it does nothing.
	Close() error
}

// Reservation is room on the disk that is set aside.
type Reservation interface {
	// Release gives up what is left of it, as often as called.
	Release()
}
