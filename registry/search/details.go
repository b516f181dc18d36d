package search

import (
	"regexp"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry"
)

// TagDetail is what a search service says of a tag, beyond what the registry's list of tags does.
type TagDetail struct {
	Digest  image.Digest // of the index or manifest; empty where it is not said
	Updated time.Time    // zero where it is not said
	Size    int64        // compressed bytes of one platform, whichever the service means; negative where it is not said
	Images  []TagImage   // its platforms, attestations left out; empty where they are not said
}

// TagImage is a platform of a tag.
type TagImage struct {
	Platform image.Platform
	Digest   image.Digest // empty where it is not said
	Size     int64        // compressed bytes; negative where it is not said
}

const (
	mostDetails   = 100 // tags of one answer; for Harbor images, and tags of one image
	mostPlatforms = 100 // of one tag
)

// validTagPart is what a tag can contain.
var validTagPart = regexp.MustCompile(`^[A-Za-z0-9_.-]{0,128}$`)

// detailsKey is what was asked for.
type detailsKey struct {
	repository image.Repository
	contains   string
}

// addDetail adds a tag that contains the text, unless its name is none.
func addDetail(all map[string]TagDetail, name lenientText, contains string, d TagDetail) {
	if registry.ValidTag.MatchString(string(name)) &&
		strings.Contains(strings.ToLower(string(name)), strings.ToLower(contains)) {
		all[string(name)] = d
	}
}

// addImage adds a platform, unless it is none or an attestation's.
func addImage(images []TagImage, p ocispec.Platform, digest lenientText, size int64) []TagImage {
	if p.OS == "" || p.Architecture == "" || len(images) == mostPlatforms {
		return images
	}
	platform := image.PlatformOf(p)
	if !platform.Known() {
		return images
	}
	return append(images, TagImage{Platform: platform, Digest: digestOrNone(digest), Size: size})
}

func digestOrNone(s lenientText) image.Digest {
	d, err := image.ParseDigest(string(s))
	if err != nil {
		return ""
	}
	return d
}

// orElse returns the time, or another one where it was not said.
func (t lenientTime) orElse(other lenientTime) time.Time {
	if time.Time(t).IsZero() {
		return time.Time(other)
	}
	return time.Time(t)
}
