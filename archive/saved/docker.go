package saved

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/image/layer"
)

// maxImages is how many images one archive may name.
const maxImages = 1000

// DockerImage is an item of the manifest.json that docker save has written since 1.10.
type DockerImage struct {
	Config string `json:"Config"` // its path in the archive
	// whole references, since podman takes ubuntu:22.04 for its own; null for an image without a name
	RepoTags []string `json:"RepoTags"`
	Layers   []string `json:"Layers"` // their paths, base layer first
}

// saved reads docker's layout with manifest.json. Of an image that index.json has too only the names are new. Of the
// others it has configs and layers, mostly uncompressed, and no manifests: those are made here, as containerd makes
// them when it loads such an archive. The config stays as it is, and with it the image ID.
func (c *contents) saved(ctx context.Context) error {
	if !c.has(DockerFile) {
		return nil
	}
	file, err := c.named("the archive", DockerFile)
	if err != nil {
		return err
	}
	raw, err := c.document(file, DockerFile, image.MaxManifestSize)
	if err != nil {
		return err
	}
	var items []DockerImage
	if err := json.Unmarshal(raw, &items); err != nil {
		return notRead(DockerFile, err)
	}
	names := 0
	for _, item := range items {
		names += max(1, len(item.RepoTags))
	}
	if names > maxImages {
		return tooMany()
	}
	for _, item := range items {
		item.RepoTags = slices.DeleteFunc(item.RepoTags, func(name string) bool { return name == noName })
		if err := c.item(ctx, item); err != nil {
			return err
		}
	}
	return nil
}

// noName is what old dockers called an image without a name.
const noName = "<none>:<none>"

// item takes one item of manifest.json.
func (c *contents) item(ctx context.Context, item DockerImage) error {
	config, layers, err := c.parts(ctx, item)
	if err == nil || config.Digest != "" { // of what index.json has, no more is needed
		if a := c.sharing(config.Digest, item.RepoTags); a != nil {
			return c.alsoCalled(a, item.RepoTags)
		}
	}
	known := c.allCalled(item.RepoTags) || len(item.RepoTags) == 0 && c.lacking[config.Digest]
	if err == nil && known && c.lacking[config.Digest] {
		err = image.Errorf(image.Corrupt, "%s lists it, and not all of it is there", indexFile)
	}
	if err != nil && known && image.KindOf(err) == image.Corrupt {
		c.leave("%s of %s left out: %s", item.Config, DockerFile, wordsOf(err))
		return nil
	}
	if err != nil {
		return err
	}
	a, err := c.make(ctx, config, layers, item.RepoTags)
	if n := len(item.Layers); err == nil && n > 0 {
		top := path.Clean(item.Layers[n-1])
		c.topped(path.Dir(top), a)
		c.topped(strings.TrimSuffix(path.Base(top), ".tar"), a)
	}
	return err
}

// parts finds the files of an item. After an error the config is empty unless that is there.
func (c *contents) parts(ctx context.Context,
	item DockerImage) (config image.Staged, layers []image.Staged, err error) {
	if config, err = c.named(DockerFile, item.Config); err != nil {
		return config, nil, err
	}
	for _, name := range item.Layers {
		l, err := c.layerNamed(ctx, DockerFile, name)
		if err != nil {
			return config, nil, err
		}
		layers = append(layers, l)
	}
	return config, layers, nil
}

// sharing finds what index.json has with a config: what one of the names is of, else what has no name yet, else the
// first.
func (c *contents) sharing(config image.Digest, names []string) *Image {
	var found *Image
	for _, a := range c.byConfig[config] {
		switch {
		case a.made:
		case slices.ContainsFunc(names, func(name string) bool {
			ref, err := image.ParseReference(name)
			return err == nil && slices.Contains(a.Names, ref)
		}):
			return a
		case found == nil, len(a.Names) == 0 && len(found.Names) > 0:
			found = a
		}
	}
	return found
}

// alsoCalled gives what index.json has the names that manifest.json has for it, but for those that index.json has given
// to another image with the same config.
func (c *contents) alsoCalled(a *Image, names []string) error {
	config := map[*Image]bool{}
	for _, img := range a.Images {
		for _, other := range c.byConfig[img.Document.Manifest.Config.Digest] {
			config[other] = true
		}
	}
	for _, name := range names {
		ref, err := image.ParseReference(name)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(c.all, func(other *Image) bool { return config[other] && slices.Contains(other.Names, ref) }) {
			continue
		}
		if err := a.called(name); err != nil {
			return err
		}
	}
	return nil
}

func tooMany() error {
	return image.Errorf(image.TooLarge, "the archive names more than %d images", maxImages).
		Suggest("Save fewer images at once.")
}

// madeManifest is a docker manifest of schema 2. The order of the keys is containerd's
// (core/images/archive/importer.go), so that the same archive has the same digest there.
type madeManifest struct {
	SchemaVersion int                `json:"schemaVersion"`
	MediaType     string             `json:"mediaType"`
	Config        image.Descriptor   `json:"config"`
	Layers        []image.Descriptor `json:"layers"`
}

// make adds the image of a config and its layers, under names. Equal images become one with several names.
func (c *contents) make(ctx context.Context, config image.Staged, layers []image.Staged,
	names []string) (*Image, error) {
	doc, err := c.manifestOf(config, layers)
	if err != nil {
		return nil, err
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(c.all, func(a *Image) bool { return a.target.Digest == doc.Digest })
	if i < 0 {
		if err := c.holdText(doc.Raw); err != nil {
			return nil, err
		}
		if err := c.stageBytes(ctx, doc.Raw); err != nil {
			return nil, err
		}
		a := &Image{target: doc, made: true}
		lacking, err := c.image(a, doc, image.Platform{})
		if err := errors.Join(err, lacking); err != nil {
			return nil, err
		}
		i = len(c.all)
		c.add(a)
	}
	for _, name := range names {
		if err := c.all[i].called(name); err != nil {
			return nil, err
		}
	}
	return c.all[i], nil
}

// manifestOf makes the manifest of a config and its layers.
func (c *contents) manifestOf(config image.Staged, layers []image.Staged) (image.Document, error) {
	if len(layers) > image.MaxLayers {
		return image.Document{}, image.Errorf(image.TooLarge, "an image of the archive has %d layers, more than %d",
			len(layers), image.MaxLayers)
	}
	if config.Size > image.MaxConfigSize {
		return image.Document{}, image.Errorf(image.TooLarge, "the config is larger than %d bytes", image.MaxConfigSize)
	}
	made := madeManifest{
		SchemaVersion: 2, MediaType: image.MediaTypeDockerManifest, Layers: []image.Descriptor{},
		Config: image.Descriptor{MediaType: image.MediaTypeDockerConfig, Digest: config.Digest, Size: config.Size},
	}
	for _, l := range layers {
		mediaType, err := c.layerType(l)
		if err != nil {
			return image.Document{}, err
		}
		made.Layers = append(made.Layers, image.Descriptor{MediaType: mediaType, Digest: l.Digest, Size: l.Size})
	}
	raw, err := json.Marshal(made)
	if err != nil {
		return image.Document{}, fmt.Errorf("make a manifest: %w", err)
	}
	return image.ParseDocument(image.MediaTypeDockerManifest, raw)
}

// layerTypes are docker's media types for layers, by how they are compressed.
var layerTypes = map[layer.Compression]string{
	layer.Uncompressed: "application/vnd.docker.image.rootfs.diff.tar",
	layer.Gzip:         "application/vnd.docker.image.rootfs.diff.tar.gzip",
	layer.Zstd:         "application/vnd.docker.image.rootfs.diff.tar.zstd",
}

// layerType returns the media type of a layer by its first bytes.
func (m *Archive) layerType(file image.Staged) (string, error) {
	if known, ok := m.types[file.Digest]; ok {
		return known, nil
	}
	kind, err := m.compression(file)
	if err != nil {
		return "", err
	}
	m.types[file.Digest] = layerTypes[kind]
	return layerTypes[kind], nil
}

func (m *Archive) compression(file image.Staged) (layer.Compression, error) {
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
	return layer.Detect(start[:n]), nil
}

// layerNamed returns a layer that a document of docker's layouts names. docker load takes one by xz or bzip2 too, and
// keeps it plain; so it is done here.
func (m *Archive) layerNamed(ctx context.Context, by, name string) (image.Staged, error) {
	file, err := m.named(by, name)
	if err != nil {
		return image.Staged{}, err
	}
	if plain, known := m.plain[file.Digest]; known {
		return plain, nil
	}
	kind, err := m.compression(file)
	if err != nil {
		return image.Staged{}, err
	}
	plain := file
	if !kind.ForLayers() {
		if plain, err = m.unpackLayer(ctx, file); err != nil {
			return image.Staged{}, err
		}
		m.byDigest[plain.Digest] = plain
	}
	m.plain[file.Digest] = plain
	return plain, nil
}

// unpackLayer stages the content of a layer.
func (m *Archive) unpackLayer(ctx context.Context, file image.Staged) (image.Staged, error) {
	r, err := m.stage.Open(file)
	if err != nil {
		return image.Staged{}, err
	}
	defer r.Close()
	src := &source{r: r}
	plain, _, closePlain, err := layer.Decompress(src, maxWindow)
	defer closePlain()
	if err != nil {
		return image.Staged{}, notUnpacked(file.Digest, err)
	}
	in := &unpacked{r: plain, src: src, compressed: true, limit: m.maxBytes}
	staged, err := m.stage.Add(ctx, in, 0)
	if in.err != nil {
		err = in.err
	}
	return staged, err
}
