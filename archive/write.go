package archive

import (
	"github.com/stowage/stowage/image"
)

// MaxParts bounds what all the images of one archive have together, each layer counted as often as an image has it:
// manifest.json is held in memory, some 100 bytes for each.
const MaxParts = 100_000

// Format says who is to read an archive.
type Format string

// The formats.
const (
	Docker Format = "docker" // an OCI image layout with manifest.json: every docker, podman, skopeo, containerd
	OCI    Format = "oci"    // an OCI image layout and nothing else
)

// Export is one tag, digest or image that goes into an archive.
type Export struct {
	// a tag, which it is loaded as; without a tag it is loaded without a name, as docker save does it with IDs
	Name    image.Reference
	Target  image.Descriptor   // the index or the manifest that the archive's index.json lists
	Indexes []image.Descriptor // the indexes that are in the archive: the target, where it is one, and those that it lists
	Images  []Image            // at least one; manifest.json, which knows one platform of a name, has the first
	Others  []image.Descriptor // what else is to be in the archive, such as attestations and their parts
}

// Image is one platform of an Export: its manifest, its config and its layers, base layer first.
type Image struct {
	Manifest image.Descriptor
	Config   image.Descriptor
	Layers   []image.Descriptor
}

// Archive is an archive that is ready to be read. It holds descriptors, not blobs: some 300 bytes for each blob. Safe
// for concurrent use.
type Archive struct {
	entries []entry
	blobs   []image.Descriptor
	size    int64
	digest  image.Digest
}

// Size returns the bytes of the whole tar.
func (a *Archive) Size() int64 { return a.size }

// Digest identifies the bytes of the archive: equal digests, equal bytes. It is not the digest of those bytes, for
// which all of them would have to be read, but of the headers and of the documents that are made here; the headers have
// the digests of all the rest.
func (a *Archive) Digest() image.Digest { return a.digest }

// Blobs returns what the archive is made of, each blob once. Nobody may change it.
func (a *Archive) Blobs() []image.Descriptor { return a.blobs }

// New works out the archive of exports. The same exports in the same order give the same bytes. What several images
// share is in it once. Errors: Invalid where there is nothing to write, or where descriptors contradict each other;
// TooLarge over MaxParts.
func New(exports []Export, f Format) (*Archive, error) {
	parts := 0
	for _, e := range exports {
		if len(e.Images) == 0 {
			return nil, image.Errorf(image.Invalid, "no image of %s is to be written", e.Name.Familiar())
		}
		parts += len(e.Indexes) + len(e.Others)
		for _, i := range e.Images {
			parts += 1 + len(i.Layers)
		}
	}
	if parts == 0 {
		return nil, image.Errorf(image.Invalid, "an archive without an image cannot be written")
	}
	if parts > MaxParts {
		return nil, image.Errorf(image.TooLarge, "these images have %d parts, and an archive has at most %d", parts,
			MaxParts).
			Suggest("Download fewer images at a time.")
	}
	w := newWriter()
	documents, err := documentsOf(exports, f)
	if err != nil {
		return nil, err
	}
	for _, d := range documents {
		if err := w.document(d.name, d.raw); err != nil {
			return nil, err
		}
	}
	if err := w.folders(); err != nil {
		return nil, err
	}
	// What is small and names the rest comes first, so that a reader knows what each layer is for.
	for _, e := range exports {
		if err := w.blob(e.Indexes...); err != nil {
			return nil, err
		}
	}
	for _, e := range exports {
		for _, i := range e.Images {
			if err := w.blob(i.Manifest, i.Config); err != nil {
				return nil, err
			}
		}
		if err := w.blob(e.Others...); err != nil {
			return nil, err
		}
	}
	for _, e := range exports {
		for _, i := range e.Images {
			if err := w.blob(i.Layers...); err != nil {
				return nil, err
			}
		}
	}
	return w.end(), nil
}
