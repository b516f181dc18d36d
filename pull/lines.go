package pull

import (
	"fmt"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull/resolve"
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
func outcome(ref image.Reference, target image.Digest, images []resolve.Planned, newer bool) []string {
	lines := make([]string, 0, len(images)+3)
	if len(images) > 1 {
		for _, i := range images {
			lines = append(lines, fmt.Sprintf("%s: %s", i.Platform, i.Document.Digest))
		}
	}
	lines = append(lines, fmt.Sprintf("Digest: %s", target))
	return append(lines, status(ref.Familiar(), newer), ref.String())
}

// statusLine begins the line that says how a pull ended.
const statusLine = "Status: "

func status(familiar string, newer bool) string {
	if newer {
		return statusLine + "Downloaded newer image for " + familiar
	}
	return statusLine + "Image is up to date for " + familiar
}

// maxTagLines is how many tags have lines of their own in the outcome of a pull of all tags. More are left
// to Job.Tags: nobody reads them, and each watcher and the record would carry them.
const maxTagLines = 200

// outcomeOfAll gives the lines of a pull of all tags: docker's two for each tag that it brought or found up to
// date, then one status for all and the bare name.
func outcomeOfAll(repo image.Repository, tags []TagLine, newer bool) []string {
	var lines []string
	if len(tags) <= maxTagLines {
		for _, t := range tags {
			if t.State == TagDone || t.State == TagUpToDate {
				lines = append(lines, pullingFrom(image.Reference{Repository: repo, Tag: t.Tag}), fmt.Sprintf("Digest: %s", t.Digest))
			}
		}
	}
	return append(lines, status(repo.Familiar(), newer), string(repo))
}
