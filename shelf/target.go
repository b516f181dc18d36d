package shelf

import (
	"time"

	"github.com/stowage/stowage/image"
)

// Archived is what a tag, a digest or an image ID brings into an archive.
type Archived struct {
	Target  image.Descriptor   // the index or the manifest
	Indexes []image.Descriptor // the stored ones: the target where it is one, and those that it lists
	Images  []ArchivedImage    // the stored ones, broken ones too, in the index's order
}

// ArchivedImage is one stored platform with all that it is made of.
type ArchivedImage struct {
	Image
	ManifestBlob image.Descriptor
	Config       image.Descriptor // without a media type, which its manifest has
	Layers       []image.Descriptor
	About        []image.Descriptor // of the attestations that describe it: their manifests and all of their parts
}

// StoredAttestation is a stored manifest that describes a stored image.
type StoredAttestation struct {
	Digest     image.Digest
	Of         image.Digest // the image's manifest
	MediaType  string
	Size       int64    // bytes of the manifest, its config and its statements
	Predicates []string // what the statements are about, in their order: URIs, hostile text; "" where one does not say
}

// Image is one stored platform.
type Image struct {
	Manifest image.Digest
	ID       image.Digest   // the config's digest
	Platform image.Platform // what the index calls it that leads to it; by itself, or where the index does not say: Own
	Own      image.Platform // what its config says
	Created  time.Time      // zero where the config does not say
	Size     int64          // compressed bytes of its layers
	Layers   int
	Unpacked int64      // bytes as docker counts SIZE; -1 until each layer was unpacked
	Broken   image.Text // why it cannot be used; empty when nothing is known against it
	Stored   time.Time
}

// Misnamed reports whether an index calls the image another platform than its config says. What one of the two leaves
// open is no contradiction.
func (i Image) Misnamed() bool {
	p, own := i.Platform, i.Own
	return p.Known() && own.Known() &&
		(p.OS != own.OS || p.Architecture != own.Architecture ||
			p.Variant != own.Variant && p.Variant != "" && own.Variant != "")
}

// IndexEntry is one line of an index as the pages show it: a platform, stored or not, or what describes one.
type IndexEntry struct {
	Digest    image.Digest
	MediaType string
	Bytes     int64 // of the manifest itself
	Kind      image.EntryKind
	Platform  image.Platform // zero where the index does not say
	Describes image.Digest   // an attestation's subject
	Depth     int            // 0 in the index itself, 1 in an index that it lists, …
}

// Target is what a tag or a digest names on the
type Target struct {
	Reference image.Reference
	Digest    image.Digest
	MediaType string
	Reason    Reason
	Pulled    time.Time
	By        string
	Tags      []string     // the repository's tags on this digest
	Images    []Image      // what is stored, in the index's order
	Entries   []IndexEntry // of the index; empty where the reference names a manifest
}

// Layer is one layer of an image, or a layer by itself.
type Layer struct {
	Digest    image.Digest
	DiffID    image.Digest // as the config claims; for a layer by itself: as proved, empty until unpacked
	MediaType string
	Size      int64      // compressed bytes
	Unpacked  int64      // bytes as docker counts SIZE; -1 until it was unpacked
	Entries   int64      // files, directories and links in it; -1 until it was unpacked
	Problem   image.Text // why it cannot be unpacked; empty when nothing is known against it
	CreatedBy string
	Users     int // stored images that use it, this one included
}

// LayerUser is an image that uses a layer.
type LayerUser struct {
	Image      Image
	Position   int // of the layer in the image, from 0
	CreatedBy  string
	References []image.Reference // a few that reach the image
}

// Named is what the shelf has under a name: a reference, or an image by its ID.
type Named struct {
	Reference image.Reference // zero where it is an ID
	Image     Image           // zero where it is a reference
}

// Names are the references under which an image ID is stored.
type Names struct {
	Tags    []image.Reference
	Digests []image.Reference                  // the digests that repositories know, with tags or without
	Lone    []image.Reference                  // of those, the digests that no tag points at
	Called  map[image.Reference]image.Platform // what the image is called under each of them
}

// Served is an index, a manifest or an attestation as a registry hands it out.
type Served struct {
	Digest    image.Digest
	MediaType string
	Size      int64      // bytes of the document itself
	Broken    image.Text // why the image must not be handed out; empty when nothing is known against it
}

// Unserved is what the indexes of a repository say of a manifest that is not stored.
type Unserved struct {
	Kind image.EntryKind
	// Platform is zero where the index does not say. An attestation has the platform of the image that it describes.
	Platform image.Platform
	Stored   []image.Platform // of the same index, in its order
}
