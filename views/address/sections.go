package address

import (
	"strconv"

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

// Inspect is the address of the section that shows what docker inspect prints.
type Inspect struct {
	Of     Image
	Format string // docker's template
	Raw    bool   // the JSON alone
}

// String formats the address.
func (i Inspect) String() string {
	var q query
	q.addSaid("format", i.Format)
	q = append(q, i.Of.platform()...)
	q.addFlag("raw", i.Raw)
	return q.after(i.Of.At(SectionInspect).path())
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
