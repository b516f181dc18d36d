package saved

import (
	"context"
	"fmt"
	"slices"

	"github.com/stowage/stowage/image"
)

// contents is what an archive says that it holds, and what came of it. It can say so in several ways at once, of which
// one alone need not name everything: index.json of an OCI image layout, docker's manifest.json, and repositories. All
// of them are read, and what two of them call one image, by its config, is one.
type contents struct {
	*Archive
	all      []*Image
	byConfig map[image.Digest][]*Image // by the configs of their images
	lacking  map[image.Digest]bool     // configs of platforms that an index lists and that are not whole
	lost     []*lostEntry
	tops     map[string][]*Image // by what repositories may call their newest layer
	notImage error               // why something that is listed is no image
	left     []string            // what of it is left out, in words
}

// lostEntry is an entry of index.json that cannot be read. manifest.json may have its image all the same.
type lostEntry struct {
	digest image.Digest
	config image.Digest // as far as it is known
	named  Image        // with nothing but its names
	why    error
}

// Images finds the images of an archive, and says what of it is left out.
func (m *Archive) Images(ctx context.Context) ([]*Image, []string, error) {
	c := &contents{Archive: m, byConfig: map[image.Digest][]*Image{}, lacking: map[image.Digest]bool{},
		tops: map[string][]*Image{}}
	if !m.has(layoutFile) && !m.has(indexFile) && !m.has(DockerFile) && !m.has(legacyFile) {
		return nil, nil, m.noImage()
	}
	// An OCI image layout is asked first, as containerd does: it has the manifests as they are, which docker's own leave
	// out.
	for _, read := range []func(context.Context) error{c.layout, c.saved, c.recover, c.legacy} {
		if err := read(ctx); err != nil {
			return nil, nil, err
		}
	}
	if len(c.all) == 0 {
		if c.notImage != nil {
			return nil, nil, c.notImage
		}
		return nil, nil, image.Errorf(image.Invalid, "this archive holds no image").Suggest("Name an image when you save it.")
	}
	for _, a := range c.all {
		c.left = append(c.left, a.left...)
	}
	return c.all, c.left, nil
}

// has reports whether an archive has a member of a name.
func (m *Archive) has(name string) bool {
	_, ok := m.byName[name]
	return ok
}

// noImage words what else an archive is that says nothing about images.
func (m *Archive) noImage() error {
	if folder := m.folder(); folder != "" {
		return image.Errorf(image.Invalid,
			"the image of this archive lies in a folder in it, %.100q: the folder was packed by its name", folder).
			Suggest("Pack what is in the folder: tar -C FOLDER -cf FILE .")
	}
	return image.Errorf(image.Invalid, "this archive holds no image: it has neither an oci-layout nor a manifest.json").
		Suggest("Send the archive that docker save, podman save or skopeo copy has written. What docker export writes is a container's files, not an image.")
}

// add takes an image or an index that was found.
func (c *contents) add(a *Image) {
	c.all = append(c.all, a)
	for _, img := range a.Images {
		config := img.Document.Manifest.Config.Digest
		c.byConfig[config] = append(c.byConfig[config], a)
		if n := len(img.Config.RootFS.DiffIDs); n > 0 {
			c.topped(img.Config.RootFS.DiffIDs[n-1].Encoded(), a)
			c.topped(img.Document.Manifest.Layers[n-1].Digest.Encoded(), a)
		}
	}
}

// topped notes by what repositories may call the newest layer of an image.
func (c *contents) topped(id string, a *Image) {
	if !slices.Contains(c.tops[id], a) {
		c.tops[id] = append(c.tops[id], a)
	}
}

// leave says that something is left out.
func (c *contents) leave(format string, args ...any) {
	c.left = append(c.left, fmt.Sprintf(format, args...))
}

// called reports whether something that was found has a name already.
func (c *contents) called(name image.Reference) bool {
	return slices.ContainsFunc(c.all, func(a *Image) bool { return slices.Contains(a.Names, name) })
}

// allCalled is called for all of several names, of which there is one at least.
func (c *contents) allCalled(names []string) bool {
	for _, name := range names {
		ref, err := image.ParseReference(name)
		if err != nil || !c.called(ref) {
			return false
		}
	}
	return len(names) > 0
}

// recover lets the images of manifest.json have what of index.json could not be read: by their config, or
// else by a name. Where there is none, that is why the archive is refused.
func (c *contents) recover(context.Context) error {
	for _, l := range c.lost {
		i := slices.IndexFunc(c.all, func(a *Image) bool {
			return a.made && slices.ContainsFunc(a.Names,
				func(ref image.Reference) bool { return slices.Contains(l.named.Names, ref) }) ||
				slices.Contains(c.byConfig[l.config], a)
		})
		if i < 0 {
			return l.why
		}
		for _, ref := range l.named.Names {
			if !slices.Contains(c.all[i].Names, ref) {
				c.all[i].Names = append(c.all[i].Names, ref)
			}
		}
		c.all[i].tags = append(c.all[i].tags, l.named.tags...)
		c.leave("%s of %s left out, its image is taken as %s has it: %s", l.digest, indexFile, DockerFile, wordsOf(l.why))
	}
	return nil
}

// wordsOf words an error for a line of an outcome.
func wordsOf(err error) string { return err.Error() }
