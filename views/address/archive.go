package address

import (
	"net/url"
	"slices"
	"strings"

	"github.com/stowage/stowage/image"
)

// The pages of archives.
const (
	ArchivePath  = "/archive"  // one archive of several images
	ArchivesPath = "/archives" // where archives are sent to, and the form that sends them
)

// Bounds of one archive.
const (
	MaxArchived          = 1000 // tags, digests and IDs
	maxArchivedPlatforms = 100
)

// Archive is the address of an archive: of one thing, below its page, or of several. It is its path and, in this order,
//
//	image=THING        each of several: a tag, a digest, an image ID, or a repository for all its tags
//	platform=PLATFORM  each of several; left out: all that are stored
//	format=FORMAT      docker or oci
//	compress=METHOD    how it is compressed
type Archive struct {
	Of        Image   // what it holds; zero for several
	Things    []Image // what it holds of several
	Platforms []image.Platform
	Format    string
	Compress  string
	Chosen    bool // whether the platforms come from a form, which sends none where none is ticked; no part of the address
}

// String formats the address.
func (a Archive) String() string {
	var q query
	for _, t := range a.Things {
		q.add("image", t.Name())
	}
	for _, p := range a.Platforms {
		q.add("platform", p.String())
	}
	q.addSaid("format", a.Format)
	q.addSaid("compress", a.Compress)
	if a.Of != (Image{}) {
		return q.after(a.Of.At(SectionArchive).path())
	}
	return q.after(ArchivePath)
}

// IsArchive reports whether a path is that of an archive.
func IsArchive(path string) bool {
	return path == ArchivePath || strings.HasPrefix(path, ImagesPath+"/") &&
		strings.HasSuffix(path, "/"+string(SectionArchive))
}

// ParseArchive reads how an archive is to be. What it holds is read from the path of its page, or by ParseThings. What
// its format and its compression mean is not judged here. Errors are of kind Invalid.
func ParseArchive(said url.Values) (a Archive, err error) {
	a.Format, a.Compress, a.Chosen = said.Get("format"), said.Get("compress"), said.Has("chosen")
	if len(said["platform"]) > maxArchivedPlatforms {
		return a, image.Errorf(image.Invalid, "at most %d platforms can be asked for at once", maxArchivedPlatforms)
	}
	for _, s := range said["platform"] {
		if s == "" {
			continue
		}
		p, err := image.ParsePlatform(s)
		if err != nil {
			return a, err
		}
		if !slices.Contains(a.Platforms, p) {
			a.Platforms = append(a.Platforms, p)
		}
	}
	return a, nil
}

// ParseThings reads what is to go into an archive of several: image, or ref, which the list's tick boxes have. Errors
// are of kind Invalid, and TooLarge for too many.
func ParseThings(said url.Values) ([]Image, error) {
	names := append(slices.Clone(said["image"]), said["ref"]...)
	if len(names) == 0 {
		return nil, image.Errorf(image.Invalid, "no image was named that an archive is to be made of").
			Suggest("Tick images in the list, or name them: /archive?image=ubuntu:22.04&image=postgres:15.")
	}
	if len(names) > MaxArchived {
		return nil, TooManyArchived(len(names))
	}
	things := make([]Image, 0, len(names))
	for _, name := range names {
		thing, err := parseThing(strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		things = append(things, thing)
	}
	return things, nil
}

// TooManyArchived returns the error of more things than go into one archive.
func TooManyArchived(n int) error {
	return image.Errorf(image.TooLarge, "an archive takes at most %d images, and these are %d", MaxArchived, n).
		Suggest("Download fewer images at a time.")
}
