package saved

import (
	"github.com/stowage/stowage/image"
)

// attestations reads what describes the images of an archive. It comes after all images: what is wrong with it, or too
// much, never fails one. The error is the stage's.
func (c *contents) attestations(all []*Image) error {
	for _, a := range all {
		for i := range a.Images {
			img := &a.Images[i]
			var broke error
			about := image.ReadAttestations(img.Platform, a.about[img.Document.Digest],
				func(d image.Descriptor) (image.Attestation, error) {
					found, err := c.attestation(d)
					if kind := image.KindOf(err); err != nil && (kind == image.Internal || kind == image.DiskFull) {
						broke = err
					}
					return found, err
				})
			if broke != nil {
				return broke
			}
			img.Attestations = about.Found
			a.Passed = append(a.Passed, about.Passed...)
		}
	}
	return nil
}

// attestation reads one manifest, all parts of which must be in the archive.
func (m *Archive) attestation(d image.Descriptor) (image.Attestation, error) {
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
