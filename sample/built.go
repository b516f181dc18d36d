package sample

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Docker's image manifest version 2, schema 2 media types.
const (
	MediaTypeDockerManifestList = "application/vnd.docker.distribution.manifest.list.v2+json"
	MediaTypeDockerManifest     = "application/vnd.docker.distribution.manifest.v2+json"
	MediaTypeDockerConfig       = "application/vnd.docker.container.image.v1+json"
)

// Source is what can be built and pushed: an [Image], an [Index], an [Artifact] or something [Built] already.
type Source interface {
	// Build returns the exact bytes and digests. Equal sources build equal bytes.
	Build() (Built, error)
}

// Built is a manifest or an index as a registry holds it, with everything that it refers to.
type Built struct {
	Descriptor v1.Descriptor   // of Body; with the platform of an image
	Body       []byte          // the manifest's or index's bytes
	Blobs      []Blob          // of a manifest: the config first, then its layers, base first
	DiffIDs    []digest.Digest // of an image: one for each layer, as the config states them
	Children   []Built         // of an index: its entries in order
}

// Blob is a config or a layer.
type Blob struct {
	Descriptor v1.Descriptor // as the manifest states it
	Data       []byte
}

// Build returns b itself, so that something built already is a [Source] too.
func (b Built) Build() (Built, error) { return b, nil }

// Digest is the digest of the manifest or index.
func (b Built) Digest() digest.Digest { return b.Descriptor.Digest }

// Layers are the blobs without the config.
func (b Built) Layers() []Blob {
	if len(b.Blobs) == 0 {
		return nil
	}
	return b.Blobs[1:]
}

// All is b and everything below it, children before the index that lists them: the order of a push.
func (b Built) All() iter.Seq[Built] {
	return func(yield func(Built) bool) { b.walk(yield) }
}

func (b Built) walk(yield func(Built) bool) bool {
	for _, c := range b.Children {
		if !c.walk(yield) {
			return false
		}
	}
	return yield(b)
}

// For is the image in b for a platform written as os/architecture[/variant], spelled as the index spells it.
func (b Built) For(platform string) (Built, bool) {
	for m := range b.All() {
		if p := m.Descriptor.Platform; p != nil && PlatformString(*p) == platform {
			return m, true
		}
	}
	return Built{}, false
}

// PlatformString writes a platform as os/architecture[/variant].
func PlatformString(p v1.Platform) string {
	return strings.TrimSuffix(p.OS+"/"+p.Architecture+"/"+p.Variant, "/")
}

// encode writes v as JSON with markup left as it is: real tools escape it, hostile ones do not.
func encode(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// manifestIndent is the indentation of manifests: two spaces in BuildKit's, three in docker's own.
func manifestIndent(docker bool) string {
	if docker {
		return "   "
	}
	return "  "
}

func dataBlob(mediaType string, data []byte) Blob {
	return Blob{
		Descriptor: v1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))},
		Data:       data,
	}
}
