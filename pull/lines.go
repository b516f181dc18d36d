package pull

import (
	"fmt"

	"github.com/stowage/stowage/image"
)

// The outcome lines are docker's own (distribution/pull_v2.go; the last one is printed by its client).

// pullingFrom gives the first line: a digest pull shows the whole reference where a tag pull shows the tag.
func pullingFrom(ref image.Reference) string {
	what := ref.Tag
	if ref.Digest != "" {
		what = ref.String()
	}
	return fmt.Sprintf("%s: Pulling from %s", what, ref.Repository.Path())
}

// outcome gives the last lines. "Downloaded newer" means, as with docker, that the reference is new or
// moved or gained a platform, whether or not a byte was fetched. Where several platforms were pulled each
// has a line of its own, which docker has no words for.
func outcome(ref image.Reference, target image.Digest, images []PulledImage, newer bool) []string {
	lines := make([]string, 0, len(images)+3)
	if len(images) > 1 {
		for _, i := range images {
			lines = append(lines, fmt.Sprintf("%s: %s", i.Platform, i.Document.Digest))
		}
	}
	lines = append(lines, fmt.Sprintf("Digest: %s", target))
	if newer {
		lines = append(lines, "Status: Downloaded newer image for "+ref.Familiar())
	} else {
		lines = append(lines, "Status: Image is up to date for "+ref.Familiar())
	}
	return append(lines, ref.String())
}
