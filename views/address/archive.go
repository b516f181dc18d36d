package address

import "github.com/stowage/stowage/image"

// The pages of archives.
const (
	ArchivePath  = "/archive"  // one archive of several images
	ArchivesPath = "/archives" // where archives are sent to, and the form that sends them
)

// Archive is the address of an archive: of one thing, below its page, or of several.
type Archive struct {
	Of        Image    // what it holds; zero for several
	Images    []string // what it holds of several: tags, digests, image IDs and repositories
	Platforms []image.Platform
	OCI       bool // in the OCI's layout, without docker's
}

// String formats the address.
func (a Archive) String() string {
	var q query
	for _, name := range a.Images {
		q.add("image", name)
	}
	for _, p := range a.Platforms {
		q.add("platform", p.String())
	}
	if a.OCI {
		q.add("format", "oci")
	}
	if a.Of != (Image{}) {
		return q.after(a.Of.At(SectionArchive).path())
	}
	return q.after(ArchivePath)
}
