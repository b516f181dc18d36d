package docker

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// The lines of a pull are docker's own (distribution/pull_v2.go; the last one is printed by its client).

// statusLine begins the line that says how a pull ended.
const statusLine = "Status: "

// PullingFrom returns the first line of a pull: of a digest it shows the whole reference where of a tag it shows the
// tag.
func PullingFrom(ref image.Reference) string {
	what := ref.Tag
	if ref.Digest != "" {
		what = ref.String()
	}
	return fmt.Sprintf("%s: Pulling from %s", what, ref.Repository.Path())
}

// Outcome returns the last lines of a pull. "Downloaded newer" means, as with docker, that the reference is new or
// moved or gained a platform, whether or not a byte was fetched. Where several platforms were pulled each has a line of
// its own, which docker has no words for.
func Outcome(ref image.Reference, target image.Digest, images []shelf.PulledImage, newer bool) []string {
	lines := make([]string, 0, len(images)+3)
	if len(images) > 1 {
		for _, i := range images {
			lines = append(lines, fmt.Sprintf("%s: %s", i.Platform, i.Document.Digest))
		}
	}
	lines = append(lines, fmt.Sprintf("Digest: %s", target))
	return append(lines, status(ref.Familiar(), newer), ref.String())
}

// OutcomeOfAll returns the lines of a pull of all tags: docker's two for each of tags, which say where they point, then
// one status for all and the bare name.
func OutcomeOfAll(repo image.Repository, tags []image.Reference, newer bool) []string {
	var lines []string
	for _, t := range tags {
		lines = append(lines, PullingFrom(image.Reference{Repository: repo, Tag: t.Tag}), fmt.Sprintf("Digest: %s", t.Digest))
	}
	return append(lines, status(repo.Familiar(), newer), string(repo))
}

func status(familiar string, newer bool) string {
	if newer {
		return statusLine + "Downloaded newer image for " + familiar
	}
	return statusLine + "Image is up to date for " + familiar
}

// WithoutStatus leaves out docker's last two lines, which say that all is well.
func WithoutStatus(lines []string) []string {
	i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, statusLine) })
	if i < 0 {
		return lines
	}
	return slices.Clone(lines[:i])
}
