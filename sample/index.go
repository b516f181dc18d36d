package sample

import (
	"fmt"

	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Index describes an OCI index or a docker manifest list.
type Index struct {
	Entries     []Source // images, or further indexes
	Docker      bool     // a docker manifest list instead of an OCI index
	Attest      bool     // follow the images by an attestation manifest for each, as BuildKit does
	Artifacts   bool     // those in BuildKit's newer form, as artifacts with the image as subject
	Annotations map[string]string
}

// Build makes the entries, in order, then their attestations, then the index.
func (ix Index) Build() (Built, error) {
	var out Built
	for i, e := range ix.Entries {
		b, err := e.Build()
		if err != nil {
			return Built{}, fmt.Errorf("build entry %d of the index: %w", i+1, err)
		}
		out.Children = append(out.Children, b)
	}
	if ix.Attest {
		for i, e := range ix.Entries {
			im, ok := e.(Image)
			if !ok {
				continue // only images are attested
			}
			a, err := attestation(out.Children[i], im.Packages, ix.Artifacts)
			if err != nil {
				return Built{}, fmt.Errorf("build attestation of entry %d: %w", i+1, err)
			}
			out.Children = append(out.Children, a)
		}
	}
	body := v1.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex, Manifests: []v1.Descriptor{},
		Annotations: ix.Annotations,
	}
	if ix.Docker {
		body.MediaType = MediaTypeDockerManifestList
	}
	for _, c := range out.Children {
		body.Manifests = append(body.Manifests, c.Descriptor)
	}
	var err error
	if out.Body, err = encode(body, manifestIndent(ix.Docker)); err != nil {
		return Built{}, err
	}
	out.Descriptor = dataBlob(body.MediaType, out.Body).Descriptor
	return out, nil
}
