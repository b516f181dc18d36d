package archive

import (
	"fmt"
	"log/slog"
	"slices"

	"github.com/stowage/stowage/archive/saved"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/shelf"
)

// maxPassed is how many attestations of one archive that are passed over have a line each.
const maxPassed = 200

// layersOf returns the layers of all images, each once, with the platforms that use them.
func layersOf(all []*saved.Image) []job.Layer {
	var layers []job.Layer
	at := map[image.Digest]int{}
	for _, a := range all {
		for _, img := range a.Images {
			for _, d := range img.Document.Manifest.Layers {
				i, known := at[d.Digest]
				if !known {
					i = len(layers)
					at[d.Digest] = i
					layers = append(layers, job.Layer{Digest: d.Digest, Size: d.Size})
				}
				if img.Platform.Known() && !slices.Contains(layers[i].Platform, img.Platform) {
					layers[i].Platform = append(layers[i].Platform, img.Platform)
				}
			}
		}
	}
	return layers
}

// report returns what was stored, with lines as docker load prints them.
func report(all []*saved.Image, done []shelf.Imported) result {
	r := result{Layers: map[image.Digest]bool{}}
	n := 0
	for _, a := range all {
		r.Partly += a.Absent
		var platforms []image.Platform
		for _, img := range a.Images {
			platforms = append(platforms, img.Platform)
		}
		for _, ref := range a.Names {
			img := UploadedImage{Reference: ref, Digest: done[n].Digest, Platforms: platforms, Same: done[n].Same ||
				!done[n].Newer}
			if before := done[n].Previous; before != img.Digest {
				img.Previous = before
			}
			if img.Previous != "" {
				r.Lines = append(r.Lines, fmt.Sprintf(
					"The image %s already exists, renaming the old one with digest %s to empty string", ref.Familiar(), img.Previous))
			}
			r.Lines = append(r.Lines, "Loaded image: "+ref.Familiar())
			r.Images = append(r.Images, img)
			if !done[n].Same {
				for _, img := range a.Images {
					for _, l := range img.Document.Manifest.Layers {
						r.Layers[l.Digest] = true
					}
				}
			}
			n++
		}
	}
	return r
}

// tellPassed says in the log what an upload goes without, and gives the lines for its outcome.
func tellPassed(log *slog.Logger, id int64, all []*saved.Image) (lines []string) {
	left := 0
	for _, a := range all {
		for _, o := range a.Passed {
			if len(lines) == maxPassed {
				left++
				continue
			}
			lines = append(lines, job.TellPassed(log, id, a.Names[0].String(), o))
		}
	}
	if left > 0 {
		log.Warn("more attestations passed over", "job", id, "count", left)
		lines = append(lines, fmt.Sprintf("%d more attestations passed over", left))
	}
	return lines
}

// tellLeft says in the log what else an upload goes without, and gives the lines for its outcome.
func tellLeft(log *slog.Logger, id int64, left []string) (lines []string) {
	for _, line := range left[:min(len(left), maxPassed)] {
		log.Info("left out of an upload", "job", id, "what", line)
		lines = append(lines, line)
	}
	if more := len(left) - len(lines); more > 0 {
		log.Warn("more left out of an upload", "job", id, "count", more)
		lines = append(lines, fmt.Sprintf("%d more left out", more))
	}
	return lines
}
