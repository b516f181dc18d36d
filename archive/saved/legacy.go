package saved

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
)

// legacyImage is <id>/json of the layout that docker save wrote before 1.10: an image for each layer, with its parent.
type legacyImage struct {
	Parent          string     `json:"parent"`
	Created         *time.Time `json:"created"`
	Author          string     `json:"author"`
	Comment         string     `json:"comment"`
	ContainerConfig struct {
		Cmd []string `json:"Cmd"`
	} `json:"container_config"`
}

// legacyHistory is a step of a config's history with its keys in docker's order: the image ID depends on it.
type legacyHistory struct {
	Created   *time.Time `json:"created,omitempty"`
	Author    string     `json:"author,omitempty"`
	CreatedBy string     `json:"created_by,omitempty"`
	Comment   string     `json:"comment,omitempty"`
}

// legacy reads repositories: docker's layout from before 1.10, and beside the newer ones for names that those lack. Old
// configs list no layers: diff IDs and history are added to the newest layer's, as docker does when it loads such an
// archive (image/v1/imagev1.go), and so give the same image ID.
func (c *contents) legacy(ctx context.Context) error {
	if !c.has(legacyFile) {
		return nil
	}
	file, err := c.named("the archive", legacyFile)
	if err != nil {
		return err
	}
	raw, err := c.document(file, legacyFile, image.MaxManifestSize)
	if err != nil {
		return err
	}
	var repositories map[string]map[string]string
	if err := json.Unmarshal(raw, &repositories); err != nil {
		return notRead(legacyFile, err)
	}
	images, alone := 0, len(c.all) == 0
	for _, name := range slices.Sorted(maps.Keys(repositories)) {
		for _, tag := range slices.Sorted(maps.Keys(repositories[name])) {
			if images++; images > maxImages {
				return tooMany()
			}
			if err := c.legacyName(ctx, name+":"+tag, repositories[name][tag], alone); err != nil {
				return err
			}
		}
	}
	return nil
}

// legacyName takes a name of repositories; id is what that calls the newest layer. alone says that nothing else tells
// what is in the archive.
func (c *contents) legacyName(ctx context.Context, name, id string, alone bool) error {
	if !alone && c.allCalled([]string{name}) {
		return nil
	}
	switch found := c.tops[id]; {
	case alone || len(found) == 0 && c.has(path.Join(id, "json")):
		config, layers, err := c.legacyConfig(ctx, id)
		if err != nil {
			return err
		}
		_, err = c.make(ctx, config, layers, []string{name})
		return err
	case len(found) == 1:
		return found[0].called(name)
	case len(found) == 0:
		c.leave("%.300q of %s left out: its image is not in the archive", name, legacyFile)
	default:
		c.leave("%.300q of %s left out: %d images have its newest layer, and nothing says which of them it is", name,
			legacyFile, len(found))
	}
	return nil
}

// legacyConfig makes the config of an image from those of its layers, and stages it.
func (c *contents) legacyConfig(ctx context.Context,
	id string) (config image.Staged, layers []image.Staged, err error) {
	var newest []byte
	var history []legacyHistory
	seen := map[string]bool{}
	for top := id; id != ""; {
		if seen[id] || len(layers) >= image.MaxLayers {
			return config, nil, image.Errorf(image.Corrupt, "the layers of %.80q have no end: more than %d, or a circle", top,
				image.MaxLayers)
		}
		seen[id] = true
		file, err := c.named(legacyFile, path.Join(id, "json"))
		if err != nil {
			return config, nil, err
		}
		raw, err := c.document(file, "the config", image.MaxConfigSize)
		if err != nil {
			return config, nil, err
		}
		var img legacyImage
		if err := json.Unmarshal(raw, &img); err != nil {
			return config, nil, notRead(path.Join(id, "json"), err)
		}
		l, err := c.layerNamed(ctx, legacyFile, path.Join(id, "layer.tar"))
		if err != nil {
			return config, nil, err
		}
		if newest == nil {
			newest = raw
		}
		layers = append(layers, l)
		history = append(history, legacyHistory{Created: img.Created, Author: img.Author,
			CreatedBy: strings.Join(img.ContainerConfig.Cmd, " "), Comment: img.Comment})
		id = img.Parent
	}
	if newest == nil {
		return config, nil, image.Errorf(image.Corrupt, "%s names an image without an ID", legacyFile)
	}
	slices.Reverse(layers)
	slices.Reverse(history)
	raw, err := c.addLayers(ctx, newest, layers, history)
	if err != nil {
		return config, nil, err
	}
	if err := c.stageBytes(ctx, raw); err != nil {
		return config, nil, err
	}
	return c.byDigest[image.DigestOf(raw)], layers, nil
}

// addLayers writes a config with the diff IDs of its layers, which are read for that, and its history.
func (m *Archive) addLayers(ctx context.Context, config []byte, layers []image.Staged,
	history []legacyHistory) ([]byte, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(config, &keys); err != nil {
		return nil, notRead("the config", err)
	}
	for _, gone := range []string{"id", "parent", "Size", "parent_id", "layer_id", "throwaway"} {
		delete(keys, gone)
	}
	rootfs := ocispec.RootFS{Type: "layers"}
	for _, file := range layers {
		r, err := m.inspect(ctx, file, func(r io.Reader) io.Reader { return r })
		if err != nil {
			return nil, err
		}
		rootfs.DiffIDs = append(rootfs.DiffIDs, r.DiffID)
	}
	var err error
	if keys["rootfs"], err = json.Marshal(rootfs); err != nil {
		return nil, fmt.Errorf("make a config: %w", err)
	}
	if keys["history"], err = json.Marshal(history); err != nil {
		return nil, fmt.Errorf("make a config: %w", err)
	}
	raw, err := json.Marshal(keys)
	if err != nil {
		return nil, fmt.Errorf("make a config: %w", err)
	}
	return raw, nil
}
