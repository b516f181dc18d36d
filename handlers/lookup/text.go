package lookup

import (
	"strings"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf/docker"
	"github.com/stowage/stowage/views/address"
)

const (
	ResolveLimit = 20 * time.Second // for a registry to tell what a reference points to, while somebody waits
	MaxReference = 600              // bytes of a reference in a request; no valid one is as long
	MaxPaste     = address.MaxPaste // bytes of a text with a reference in it, such as a command line
	MaxAsked     = 64               // platforms in one request; the queue takes fewer
)

// ParseReference reads a reference from a request.
func ParseReference(s string) (image.Reference, error) {
	if err := CheckReference(s); err != nil {
		return image.Reference{}, err
	}
	return image.ParseReference(s)
}

// CheckReference refuses what is not worth reading as a reference.
func CheckReference(s string) error {
	if len(s) > MaxReference {
		return image.Errorf(image.Invalid, "the reference has %d characters, more than any reference has", len(s)).
			Suggest("Type a name such as postgres:15 or ghcr.io/org/app:1.2.")
	}
	if p, ok := docker.ReadWebPage(strings.TrimSpace(s)); ok && p.NoImage {
		return WebPage(p.Name)
	}
	return nil
}

// PlatformValues reads repeated platforms from a request; empty ones are left out.
func PlatformValues(values []string) ([]image.Platform, error) {
	if len(values) > MaxAsked {
		return nil, image.Errorf(image.Invalid, "%d platforms were asked for", len(values))
	}
	var platforms []image.Platform
	for _, s := range values {
		if strings.TrimSpace(s) == "" {
			continue
		}
		p, err := image.ParsePlatform(s)
		if err != nil {
			return nil, err
		}
		platforms = append(platforms, p)
	}
	return platforms, nil
}

// WebPage is the error of a page in the web, in the place of a reference, that is about no image.
func WebPage(s string) error {
	return image.Errorf(image.Invalid, "%.100q is the address of a web page, not an image reference", image.WithoutUserInfo(s)).
		Suggest("Type a name such as postgres:15 or ghcr.io/org/app:1.2.")
}
