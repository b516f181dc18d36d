package address

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/stowage/stowage/image"
)

// Manifest is the address of the section that shows an image's documents.
type Manifest struct {
	Of       Image
	Document string // index, manifest or the digest of an attestation; empty: the manifest
	Raw      bool   // the document's bytes alone
}

// String formats the address.
func (m Manifest) String() string {
	q := m.Of.platform()
	q.addFlag("raw", m.Raw)
	q.addSaid("document", m.Document)
	return q.after(m.Of.At(SectionManifest).path())
}

// ParseManifest reads the query of the section of a page.
func ParseManifest(of Image, said url.Values) Manifest {
	return Manifest{Of: of, Document: said.Get("document"), Raw: said.Get("raw") == "1"}
}

// Inspect is the address of the section that shows what docker inspect prints.
type Inspect struct {
	Of     Image
	Format string // docker's template; repeated, they follow one another
	Asked  bool   // whether the address has a template, were it an empty one
	Raw    bool   // the JSON alone
}

// String formats the address.
func (i Inspect) String() string {
	var q query
	if i.Asked || i.Format != "" {
		q.add("format", i.Format)
	}
	q = append(q, i.Of.platform()...)
	q.addFlag("raw", i.Raw)
	return q.after(i.Of.At(SectionInspect).path())
}

// ParseInspect reads the query of the section of a page.
func ParseInspect(of Image, said url.Values) Inspect {
	return Inspect{Of: of, Format: strings.Join(said["format"], ""), Asked: len(said["format"]) > 0,
		Raw: said.Get("raw") == "1"}
}

// History is the address of the section that shows where a tag pointed.
type History struct {
	Of    Image
	Older int64 // only events before this one; 0: from the newest
}

// String formats the address.
func (h History) String() string {
	q := h.Of.platform()
	if h.Older > 0 {
		q.add("older", strconv.FormatInt(h.Older, 10))
	}
	return q.after(h.Of.At(SectionHistory).path())
}

// ParseHistory reads the query of the section of a page. Errors are of kind Invalid.
func ParseHistory(of Image, said url.Values) (h History, err error) {
	h.Of = of
	s := said.Get("older")
	if s == "" {
		return h, nil
	}
	if h.Older, err = strconv.ParseInt(s, 10, 64); err != nil || h.Older < 1 {
		return h, image.Errorf(image.Invalid, "%.40q is no event of the history (older)", s).
			Suggest("Leave it out to see the newest events.")
	}
	return h, nil
}

// Changes is the address of what changed between two digests of a repository.
type Changes struct {
	Of   Image // what it changed to
	From image.Digest
}

// ChangesOf returns the address of what changed between two digests of a repository, for one platform; a zero platform
// leaves the choice to the server.
func ChangesOf(r image.Repository, from, to image.Digest, p image.Platform) Changes {
	return Changes{Of: Of(image.Reference{Repository: r, Digest: to}).For(p), From: from}
}

// String formats the address.
func (c Changes) String() string {
	var q query
	q.add("from", string(c.From))
	q = append(q, c.Of.platform()...)
	return q.after(c.Of.At(SectionChanges).path())
}

// ParseChanges reads the query of the section of a page. The digest that it changed to may stand there, too, where the
// page is of a tag or a repository: such an address is a form's. Errors are of kind Invalid.
func ParseChanges(of Image, said url.Values) (c Changes, err error) {
	c.Of = of
	if of.ID != "" {
		return c, image.Errorf(image.Invalid, "an image ID has no changes: digests of a repository are compared").
			Suggest("Compare two points of a tag's history.")
	}
	if c.From, err = comparedDigest(said, "from"); err != nil {
		return c, err
	}
	if c.Of.Platform, err = Platform(said); err != nil {
		return c, err
	}
	if of.Ref.Digest == "" {
		c.Of.Ref.Tag = ""
		c.Of.Ref.Digest, err = comparedDigest(said, "to")
	}
	return c, err
}

func comparedDigest(said url.Values, name string) (image.Digest, error) {
	s := said.Get(name)
	if s == "" {
		return "", image.Errorf(image.Invalid, "the address does not say with which digest to compare (%s)", name).
			Suggest("Compare two points of a tag's history.")
	}
	return image.ParseDigest(s)
}
