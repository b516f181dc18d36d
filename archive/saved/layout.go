package saved

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// The members that say what is in an archive.
const (
	layoutFile = ocispec.ImageLayoutFile // OCI image layout
	indexFile  = ocispec.ImageIndexFile
	DockerFile = "manifest.json" // docker save since 1.10
	legacyFile = "repositories"  // and before
)

// ContainerdName is the annotation by which docker, containerd and buildx call an image by its full reference.
const ContainerdName = "io.containerd.image.name"

// Image is an image or an index of an archive, with what came of it.
type Image struct {
	target  image.Document
	indexes []image.Document // nested ones on the way to the images
	Images  []shelf.PulledImage
	made    bool                                // the manifest was made here
	Absent  int                                 // platforms that an index lists and the archive does not bring
	about   map[image.Digest][]image.Descriptor // what its indexes list about images, by their manifests
	Passed  []image.PassedOver                  // of that, what the upload goes without
	left    []string                            // of its indexes, what the upload goes without, in words
	Names   []image.Reference                   // as the archive says
	tags    []string                            // names that are tags alone
}

// layout reads an OCI image layout (image-spec, image-layout.md). Without oci-layout an index.json is taken for one all
// the same, unless it is none and docker's manifest.json says what is there.
func (c *contents) layout(context.Context) error {
	marked, indexed, saved := c.has(layoutFile), c.has(indexFile), c.has(DockerFile)
	if marked {
		if err := c.layoutVersion(); err != nil {
			return err
		}
	}
	if !indexed && (saved || !marked) {
		return nil
	}
	file, err := c.named(layoutFile, indexFile)
	if err != nil {
		return err
	}
	raw, err := c.document(file, indexFile, image.MaxManifestSize)
	if err != nil {
		return err
	}
	if listsNothing(raw) {
		return nil
	}
	top, err := image.ParseDocument(ocispec.MediaTypeImageIndex, raw)
	if err == nil && top.Index == nil {
		err = image.Errorf(image.Corrupt, "it is not an index")
	}
	if err != nil && !marked && saved {
		c.leave("%s left out: %s", indexFile, wordsOf(err))
		return nil
	}
	if err != nil {
		return notRead(indexFile, err)
	}
	if err := c.entries(top.Index.Entries); err != nil {
		return err
	}
	for _, a := range c.all {
		if c.open && a.Absent > 0 {
			return cutOff(nil)
		}
	}
	return c.attestations(c.all)
}

// layoutVersion refuses a layout of another version.
func (c *contents) layoutVersion() error {
	file, err := c.named("the archive", layoutFile)
	if err != nil {
		return err
	}
	raw, err := c.document(file, layoutFile, image.MaxManifestSize)
	if err != nil {
		return err
	}
	var version ocispec.ImageLayout
	if err := json.Unmarshal(raw, &version); err != nil {
		return notRead(layoutFile, err)
	}
	if version.Version != ocispec.ImageLayoutVersion {
		return image.Errorf(image.Invalid, "the archive is an OCI image layout of version %.20q; only %s is known",
			version.Version, ocispec.ImageLayoutVersion)
	}
	return nil
}

// listsNothing reports whether an index has nothing in it: docker 25 wrote "manifests":null for an image without a
// name.
func listsNothing(raw []byte) bool {
	var index struct {
		Manifests []json.RawMessage `json:"manifests"`
		Config    json.RawMessage   `json:"config"`
		Layers    json.RawMessage   `json:"layers"`
	}
	return json.Unmarshal(raw, &index) == nil && len(index.Manifests) == 0 && index.Config == nil && index.Layers == nil
}

func notRead(name string, err error) error {
	return damagedArchive(image.Errorf(image.Corrupt, "%s cannot be read: %w", name, err))
}

// entries reads what index.json lists: an entry for each name, several of them maybe with one digest.
func (c *contents) entries(entries []image.Entry) error {
	known := map[image.Digest]*Image{} // nil for what is left out
	for _, e := range entries {
		a, seen := known[e.Digest]
		if !seen {
			var err error
			if a, err = c.entry(e); err != nil {
				return err
			}
			known[e.Digest] = a
		}
		if a == nil {
			continue
		}
		if err := a.annotated(e.Annotations); err != nil {
			return err
		}
	}
	return nil
}

// entry reads one entry of index.json. One that is no image is left out: nil. One that cannot be read may be in
// manifest.json.
func (c *contents) entry(e image.Entry) (*Image, error) {
	a := &Image{about: map[image.Digest][]image.Descriptor{}}
	err := notAnImage(e.Descriptor)
	if e.Problem != nil {
		err = image.Errorf(image.NotImage, "it cannot be read: %s", e.Problem.Text())
	}
	candidate := e.Kind == image.EntryImage || e.Kind == image.EntryIndex
	if candidate {
		err = c.arrive(a, e.Descriptor, e.Platform)
	}
	switch {
	case err == nil:
		c.add(a)
		return a, nil
	case image.KindOf(err) == image.NotImage:
		c.leave("%s left out: %s", cmp.Or(string(e.Digest), "an entry of index.json"), wordsOf(err))
		if candidate {
			c.notImage = err
		}
		return nil, nil
	case image.KindOf(err) == image.Corrupt && c.has(DockerFile):
		l := &lostEntry{digest: e.Digest, why: err}
		l.named.target.Digest = e.Digest
		if a.target.Manifest != nil {
			l.config = a.target.Manifest.Config.Digest
		}
		c.lost = append(c.lost, l)
		return &l.named, nil
	}
	return nil, err
}

// notAnImage words what an index lists that is neither an image nor an index.
func notAnImage(d image.Descriptor) error {
	kind := d.ArtifactType
	if kind == "" {
		kind = d.MediaType
	}
	return image.Errorf(image.NotImage, "it is not an image: its type is %.100q", kind)
}

// annotated takes the name of an entry of index.json.
func (a *Image) annotated(annotations map[string]string) error {
	name := annotations[ContainerdName]
	if name == "" {
		name = annotations[ocispec.AnnotationRefName]
		if name != "" && !strings.ContainsAny(name, "/:@") {
			if !slices.Contains(a.tags, name) {
				a.tags = append(a.tags, name)
			}
			return nil
		}
	}
	if name == "" {
		return nil
	}
	return a.called(name)
}

// called takes a name that the archive gives.
func (a *Image) called(name string) error {
	ref, err := image.ParseReference(name)
	if err != nil {
		return err
	}
	if ref.Digest != "" && ref.Digest != a.target.Digest {
		return image.Errorf(image.Corrupt, "the archive calls %s by another digest: %s", image.ShortDigest(a.target.Digest),
			ref.Familiar())
	}
	if slices.Contains(a.Names, ref) {
		return nil
	}
	if len(a.Names) == maxImages {
		return tooMany()
	}
	a.Names = append(a.Names, ref)
	return nil
}

// arrive reads an entry of index.json and what it leads to.
func (c *contents) arrive(a *Image, d image.Descriptor, p image.Platform) error {
	doc, ok, err := c.parse(d)
	if err != nil {
		return err
	}
	if !ok {
		return cutArchive(image.Errorf(image.Corrupt, "%s names %.100q, which is not in the archive", indexFile,
			string(d.Digest)))
	}
	a.target = doc
	var lacking error
	if doc.Manifest != nil {
		if lacking, err = c.image(a, doc, p); err == nil {
			err = lacking
		}
		return err
	}
	if lacking, err = c.index(a, doc.Index, 1); err != nil {
		return err
	}
	if len(a.Images) == 0 {
		if lacking != nil {
			return lacking
		}
		return image.Errorf(image.Corrupt, "the archive brings none of the platforms that the index %s lists",
			image.ShortDigest(doc.Digest)).
			Suggest("Save it with a platform that is there, such as docker save --platform.")
	}
	return nil
}

// index reads the images of an index that are there. lacking is why the last one that is not whole is left out.
func (c *contents) index(a *Image, idx *image.Index, depth int) (lacking, err error) {
	for _, e := range idx.Entries {
		if e.Kind == image.EntryAttestation && e.Describes != "" {
			a.about[e.Describes] = append(a.about[e.Describes], e.Descriptor)
		}
		if e.Kind != image.EntryImage && e.Kind != image.EntryIndex {
			continue
		}
		l, err := c.listed(a, e, depth)
		if err != nil {
			return nil, err
		}
		if l != nil {
			lacking = l
		}
	}
	return lacking, nil
}

// listed reads an image or an index that an index lists.
func (c *contents) listed(a *Image, e image.Entry, depth int) (lacking, err error) {
	doc, ok, err := c.parse(e.Descriptor)
	switch {
	case image.KindOf(err) == image.NotImage && err != nil:
		a.leave(e, err)
		return nil, nil
	case err != nil:
		return nil, err
	case !ok:
		a.Absent++
		a.leave(e, image.Errorf(image.NotFound, "the archive does not hold it"))
		return nil, nil
	case doc.Manifest != nil:
		lacking, err := c.image(a, doc, e.Platform)
		if lacking != nil {
			a.Absent++
			a.leave(e, lacking)
			c.lacking[doc.Manifest.Config.Digest] = true
		}
		return lacking, err
	case depth >= image.MaxIndexDepth:
		return nil, image.Errorf(image.TooLarge, "the archive has indexes in indexes, more than %d levels of them",
			image.MaxIndexDepth)
	case slices.ContainsFunc(a.indexes, func(known image.Document) bool { return known.Digest == doc.Digest }):
		return nil, nil
	}
	a.indexes = append(a.indexes, doc)
	return c.index(a, doc.Index, depth+1)
}

// leave says that something which an index lists is left out.
func (a *Image) leave(e image.Entry, why error) {
	what := string(e.Digest)
	if e.Platform.Known() {
		what = e.Platform.String() + ": " + what
	}
	a.left = append(a.left, what+" left out: "+wordsOf(why))
}

// parse reads a document that is in the archive; ok is false where it is not.
func (m *Archive) parse(d image.Descriptor) (doc image.Document, ok bool, err error) {
	file, ok := m.byDigest[d.Digest]
	if !ok {
		return doc, false, nil
	}
	if err := sameSize(file, d); err != nil {
		return doc, false, err
	}
	raw, err := m.document(file, string(d.Digest), image.MaxManifestSize)
	if err != nil {
		return doc, false, err
	}
	doc, err = image.ParseDocument(d.MediaType, raw)
	return doc, true, err
}

// image adds a manifest's image to a. lacking says what of it the archive does not hold; then it is not added.
func (c *contents) image(a *Image, doc image.Document, p image.Platform) (lacking, err error) {
	if slices.ContainsFunc(a.Images, func(i shelf.PulledImage) bool { return i.Document.Digest == doc.Digest }) {
		return nil, nil
	}
	for _, d := range append([]image.Descriptor{doc.Manifest.Config}, doc.Manifest.Layers...) {
		file, ok := c.byDigest[d.Digest]
		if !ok {
			return cutArchive(image.Errorf(image.Corrupt, "the manifest %s names %.100q, which is not in the archive",
				image.ShortDigest(doc.Digest), string(d.Digest))), nil
		}
		if err := sameSize(file, d); err != nil {
			return nil, err
		}
	}
	raw, err := c.document(c.byDigest[doc.Manifest.Config.Digest], "the config", image.MaxConfigSize)
	if err != nil {
		return nil, err
	}
	config, err := image.ParseConfig(raw, doc.Manifest)
	if err != nil {
		return nil, err
	}
	if !p.Known() {
		p = config.Platform()
	}
	a.Images = append(a.Images, shelf.PulledImage{Document: doc, Config: config, Platform: p})
	return nil, nil
}

func sameSize(file image.Staged, d image.Descriptor) error {
	if file.Size == d.Size {
		return nil
	}
	return damagedArchive(image.Errorf(image.Corrupt, "%s has %d bytes, and the archive says that it has %d",
		image.ShortDigest(d.Digest), file.Size, d.Size))
}
