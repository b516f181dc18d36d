package sample

import (
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Artifact describes a manifest that is not an image: a Helm chart, a document, a signature.
type Artifact struct {
	Type       string // artifactType; empty leaves it out, as Helm does
	ConfigType string // media type of the config; empty means OCI's empty config
	Config     any    // encoded as JSON; nil means {}
	Blobs      []Blob // made by [DataBlob]
}

// DataBlob is a blob of any media type, for [Artifact].
func DataBlob(mediaType string, data []byte) Blob { return dataBlob(mediaType, data) }

// Build makes the config and the manifest.
func (a Artifact) Build() (Built, error) {
	kind, data := a.ConfigType, []byte("{}")
	if kind == "" {
		kind = v1.MediaTypeEmptyJSON
	}
	if a.Config != nil {
		var err error
		if data, err = encode(a.Config, ""); err != nil {
			return Built{}, err
		}
	}
	out := Built{Blobs: append([]Blob{dataBlob(kind, data)}, a.Blobs...)}
	man := v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, ArtifactType: a.Type,
		Config: out.Blobs[0].Descriptor, Layers: []v1.Descriptor{},
	}
	for _, b := range a.Blobs {
		man.Layers = append(man.Layers, b.Descriptor)
	}
	var err error
	if out.Body, err = encode(man, manifestIndent(false)); err != nil {
		return Built{}, err
	}
	out.Descriptor = dataBlob(v1.MediaTypeImageManifest, out.Body).Descriptor
	out.Descriptor.ArtifactType = a.Type
	return out, nil
}
