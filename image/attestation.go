package image

import "strings"

// Limits on the attestations of one image. BuildKit writes one manifest for it with a few statements, of some
// kilobytes to some megabytes each.
const (
	MaxAttestations        = 4         // manifests that describe one image
	MaxAttestationManifest = 256 << 10 // bytes of one of them
	MaxStatements          = 64        // of one manifest
	MaxStatementSize       = 64 << 20  // bytes of one statement, or of the config beside them
	MaxAttestationSize     = 256 << 20 // bytes of all that describes one image
)

// MediaTypeInToto begins the media types of in-toto statements, plain or signed.
const MediaTypeInToto = "application/vnd.in-toto"

const (
	annotationPredicate = "in-toto.io/predicate-type"
	maxPredicate        = 200 // bytes of a predicate's type that are kept
)

// Attestation is a manifest that describes an image: what it is made of, where it comes from. It is no image, and its
// config is mostly of no use. BuildKit writes it in two forms (buildkit docs/attestations/attestation-storage.md): with
// a config like an image's, or with an empty one, an artifact type and the image as subject.
type Attestation struct {
	MediaType  string
	Digest     Digest
	Raw        []byte // the original bytes
	Config     Descriptor
	Statements []Descriptor
}

// Descriptor returns the descriptor that names the attestation's manifest.
func (a Attestation) Descriptor() Descriptor {
	return Descriptor{MediaType: a.MediaType, Digest: a.Digest, Size: int64(len(a.Raw))}
}

// Blobs returns the config and the statements, as the manifest lists them.
func (a Attestation) Blobs() []Descriptor {
	return append([]Descriptor{a.Config}, a.Statements...)
}

// Size returns the bytes of the manifest, its config and its statements.
func (a Attestation) Size() int64 {
	n := int64(len(a.Raw)) + a.Config.Size
	for _, s := range a.Statements {
		n += s.Size
	}
	return n
}

// ParseAttestation reads the manifest of an attestation. contentType is what the registry, or the index, said and may
// be empty. Errors: TooLarge, NotImage (it holds something else than in-toto statements), Corrupt, as ParseDocument
// gives them.
func ParseAttestation(contentType string, raw []byte) (Attestation, error) {
	if err := CheckNesting(raw); err != nil {
		return Attestation{}, err
	}
	return ParseStoredAttestation(contentType, raw)
}

// ParseStoredAttestation is ParseAttestation for what came in before documents were bounded by their levels.
func ParseStoredAttestation(contentType string, raw []byte) (Attestation, error) {
	if len(raw) > MaxAttestationManifest {
		return Attestation{}, Errorf(TooLarge, "the attestation's manifest is larger than %d bytes", MaxAttestationManifest)
	}
	w, mediaType, err := readWire(contentType, raw)
	if err != nil {
		return Attestation{}, err
	}
	if !isManifestType(mediaType) {
		return Attestation{}, Errorf(NotImage, "media type %q is no manifest of an attestation", Shorten(mediaType))
	}
	if w.Config == nil {
		return Attestation{}, Errorf(Corrupt, "the manifest names no config")
	}
	a := Attestation{MediaType: mediaType, Digest: DigestOf(raw), Raw: raw, Config: *w.Config}
	if w.Layers != nil {
		a.Statements = *w.Layers
	}
	if len(a.Statements) > MaxStatements {
		return Attestation{}, Errorf(TooLarge, "the attestation has %d statements, more than %d", len(a.Statements),
			MaxStatements)
	}
	if err := checkDescriptor(a.Config, MaxStatementSize); err != nil {
		return Attestation{}, Errorf(KindOf(err), "the attestation's config: %w", err)
	}
	for i, s := range a.Statements {
		if err := checkDescriptor(s, MaxStatementSize); err != nil {
			return Attestation{}, Errorf(KindOf(err), "statement %d of the attestation: %w", i+1, err)
		}
		if !strings.HasPrefix(s.MediaType, MediaTypeInToto) {
			return Attestation{}, Errorf(NotImage, "statement %d of the attestation has the unsupported media type %s", i+1,
				Shorten(s.MediaType))
		}
	}
	if a.Size() > MaxAttestationSize {
		return Attestation{}, Errorf(TooLarge, "the attestation has %d bytes, more than %d", a.Size(),
			int64(MaxAttestationSize))
	}
	return a, nil
}

// PredicateOf returns what a statement's descriptor says that the statement is about: a URI, hostile text; empty where
// it says nothing.
func PredicateOf(statement Descriptor) string {
	p := statement.Annotations[annotationPredicate]
	return strings.ToValidUTF8(p[:min(len(p), maxPredicate)], "")
}

// PredicateKind is what a statement tells, as far as people ask for it.
type PredicateKind string

// The kinds of predicates.
const (
	PredicateSBOM       PredicateKind = "sbom"       // what the image is made of
	PredicateProvenance PredicateKind = "provenance" // where it comes from
	PredicateOther      PredicateKind = "other"
)

// PredicateKindOf sorts a predicate's type.
func PredicateKindOf(predicate string) PredicateKind {
	switch {
	case strings.HasPrefix(predicate, "https://spdx.dev/Document"),
		strings.HasPrefix(predicate, "https://cyclonedx.org/bom"):
		return PredicateSBOM
	case strings.HasPrefix(predicate, "https://slsa.dev/provenance/"):
		return PredicateProvenance
	}
	return PredicateOther
}
