package ui

import (
	"context"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/text"
)

// shortReference is the familiar form with a digest's first digits only.
func ShortReference(ref image.Reference) string {
	if ref.Digest != "" {
		return ref.Repository.Familiar() + "@" + image.ShortDigest(ref.Digest)
	}
	return ref.Familiar()
}

// platformNames lists platforms in a sentence.
func PlatformNames(platforms []image.Platform) string {
	names := make([]string, 0, len(platforms))
	for _, p := range platforms {
		if name := p.String(); name != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

func PlatformLabel(ctx context.Context, name string) string {
	if name == "" {
		return text.T(ctx, "image.unknown_platform")
	}
	return text.Visible(name)
}

// namedFew is how many references a sentence names.
const namedFew = 3

// nameFew names the first references and counts the rest.
func NameFew(ctx context.Context, refs []image.Reference) string {
	names := make([]string, 0, namedFew+1)
	for i, ref := range refs {
		if i == namedFew {
			names = append(names, text.T(ctx, "delete.more", text.Count, len(refs)-namedFew))
			break
		}
		names = append(names, ShortReference(ref))
	}
	return strings.Join(names, ", ")
}

// familiar splits a repository into the host, with its slash and empty for Docker Hub, and the name that
// docker shows.
func familiar(r image.Repository) (host, name string) {
	name = r.Familiar()
	if host = r.Host() + "/"; strings.HasPrefix(name, host) {
		return host, name[len(host):]
	}
	return "", name
}
