package archive

import (
	"encoding/json"
	"fmt"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/archive/saved"
	"github.com/stowage/stowage/image"
)

// madeDocument is a file of the archive that is no blob.
type madeDocument struct {
	name string
	raw  []byte
}

// documentsOf makes the files that say what is in the archive. The file repositories, which only docker before 1.10
// needs, is left out.
func documentsOf(exports []Export, f Format) ([]madeDocument, error) {
	layout, err := json.Marshal(ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", ocispec.ImageLayoutFile, err)
	}
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: indexEntries(exports)}
	index.SchemaVersion = 2
	raw, err := json.Marshal(index)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", ocispec.ImageIndexFile, err)
	}
	documents := []madeDocument{{ocispec.ImageLayoutFile, layout}, {ocispec.ImageIndexFile, raw}}
	if f == OCI {
		return documents, nil
	}
	raw, err = json.Marshal(dockerManifest(exports))
	if err != nil {
		return nil, fmt.Errorf("write manifest.json: %w", err)
	}
	return append(documents, madeDocument{saved.DockerFile, raw}), nil
}

// indexEntries returns the lines of index.json: one for each tag, and one for each target that has none. The tag alone
// is the reference's name, as docker save writes it; where that would name two things, the whole reference is.
func indexEntries(exports []Export) []ocispec.Descriptor {
	uses := map[string]int{}
	for _, e := range exports {
		uses[e.Name.Tag]++
	}
	entries := make([]ocispec.Descriptor, 0, len(exports))
	unnamed := map[image.Digest]bool{}
	for _, e := range exports {
		d := ocispec.Descriptor{MediaType: e.Target.MediaType, Digest: e.Target.Digest, Size: e.Target.Size,
			Platform: e.Target.Platform}
		if e.Name.Tag == "" {
			if unnamed[d.Digest] {
				continue
			}
			unnamed[d.Digest] = true
		} else {
			d.Annotations = map[string]string{saved.ContainerdName: e.Name.String(), ocispec.AnnotationRefName: e.Name.Tag}
			if uses[e.Name.Tag] > 1 {
				d.Annotations[ocispec.AnnotationRefName] = e.Name.String()
			}
		}
		entries = append(entries, d)
	}
	return entries
}

// dockerManifest returns manifest.json, one entry for each image: two tags on one image are its two names.
func dockerManifest(exports []Export) []*saved.DockerImage {
	images := make([]*saved.DockerImage, 0, len(exports))
	known := map[image.Digest]*saved.DockerImage{}
	for _, e := range exports {
		first := e.Images[0]
		s := known[first.Manifest.Digest]
		if s == nil {
			s = &saved.DockerImage{Config: blobName(first.Config.Digest), Layers: make([]string, 0, len(first.Layers))}
			for _, l := range first.Layers {
				s.Layers = append(s.Layers, blobName(l.Digest))
			}
			known[first.Manifest.Digest] = s
			images = append(images, s)
		}
		if e.Name.Tag != "" {
			s.RepoTags = append(s.RepoTags, e.Name.String())
		}
	}
	return images
}
