package saved

import (
	"strings"

	"github.com/stowage/stowage/image"
)

// Name gives every image of an archive the references that it is stored under. given is what the sender calls it:
// empty to leave it to the archive; a repository with a tag or a digest for a single image; a repository alone is
// repository:latest for a single image, and the repository of those that have no name, or only a tag, otherwise. Errors
// are of kind Invalid and Corrupt.
func Name(all []*Image, given string) error {
	var ref image.Reference
	if given != "" {
		var err error
		if ref, err = image.ParseRepositoryReference(given); err != nil {
			return err
		}
	}
	exact := ref.Tag != "" || ref.Digest != ""
	if exact && len(all) > 1 {
		return image.Errorf(image.Invalid, "the archive holds %d images, and one name cannot be given to all of them",
			len(all)).
			Suggest("Leave the name out, or give a repository without a tag.")
	}
	for _, a := range all {
		if err := a.settle(ref, exact, len(all) == 1); err != nil {
			return err
		}
	}
	return onceEach(all)
}

// settle gives one image its references.
func (a *Image) settle(given image.Reference, exact, single bool) error {
	switch {
	case exact:
		if given.Digest != "" && given.Digest != a.target.Digest {
			return image.Errorf(image.Invalid, "the archive holds %s, not %s", a.target.Digest, given.Digest).
				Suggest("Leave the digest out of the name.")
		}
		a.Names = []image.Reference{given}
	case given.Repository == "" && len(a.Names) > 0:
	case given.Repository == "" && len(a.tags) > 0:
		return image.Errorf(image.Invalid, "the archive calls an image %.100q, which is a tag without a repository",
			a.tags[0]).
			Suggest("Say what it is called: ?name=REPOSITORY at the end of the address, or the name in the form.")
	case given.Repository == "":
		return image.Errorf(image.Invalid, "the archive does not say what its image %s is called",
			image.ShortDigest(a.target.Digest)).
			Suggest("Say what it is called: ?name=REPOSITORY:TAG at the end of the address, or the name in the form.")
	case len(a.tags) > 0:
		a.Names = nil
		for _, tag := range a.tags {
			if err := a.called(given.Repository.Familiar() + ":" + tag); err != nil {
				return err
			}
		}
	case single:
		a.Names = []image.Reference{given.WithTag(image.DefaultTag)}
	case len(a.Names) == 0:
		a.Names = []image.Reference{given.WithDigest(a.target.Digest)}
	}
	return nil
}

// onceEach refuses an archive that gives one name to two images.
func onceEach(all []*Image) error {
	seen := map[image.Reference]image.Digest{}
	for _, a := range all {
		for _, ref := range a.Names {
			if d, ok := seen[ref]; ok && d != a.target.Digest {
				return writeAnew(image.Errorf(image.Corrupt, "the archive calls two images %s", ref.Familiar()))
			}
			seen[ref] = a.target.Digest
		}
	}
	if len(seen) > maxImages {
		return tooMany()
	}
	return nil
}

// folder returns the folder in which everything of an archive lies, where that holds an image: it was packed by its
// name, and not what is in it.
func (m *Archive) folder() string {
	var common []string // elements that all names begin with
	first := true
	for name := range m.byName {
		elements := strings.Split(name, "/")
		elements = elements[:len(elements)-1]
		if first {
			common, first = elements, false
		}
		n := 0
		for n < len(common) && n < len(elements) && common[n] == elements[n] {
			n++
		}
		common = common[:n]
	}
	folder := strings.Join(common, "/")
	for _, name := range []string{layoutFile, indexFile, DockerFile, legacyFile} {
		if folder != "" && m.has(folder+"/"+name) {
			return folder
		}
	}
	return ""
}
