package ui

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/stowage/stowage/image"
)

// Section is a part of an image's page, the last element of its address.
type Section string

// The sections. Layers is what an address without a section shows. Archive is a file, and the last three are actions.
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

// ImageURL gives the address of a tag, a digest or, where ref has neither, a repository.
func ImageURL(ref image.Reference) string { return "/images/" + escapePath(ref.String()) }

// IDURL gives the address of an image by its ID.
func IDURL(id image.Digest) string { return "/images/" + escapePath(string(id)) }

// SectionURL gives the address of a section below base, which ImageURL or IDURL made, for one platform; a
// zero platform leaves the choice to the server.
func SectionURL(base string, s Section, p image.Platform) string {
	if s != "" {
		base += "/" + string(s)
	}
	if p == (image.Platform{}) {
		return base
	}
	return base + "?platform=" + EscapeQuery(p.String())
}

// LayerURL gives the address of a layer.
func LayerURL(d image.Digest) string { return "/layers/" + escapePath(string(d)) }

// PullFormURL gives the address of the pull form for a reference, with platforms ticked.
func PullFormURL(ref image.Reference, platforms ...image.Platform) string {
	u := "/pull?ref=" + EscapeQuery(ref.Familiar())
	for _, p := range platforms {
		u += "&platform=" + EscapeQuery(p.String())
	}
	return u
}

// PullInputURL gives the address of the pull form for what somebody typed, which need not be a reference.
func PullInputURL(input string, allTags bool, platforms []string) string {
	u := "/pull?ref=" + EscapeQuery(input)
	if allTags {
		u += "&all=1"
	}
	for _, p := range platforms {
		u += "&platform=" + EscapeQuery(p)
	}
	return u
}

// PullURL gives the address of a pull.
func PullURL(id int64) string { return "/pulls/" + strconv.FormatInt(id, 10) }

// escapePath escapes a path's elements and leaves the slashes, colons and at signs of references readable.
func escapePath(s string) string {
	return (&url.URL{Path: s}).EscapedPath()
}

// escapeQuery escapes a query value but leaves the slashes, colons and at signs readable, as RFC 3986 allows.
func EscapeQuery(s string) string {
	return strings.NewReplacer("%2F", "/", "%3A", ":", "%40", "@").Replace(url.QueryEscape(s))
}

// UndoURL gives the address that undoes a removal.
func UndoURL(id int64) string { return "/removals/" + strconv.FormatInt(id, 10) + "/undo" }

// BoxPath is the path of what the box in the header offers while somebody types: ?q=TEXT, and registries=1 for
// the part that asks registries.
const BoxPath = "/search/box"

// MaxPaste is the most characters of what is pasted in the place of a reference: a command line may be long.
const MaxPaste = 4096

// SearchPath is the path of the Search page.
const SearchPath = "/search"

// StoragePath is the address of the Storage page, SweepPath and UnfinishedPath where its forms go that free what waits and
// what unfinished pulls have left.
const (
	StoragePath    = "/storage"
	SweepPath      = "/storage/sweep"
	UnfinishedPath = "/storage/unfinished"
)
