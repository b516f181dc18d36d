package address

import (
	"strings"

	"github.com/stowage/stowage/image"
)

// ImagesPath is the address of the list of the whole shelf; the pages of what is on it are below.
const ImagesPath = "/images"

// Section is a part of an image's page, the last element of its address.
type Section string

// The sections. Layers is what an address without a section shows. Archive is a file, and the last four are actions.
const (
	SectionLayers   Section = "layers"
	SectionConfig   Section = "config"
	SectionManifest Section = "manifest"
	SectionInspect  Section = "inspect"
	SectionHistory  Section = "history"
	SectionUse      Section = "use"
	SectionChanges  Section = "changes"
	SectionDownload Section = "download"
	SectionArchive  Section = "archive"
	SectionCheck    Section = "check"
	SectionDelete   Section = "delete"
	SectionPin      Section = "pin"
	SectionUnpin    Section = "unpin"
)

// valid reports whether an address can end with s; the first section has no name.
func (s Section) valid() bool {
	switch s {
	case "", SectionLayers, SectionConfig, SectionManifest, SectionInspect, SectionHistory, SectionUse, SectionChanges,
		SectionDownload, SectionArchive, SectionDelete, SectionPin, SectionUnpin, SectionCheck:
		return true
	}
	return false
}

// Image is an address below ImagesPath: of a tag, a digest, an image ID or, where Ref has neither tag nor digest, a
// repository, and of a section of its page.
type Image struct {
	Ref      image.Reference
	ID       string // hex digits of an image ID, or its first ones; empty for a reference
	Section  Section
	Platform image.Platform // zero leaves the choice to the server
}

// Of returns the address of a tag, a digest or a repository.
func Of(ref image.Reference) Image { return Image{Ref: ref} }

// OfID returns the address of an image by its ID.
func OfID(id image.Digest) Image { return Image{ID: strings.TrimPrefix(string(id), "sha256:")} }

// At returns the address of a section of the same page.
func (a Image) At(s Section) Image {
	a.Section = s
	return a
}

// For returns the same address for a platform.
func (a Image) For(p image.Platform) Image {
	a.Platform = p
	return a
}

// Base returns the address of the page itself, without section and platform.
func (a Image) Base() Image { return Image{Ref: a.Ref, ID: a.ID} }

// IsRepository reports whether a names neither a tag nor a digest nor an image ID.
func (a Image) IsRepository() bool { return a.ID == "" && a.Ref.Tag == "" && a.Ref.Digest == "" }

// String formats the address.
func (a Image) String() string { return a.platform().after(a.path()) }

// platform is the part of the query that names the platform.
func (a Image) platform() (q query) {
	if a.Platform != (image.Platform{}) {
		q.add("platform", a.Platform.String())
	}
	return q
}

// path is the address without its query.
func (a Image) path() string {
	name := a.Ref.String()
	if a.ID != "" {
		name = "sha256:" + a.ID
	}
	if a.Section != "" {
		name += "/" + string(a.Section)
	}
	return ImagesPath + "/" + path(name)
}

// ParseImage reads the path of an address below ImagesPath, without its escapes. Errors are of kind Invalid.
func ParseImage(path string) (Image, error) {
	name, section := splitSection(belowImages(path))
	a, err := parseThing(name)
	if err != nil {
		return Image{}, err
	}
	return a.At(section), nil
}

// parseThing reads the name of a repository, a tag, a digest or an image ID.
func parseThing(name string) (Image, error) {
	if strings.HasPrefix(name, "sha256:") && !strings.Contains(name, "/") {
		id, ok := image.ParseIDPrefix(name)
		if !ok {
			return Image{}, image.NotAnID(name)
		}
		return Image{ID: id}, nil
	}
	ref, err := image.ParseRepositoryReference(name)
	return Image{Ref: ref}, err
}

// Name returns what people call the page's subject by: an image ID, or the familiar reference.
func (a Image) Name() string {
	if a.ID != "" {
		return "sha256:" + a.ID
	}
	return a.Ref.Familiar()
}

// ParseDigits reads an address that ParseImage takes for a repository's and that is hex digits alone, perhaps with a
// section: docker takes them for the beginning of an image ID where no repository is called so. ok is false for others.
func ParseDigits(path string) (digits string, s Section, ok bool) {
	digits, section, _ := strings.Cut(belowImages(path), "/")
	_, isID := image.ParseIDPrefix(digits)
	s = Section(section)
	return digits, s, isID && s.valid()
}

// belowImages returns what an address has after ImagesPath.
func belowImages(path string) string { return strings.Trim(strings.TrimPrefix(path, ImagesPath), "/") }

// SectionOf returns the section that the last element of a path names; empty where it names none. A repository may be
// called so, too.
func SectionOf(path string) Section {
	if s := Section(path[strings.LastIndexByte(path, '/')+1:]); s.valid() {
		return s
	}
	return ""
}

// splitSection takes a section off the end of a path. Only a tag, a digest or an ID has sections, so a repository may
// be called "layers" or "history"; a port does not count as a tag where the part before it can only be a host.
func splitSection(path string) (name string, s Section) {
	i := strings.LastIndex(path, "/")
	if i < 0 {
		return path, ""
	}
	last, before := Section(path[i+1:]), path[:i]
	if last == "" || !last.valid() {
		return path, ""
	}
	element := before[strings.LastIndex(before, "/")+1:]
	host, port, tagged := strings.Cut(element, ":")
	if !tagged && !strings.Contains(element, "@") {
		return path, ""
	}
	isHost := element == before && tagged && !strings.Contains(port, "@") && image.IsPort(port) &&
		(host == "localhost" || strings.Contains(host, "."))
	if isHost {
		return path, ""
	}
	return before, last
}
