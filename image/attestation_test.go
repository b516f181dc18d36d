package image

import (
	"fmt"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestAttestationsAreReadInBothForms(t *testing.T) {
	statements := fmt.Sprintf(`[{"mediaType":"application/vnd.in-toto+json","digest":%q,"size":7,"annotations":{"in-toto.io/predicate-type":"https://spdx.dev/Document"}},
		{"mediaType":"application/vnd.in-toto+json","digest":%q,"size":5}]`, aDigest, bDigest)
	for name, raw := range map[string]string{
		"with a config":  fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":3},"layers":%s}`, ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageConfig, bDigest, statements),
		"as an artifact": fmt.Sprintf(`{"schemaVersion":2,"artifactType":"application/vnd.docker.attestation.manifest.v1+json","config":{"mediaType":%q,"digest":%q,"size":3},"layers":%s,"subject":{"digest":%q}}`, ocispec.MediaTypeEmptyJSON, bDigest, statements, aDigest),
	} {
		a, err := ParseAttestation("", []byte(raw))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if a.MediaType != ocispec.MediaTypeImageManifest || a.Digest != DigestOf([]byte(raw)) || a.Config.Digest != bDigest ||
			len(a.Statements) != 2 || a.Size() != int64(len(raw))+15 || len(a.Blobs()) != 3 {
			t.Errorf("%s: %+v", name, a)
		}
		if p := PredicateOf(a.Statements[0]); p != "https://spdx.dev/Document" || PredicateOf(a.Statements[1]) != "" {
			t.Errorf("%s: predicate %q", name, p)
		}
		if _, err := ParseDocument("", []byte(raw)); KindOf(err) != NotImage {
			t.Errorf("%s is an image: %v", name, err)
		}
	}
}

func TestAnAttestationIsHeldToItsForm(t *testing.T) {
	statement := fmt.Sprintf(`{"mediaType":"application/vnd.in-toto+json","digest":%q,"size":7}`, aDigest)
	with := func(layers ...string) string {
		return fmt.Sprintf(`{"config":{"mediaType":"text/plain","digest":%q,"size":3},"layers":[%s]}`, bDigest,
			strings.Join(layers, ","))
	}
	for name, c := range map[string]struct {
		raw, contentType string
		kind             Kind
	}{
		"any config":          {raw: with(statement)},
		"without statements":  {raw: with()},
		"a signed statement":  {raw: with(strings.Replace(statement, "in-toto+json", "in-toto.provenance+dsse", 1))},
		"no config":           {raw: `{"layers":[` + statement + `]}`, kind: Corrupt},
		"an index":            {raw: `{"manifests":[]}`, kind: NotImage},
		"said to be an index": {raw: with(statement), contentType: ocispec.MediaTypeImageIndex, kind: Corrupt},
		"schema 1":            {raw: `{"schemaVersion":1}`, kind: NotImage},
		"a layer": {raw: with(strings.Replace(statement, "in-toto+json", "oci.image.layer.v1.tar", 1)),
			kind: NotImage},
		"no digest":       {raw: with(strings.Replace(statement, aDigest, "sha256:x", 1)), kind: Invalid},
		"a negative size": {raw: with(strings.Replace(statement, `:7}`, `:-7}`, 1)), kind: Corrupt},
		"a large statement": {raw: with(strings.Replace(statement, `:7}`, fmt.Sprintf(`:%d}`, MaxStatementSize+1), 1)),
			kind: TooLarge},
		"a large config": {raw: strings.Replace(with(statement), `:3}`, fmt.Sprintf(`:%d}`, MaxStatementSize+1), 1),
			kind: TooLarge},
		"large statements": {raw: with(strings.Repeat(strings.Replace(statement, `:7}`, fmt.Sprintf(`:%d}`, MaxStatementSize),
			1)+",", 4) + statement), kind: TooLarge},
		"many statements":  {raw: with(strings.Repeat(statement+",", MaxStatements) + statement), kind: TooLarge},
		"a large manifest": {raw: with(statement) + strings.Repeat(" ", MaxAttestationManifest), kind: TooLarge},
		"no JSON":          {raw: "attestation", kind: Corrupt},
	} {
		if _, err := ParseAttestation(c.contentType, []byte(c.raw)); err == nil && c.kind != "" || err != nil &&
			KindOf(err) != c.kind {
			t.Errorf("%s: %v, want kind %q", name, err, c.kind)
		}
	}
}

func TestPredicatesAreSortedByWhatTheyTell(t *testing.T) {
	for predicate, want := range map[string]PredicateKind{
		"https://spdx.dev/Document": PredicateSBOM, "https://spdx.dev/Document/v2.3": PredicateSBOM,
		"https://cyclonedx.org/bom":        PredicateSBOM,
		"https://slsa.dev/provenance/v0.2": PredicateProvenance, "https://slsa.dev/provenance/v1": PredicateProvenance,
		"": PredicateOther, "https://example.com/": PredicateOther, "spdx": PredicateOther,
	} {
		if got := PredicateKindOf(predicate); got != want {
			t.Errorf("%q is %s, want %s", predicate, got, want)
		}
	}
	long := Descriptor{Annotations: map[string]string{annotationPredicate: strings.Repeat("ü", maxPredicate)}}
	if got := PredicateOf(long); len(got) > maxPredicate || strings.Trim(got, "ü") != "" {
		t.Errorf("%q", got)
	}
	long.Annotations[annotationPredicate] = "x" + strings.Repeat("ü", maxPredicate)
	if got := PredicateOf(long); len(got) != maxPredicate-1 {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}
