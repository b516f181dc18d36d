package archive

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
)

// The members that say what is in an archive.
const (
	layoutFile = ocispec.ImageLayoutFile // OCI image layout
	indexFile  = ocispec.ImageIndexFile
	savedFile  = "manifest.json" // docker save since 1.10
	legacyFile = "repositories"  // and before
)

// containerdName is the annotation by which docker, containerd and buildx call an image by its full reference.
const containerdName = "io.containerd.image.name"

// arrived is an image or an index of an archive, with what came of it.
type arrived struct {
	target  image.Document
	indexes []image.Document // nested ones on the way to the images
	images  []pull.PulledImage
	made    bool                                // the manifest was made here
	absent  int                                 // platforms that an index lists and the archive does not bring
	about   map[image.Digest][]image.Descriptor // what its indexes list about images, by their manifests
	passed  []pull.PassedOver                   // of that, what the upload goes without
	names   []image.Reference                   // as the archive says
	tags    []string                            // names that are tags alone
}

// interpret finds the images of an archive. Where it says it in several ways, an OCI image layout is asked first, as
// containerd does: it has the manifests as they are, which docker's own layouts leave out.
func (m *members) interpret(ctx context.Context) ([]*arrived, error) {
	has := func(name string) bool {
		_, ok := m.byName[name]
		return ok
	}
	var all []*arrived
	var err error
	switch {
	case has(layoutFile):
		all, err = m.layout()
	case has(savedFile):
		all, err = m.saved(ctx)
	case has(legacyFile):
		all, err = m.legacy(ctx)
	default:
		return nil, image.Errorf(image.Invalid, "this archive holds no image: it has neither an oci-layout nor a manifest.json").
			Suggest("Send the archive that docker save, podman save or skopeo copy has written. What docker export writes is a container's files, not an image.")
	}
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, image.Errorf(image.Invalid, "this archive holds no image").Suggest("Name an image when you save it.")
	}
	return all, nil
}

// layout reads an OCI image layout (image-spec, image-layout.md).
func (m *members) layout() ([]*arrived, error) {
	file, err := m.named("the archive", layoutFile)
	if err != nil {
		return nil, err
	}
	raw, err := m.document(file, layoutFile, image.MaxManifestSize)
	if err != nil {
		return nil, err
	}
	var version ocispec.ImageLayout
	if err := json.Unmarshal(raw, &version); err != nil {
		return nil, notRead(layoutFile, err)
	}
	if version.Version != ocispec.ImageLayoutVersion {
		return nil, image.Errorf(image.Invalid, "the archive is an OCI image layout of version %.20q; only %s is known", version.Version, ocispec.ImageLayoutVersion)
	}
	if file, err = m.named(layoutFile, indexFile); err != nil {
		return nil, err
	}
	if raw, err = m.document(file, indexFile, image.MaxManifestSize); err != nil {
		return nil, err
	}
	top, err := image.ParseDocument(ocispec.MediaTypeImageIndex, raw)
	if err == nil && top.Index == nil {
		err = image.Errorf(image.Corrupt, "it is not an index")
	}
	if err != nil {
		return nil, notRead(indexFile, err)
	}
	all, err := m.entries(top.Index.Entries)
	if err != nil {
		return nil, err
	}
	for _, a := range all {
		if m.open && a.absent > 0 {
			return nil, cutOff(nil)
		}
	}
	return all, m.attestations(all)
}

func notRead(name string, err error) error {
	return damagedArchive(image.Errorf(image.Corrupt, "%s cannot be read: %w", name, err))
}

// entries reads what index.json lists: an entry for each name, several of them maybe with one digest.
func (m *members) entries(entries []image.Entry) ([]*arrived, error) {
	var all []*arrived
	var other error // why something that is listed is no image
	for _, e := range entries {
		if e.Kind != image.EntryImage && e.Kind != image.EntryIndex {
			continue
		}
		i := slices.IndexFunc(all, func(a *arrived) bool { return a.target.Digest == e.Digest })
		if i < 0 {
			a := &arrived{about: map[image.Digest][]image.Descriptor{}}
			err := m.arrive(a, e.Descriptor, e.Platform)
			if image.KindOf(err) == image.NotImage {
				other = err
				continue
			}
			if err != nil {
				return nil, err
			}
			i = len(all)
			all = append(all, a)
		}
		if err := all[i].annotated(e.Annotations); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 && other != nil {
		return nil, other
	}
	return all, nil
}

// annotated takes the name of an entry of index.json.
func (a *arrived) annotated(annotations map[string]string) error {
	name := annotations[containerdName]
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
func (a *arrived) called(name string) error {
	ref, err := image.ParseReference(name)
	if err != nil {
		return err
	}
	if ref.Digest != "" && ref.Digest != a.target.Digest {
		return image.Errorf(image.Corrupt, "the archive calls %s by another digest: %s", image.ShortDigest(a.target.Digest), ref.Familiar())
	}
	if slices.Contains(a.names, ref) {
		return nil
	}
	if len(a.names) == maxImages {
		return tooMany()
	}
	a.names = append(a.names, ref)
	return nil
}

// arrive reads an entry of index.json and what it leads to.
func (m *members) arrive(a *arrived, d image.Descriptor, p image.Platform) error {
	doc, ok, err := m.parse(d)
	if err != nil {
		return err
	}
	if !ok {
		return cutArchive(image.Errorf(image.Corrupt, "%s names %.100q, which is not in the archive", indexFile, string(d.Digest)))
	}
	a.target = doc
	var lacking error
	if doc.Manifest != nil {
		if lacking, err = m.image(a, doc, p); err == nil {
			err = lacking
		}
		return err
	}
	if lacking, err = m.index(a, doc.Index, 1); err != nil {
		return err
	}
	if len(a.images) == 0 {
		if lacking != nil {
			return lacking
		}
		return image.Errorf(image.Corrupt, "the archive brings none of the platforms that the index %s lists", image.ShortDigest(doc.Digest)).
			Suggest("Save it with a platform that is there, such as docker save --platform.")
	}
	return nil
}

// index reads the images of an index that are there. lacking is why the last one that is not whole is left out.
func (m *members) index(a *arrived, idx *image.Index, depth int) (lacking, err error) {
	for _, e := range idx.Entries {
		if e.Kind == image.EntryAttestation && e.Describes != "" {
			a.about[e.Describes] = append(a.about[e.Describes], e.Descriptor)
		}
		if e.Kind != image.EntryImage && e.Kind != image.EntryIndex {
			continue
		}
		doc, ok, err := m.parse(e.Descriptor)
		switch {
		case image.KindOf(err) == image.NotImage && err != nil:
			continue
		case err != nil:
			return nil, err
		case !ok:
			a.absent++
		case doc.Manifest != nil:
			l, err := m.image(a, doc, e.Platform)
			if err != nil {
				return nil, err
			}
			if l != nil {
				lacking = l
				a.absent++
			}
		case depth >= image.MaxIndexDepth:
			return nil, image.Errorf(image.TooLarge, "the archive has indexes in indexes, more than %d levels of them", image.MaxIndexDepth)
		case !slices.ContainsFunc(a.indexes, func(known image.Document) bool { return known.Digest == doc.Digest }):
			a.indexes = append(a.indexes, doc)
			l, err := m.index(a, doc.Index, depth+1)
			if err != nil {
				return nil, err
			}
			if l != nil {
				lacking = l
			}
		}
	}
	return lacking, nil
}

// parse reads a document that is in the archive; ok is false where it is not.
func (m *members) parse(d image.Descriptor) (doc image.Document, ok bool, err error) {
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
func (m *members) image(a *arrived, doc image.Document, p image.Platform) (lacking, err error) {
	if slices.ContainsFunc(a.images, func(i pull.PulledImage) bool { return i.Document.Digest == doc.Digest }) {
		return nil, nil
	}
	for _, d := range append([]image.Descriptor{doc.Manifest.Config}, doc.Manifest.Layers...) {
		file, ok := m.byDigest[d.Digest]
		if !ok {
			return cutArchive(image.Errorf(image.Corrupt, "the manifest %s names %.100q, which is not in the archive", image.ShortDigest(doc.Digest), string(d.Digest))), nil
		}
		if err := sameSize(file, d); err != nil {
			return nil, err
		}
	}
	raw, err := m.document(m.byDigest[doc.Manifest.Config.Digest], "the config", image.MaxConfigSize)
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
	a.images = append(a.images, pull.PulledImage{Document: doc, Config: config, Platform: p})
	return nil, nil
}

func sameSize(file Staged, d image.Descriptor) error {
	if file.Size == d.Size {
		return nil
	}
	return damagedArchive(image.Errorf(image.Corrupt, "%s has %d bytes, and the archive says that it has %d", image.ShortDigest(d.Digest), file.Size, d.Size))
}
