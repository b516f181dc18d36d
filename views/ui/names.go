package ui

import (
	"context"
	"strings"

	"github.com/a-h/templ"

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

// Link is a text that leads somewhere.
type Link struct {
	Label string
	URL   string
	Note  string // beside it, or empty
}

// InSentence puts a component in the place of # in a text.
func InSentence(s string, c templ.Component) templ.Component {
	before, after, _ := strings.Cut(s, "#")
	return templ.Join(Text(before), c, Text(after))
}

// ShortPlatform names a platform as lists do.
func ShortPlatform(p image.Platform) string { return text.ShortPlatform(text.Visible(p.String())) }

// Shortened returns a foreign text as Visible does, on one line and with at most n characters.
func Shortened(s string, n int) string {
	s, _ = text.Cut(s, 8*n)
	s = text.Visible(strings.Join(strings.Fields(s), " "))
	if runes := []rune(s); len(runes) > n {
		return strings.TrimSpace(string(runes[:n-1])) + "…"
	}
	return s
}

// withMore adds a line that counts what a list of a plan leaves out.
func WithMore(ctx context.Context, lines []PlanLine, kind PlanKind, total int) []PlanLine {
	if more := total - len(lines); more > 0 {
		lines = append(lines, PlanLine{Kind: kind, What: Text(text.T(ctx, "delete.more", text.Count, more)), Size: -1})
	}
	return lines
}
