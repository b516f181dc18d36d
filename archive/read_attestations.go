package archive

import (
	"fmt"
	"log/slog"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
)

// maxPassed is how many attestations of one archive that are passed over have a line each.
const maxPassed = 200

// attestations reads what describes the images of an archive. It comes after all images: what is wrong with it, or too
// much, never fails one. The error is the stage's.
func (m *members) attestations(all []*arrived) error {
	for _, a := range all {
		for i := range a.images {
			img := &a.images[i]
			var broke error
			about := image.ReadAttestations(img.Platform, a.about[img.Document.Digest],
				func(d image.Descriptor) (image.Attestation, error) {
					found, err := m.attestation(d)
					if kind := image.KindOf(err); err != nil && (kind == image.Internal || kind == image.DiskFull) {
						broke = err
					}
					return found, err
				})
			if broke != nil {
				return broke
			}
			img.Attestations = about.Found
			a.passed = append(a.passed, about.Passed...)
		}
	}
	return nil
}

// attestation reads one manifest, all parts of which must be in the archive.
func (m *members) attestation(d image.Descriptor) (image.Attestation, error) {
	file, ok := m.byDigest[d.Digest]
	if !ok {
		return image.Attestation{}, image.Errorf(image.NotFound, "the archive does not hold it")
	}
	raw, err := m.document(file, string(d.Digest), image.MaxAttestationManifest)
	if err != nil {
		return image.Attestation{}, err
	}
	a, err := image.ParseAttestation(d.MediaType, raw)
	if err != nil {
		return image.Attestation{}, err
	}
	for _, b := range a.Blobs() {
		part, ok := m.byDigest[b.Digest]
		if !ok {
			return image.Attestation{}, image.Errorf(image.NotFound, "the archive does not hold its part %s",
				image.ShortDigest(b.Digest))
		}
		if err := sameSize(part, b); err != nil {
			return image.Attestation{}, err
		}
	}
	return a, nil
}

// tellPassed says in the log what an upload goes without, and gives the lines for its outcome.
func tellPassed(log *slog.Logger, id int64, all []*arrived) (lines []string) {
	left := 0
	for _, a := range all {
		for _, o := range a.passed {
			if len(lines) == maxPassed {
				left++
				continue
			}
			lines = append(lines, job.TellPassed(log, id, a.names[0].String(), o))
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
