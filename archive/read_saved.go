package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/image/layer"
)

// maxImages is how many images one archive may name.
const maxImages = 1000

// savedImage is an item of the manifest.json that docker save has written since 1.10.
type savedImage struct {
	Config   string   `json:"Config"`
	RepoTags []string `json:"RepoTags"`
	Layers   []string `json:"Layers"`
}

// saved reads docker's layout with manifest.json. It has configs and layers, mostly uncompressed, and no manifests: those
// are made here, as containerd makes them when it loads such an archive. The config stays as it is, and with it the image
// ID.
func (m *members) saved(ctx context.Context) ([]*arrived, error) {
	file, err := m.named("the archive", savedFile)
	if err != nil {
		return nil, err
	}
	raw, err := m.document(file, savedFile, image.MaxManifestSize)
	if err != nil {
		return nil, err
	}
	var items []savedImage
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, notRead(savedFile, err)
	}
	names := 0
	for _, item := range items {
		names += max(1, len(item.RepoTags))
	}
	if names > maxImages {
		return nil, tooMany()
	}
	var all []*arrived
	for _, item := range items {
		config, err := m.named(savedFile, item.Config)
		if err != nil {
			return nil, err
		}
		layers := make([]Staged, 0, len(item.Layers))
		for _, name := range item.Layers {
			l, err := m.named(savedFile, name)
			if err != nil {
				return nil, err
			}
			layers = append(layers, l)
		}
		if all, err = m.make(ctx, all, config, layers, item.RepoTags); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func tooMany() error {
	return image.Errorf(image.TooLarge, "the archive names more than %d images", maxImages).Suggest("Save fewer images at once.")
}

// madeManifest is a docker manifest of schema 2. The order of the keys is containerd's (core/images/archive/importer.go),
// so that the same archive has the same digest there.
type madeManifest struct {
	SchemaVersion int                `json:"schemaVersion"`
	MediaType     string             `json:"mediaType"`
	Config        image.Descriptor   `json:"config"`
	Layers        []image.Descriptor `json:"layers"`
}

// make adds the image of a config and its layers to all, under names. Equal images become one with several names.
func (m *members) make(ctx context.Context, all []*arrived, config Staged, layers []Staged, names []string) ([]*arrived, error) {
	if len(layers) > image.MaxLayers {
		return nil, image.Errorf(image.TooLarge, "an image of the archive has %d layers, more than %d", len(layers), image.MaxLayers)
	}
	if config.Size > image.MaxConfigSize {
		return nil, image.Errorf(image.TooLarge, "the config is larger than %d bytes", image.MaxConfigSize)
	}
	made := madeManifest{
		SchemaVersion: 2, MediaType: image.MediaTypeDockerManifest, Layers: []image.Descriptor{},
		Config: image.Descriptor{MediaType: image.MediaTypeDockerConfig, Digest: config.Digest, Size: config.Size},
	}
	for _, l := range layers {
		mediaType, err := m.layerType(l)
		if err != nil {
			return nil, err
		}
		made.Layers = append(made.Layers, image.Descriptor{MediaType: mediaType, Digest: l.Digest, Size: l.Size})
	}
	raw, err := json.Marshal(made)
	if err != nil {
		return nil, fmt.Errorf("make a manifest: %w", err)
	}
	doc, err := image.ParseDocument(image.MediaTypeDockerManifest, raw)
	if err != nil {
		return nil, err
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(a *arrived) bool { return a.target.Digest == doc.Digest })
	if i < 0 {
		if err := m.holdText(raw); err != nil {
			return nil, err
		}
		if err := m.stageBytes(ctx, raw); err != nil {
			return nil, err
		}
		a := &arrived{target: doc, made: true}
		lacking, err := m.image(a, doc, image.Platform{})
		if err := errors.Join(err, lacking); err != nil {
			return nil, err
		}
		i = len(all)
		all = append(all, a)
	}
	for _, name := range names {
		if err := all[i].called(name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// layerTypes are docker's media types for layers, by how they are compressed.
var layerTypes = map[layer.Compression]string{
	layer.Uncompressed: "application/vnd.docker.image.rootfs.diff.tar",
	layer.Gzip:         "application/vnd.docker.image.rootfs.diff.tar.gzip",
	layer.Zstd:         "application/vnd.docker.image.rootfs.diff.tar.zstd",
}

// layerType tells the media type of a layer by its first bytes.
func (m *members) layerType(file Staged) (string, error) {
	if known, ok := m.types[file.Digest]; ok {
		return known, nil
	}
	r, err := m.stage.Open(file)
	if err != nil {
		return "", err
	}
	defer r.Close()
	start := make([]byte, layer.SniffSize)
	n, err := io.ReadFull(r, start)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read a staged file: %w", err)
	}
	kind, err := layer.Detect(start[:n])
	if err != nil {
		return "", notUnpacked(file.Digest, err)
	}
	m.types[file.Digest] = layerTypes[kind]
	return layerTypes[kind], nil
}
