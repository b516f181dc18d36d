package image

// PassedOver is an attestation that a pull, or an upload, goes without.
type PassedOver struct {
	Digest   Digest
	Platform Platform // of the image that it describes
	Why      error
}

// Attested is what was found about one image.
type Attested struct {
	Found  []Attestation
	Passed []PassedOver
}

// ReadAttestations reads what an index lists about one image, one after the other and within the limits above.
// What read fails for, or what is too much, is passed over.
func ReadAttestations(platform Platform, listed []Descriptor, read func(Descriptor) (Attestation, error)) (a Attested) {
	var size int64
	seen := make(map[Digest]bool)
	for _, d := range listed {
		if seen[d.Digest] {
			continue
		}
		if len(seen) == MaxAttestations {
			a.Passed = append(a.Passed, PassedOver{d.Digest, platform,
				Errorf(TooLarge, "the index lists more than %d attestations of one image", MaxAttestations)})
			break // which stands for the others: there can be thousands
		}
		seen[d.Digest] = true
		var found Attestation
		err := attestationSize(d)
		if err == nil {
			found, err = read(d)
		}
		if err == nil {
			err = sized(found, d)
		}
		if err == nil && size+found.Size() > MaxAttestationSize {
			err = Errorf(TooLarge, "the attestations of one image have more than %d bytes", int64(MaxAttestationSize))
		}
		if err != nil {
			a.Passed = append(a.Passed, PassedOver{d.Digest, platform, err})
			continue
		}
		size += found.Size()
		a.Found = append(a.Found, found)
	}
	return a
}

func attestationSize(d Descriptor) error {
	if d.Size > MaxAttestationManifest {
		return Errorf(TooLarge, "the attestation's manifest is larger than %d bytes", MaxAttestationManifest)
	}
	return nil
}

// sized holds a manifest against the size that the index says.
func sized(a Attestation, d Descriptor) error {
	if int64(len(a.Raw)) != d.Size {
		return Errorf(Corrupt, "manifest %s has %d bytes instead of the %d announced", ShortDigest(d.Digest), len(a.Raw),
			d.Size)
	}
	return nil
}
