package sample

import (
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// How BuildKit stores attestations (moby/buildkit, docs/attestations/attestation-storage.md).
const (
	AnnotationReferenceType   = "vnd.docker.reference.type"
	AnnotationReferenceDigest = "vnd.docker.reference.digest"
	AnnotationPredicateType   = "in-toto.io/predicate-type"
	AttestationManifest       = "attestation-manifest"
	MediaTypeInToto           = "application/vnd.in-toto+json"
	TypeAttestation           = "application/vnd.docker.attestation.manifest.v1+json" // artifact type of the newer form

	predicateSPDX       = "https://spdx.dev/Document"
	predicateProvenance = "https://slsa.dev/provenance/v0.2"
)

// statement is an in-toto statement: a predicate about the subjects.
type statement struct {
	Type          string    `json:"_type"`
	PredicateType string    `json:"predicateType"`
	Subject       []subject `json:"subject"`
	Predicate     any       `json:"predicate"`
}

type subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// attestation is the manifest that BuildKit adds to an index for an image in it: a software bill of materials
// and the provenance as in-toto layers. It has a config, where the layers' digests are their diff IDs because they are
// not compressed; or, as an artifact, the empty config and the image as subject.
func attestation(of Built, packages []Package, artifact bool) (Built, error) {
	about := []subject{{Name: "_", Digest: map[string]string{"sha256": of.Digest().Encoded()}}}
	unknown := v1.Platform{Architecture: "unknown", OS: "unknown"}
	conf := configFile{Platform: unknown, RootFS: v1.RootFS{Type: "layers"}}
	man := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest}
	out := Built{Blobs: make([]Blob, 1)}
	for _, p := range []struct {
		kind string
		body any
	}{
		{predicateSPDX, spdx(packages)},
		{predicateProvenance, provenance(*of.Descriptor.Platform)},
	} {
		data, err := encode(statement{Type: "https://in-toto.io/Statement/v0.1", PredicateType: p.kind, Subject: about,
			Predicate: p.body}, "")
		if err != nil {
			return Built{}, err
		}
		b := dataBlob(MediaTypeInToto, data)
		b.Descriptor.Annotations = map[string]string{AnnotationPredicateType: p.kind}
		man.Layers = append(man.Layers, b.Descriptor)
		out.Blobs = append(out.Blobs, b)
		conf.RootFS.DiffIDs = append(conf.RootFS.DiffIDs, b.Descriptor.Digest)
	}
	data, err := encode(conf, "")
	if err != nil {
		return Built{}, err
	}
	out.Blobs[0] = dataBlob(v1.MediaTypeImageConfig, data)
	if artifact {
		out.Blobs[0] = dataBlob(v1.MediaTypeEmptyJSON, []byte("{}"))
		subject := of.Descriptor
		subject.Platform = nil
		man.ArtifactType, man.Subject = TypeAttestation, &subject
	} else {
		out.DiffIDs = conf.RootFS.DiffIDs
	}
	man.Config = out.Blobs[0].Descriptor
	if out.Body, err = encode(man, manifestIndent(false)); err != nil {
		return Built{}, err
	}
	out.Descriptor = dataBlob(v1.MediaTypeImageManifest, out.Body).Descriptor
	out.Descriptor.Platform = &unknown
	out.Descriptor.Annotations = map[string]string{
		AnnotationReferenceType: AttestationManifest, AnnotationReferenceDigest: of.Digest().String(),
	}
	return out, nil
}

func spdx(packages []Package) any {
	type entry struct {
		ID      string `json:"SPDXID"`
		Name    string `json:"name"`
		Version string `json:"versionInfo"`
	}
	list := make([]entry, 0, len(packages))
	for _, p := range packages {
		list = append(list, entry{ID: "SPDXRef-Package-deb-" + p.Name + "-" + digest.FromString(p.Name + p.Version).
			Encoded()[:16], Name: p.Name, Version: p.Version})
	}
	return map[string]any{
		"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "sbom",
		"documentNamespace": "https://samples.example/spdx/image",
		"creationInfo":      map[string]any{"creators": []string{"Tool: buildkit-v0.16.0"}, "created": Epoch},
		"packages":          list,
	}
}

func provenance(p v1.Platform) any {
	return map[string]any{
		"builder":   map[string]any{"id": "https://builds.example/runs/4711"},
		"buildType": "https://mobyproject.org/buildkit@v1",
		"invocation": map[string]any{
			"configSource": map[string]any{"entryPoint": "Dockerfile"},
			"parameters":   map[string]any{"frontend": "dockerfile.v0"},
			"environment":  map[string]any{"platform": PlatformString(p)},
		},
		"metadata": map[string]any{
			"buildStartedOn": Epoch, "buildFinishedOn": Epoch,
			"completeness": map[string]any{"parameters": true, "environment": true, "materials": false},
			"reproducible": false,
		},
	}
}
