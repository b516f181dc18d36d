package archive_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/sample"
)

// entry is an entry of an archive.
type entry struct {
	header tar.Header
	body   []byte
}

func file(name string, body []byte) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(body))}, body}
}

func special(kind byte, name, target string) entry {
	return entry{tar.Header{Typeflag: kind, Name: name, Linkname: target, Mode: 0o644}, nil}
}

func jsonFile(t testing.TB, name string, v any) entry {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return file(name, raw)
}

// tarOf writes entries as an archive.
func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		if err := w.WriteHeader(&e.header); err != nil {
			t.Fatalf("%s: %v", e.header.Name, err)
		}
		if _, err := w.Write(e.body); err != nil {
			t.Fatalf("%s: %v", e.header.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstandard(t testing.TB, raw []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(raw, nil)
}

func built(t testing.TB, s sample.Source) sample.Built {
	t.Helper()
	b, err := s.Build()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// named is an image or an index with what an archive calls it.
type named struct {
	sample.Built
	names []string
}

// layout writes images as an OCI image layout, as buildx and containerd do. Blobs that left tells are left out.
func layout(t testing.TB, left func(digest.Digest) bool, images ...named) []entry {
	t.Helper()
	index := v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex}
	written := map[digest.Digest]bool{}
	entries := []entry{jsonFile(t, v1.ImageLayoutFile, v1.ImageLayout{Version: v1.ImageLayoutVersion})}
	add := func(d digest.Digest, raw []byte) {
		if !written[d] && (left == nil || !left(d)) {
			written[d] = true
			entries = append(entries, file("blobs/sha256/"+d.Encoded(), raw))
		}
	}
	for _, img := range images {
		for b := range img.All() {
			for _, blob := range b.Blobs {
				add(blob.Descriptor.Digest, blob.Data)
			}
			add(b.Digest(), b.Body)
		}
		names := img.names
		if len(names) == 0 {
			names = []string{""}
		}
		for _, name := range names {
			d := img.Descriptor
			if name != "" {
				d.Annotations = map[string]string{"io.containerd.image.name": name,
					v1.AnnotationRefName: name[strings.LastIndex(name, ":")+1:]}
			}
			index.Manifests = append(index.Manifests, d)
		}
	}
	return append(entries, jsonFile(t, v1.ImageIndexFile, index))
}

// savedItem is an item of docker's manifest.json.
type savedItem struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// unpackedLayer returns a layer's tar.
func unpackedLayer(t testing.TB, blob sample.Blob) []byte {
	t.Helper()
	if !bytes.HasPrefix(blob.Data, []byte{0x1f, 0x8b}) {
		return blob.Data
	}
	r, err := gzip.NewReader(bytes.NewReader(blob.Data))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// saved writes images as docker 1.10 to 24 does: uncompressed layers in folders of their own, a layer that is there
// already as a link, and manifest.json near the end.
func saved(t testing.TB, images ...named) []entry {
	t.Helper()
	var entries []entry
	var items []savedItem
	at := map[digest.Digest]string{}
	repositories := map[string]map[string]string{}
	for _, img := range images {
		config := img.Blobs[0]
		item := savedItem{Config: config.Descriptor.Digest.Encoded() + ".json", RepoTags: img.names}
		for i, blob := range img.Layers() {
			id := digest.FromString(img.Digest().String() + string(rune('a'+i))).Encoded()
			entries = append(entries, special(tar.TypeDir, id+"/", ""), file(id+"/VERSION", []byte("1.0")),
				file(id+"/json", []byte(`{"id":"`+id+`"}`)))
			diffID := img.DiffIDs[i]
			if first, known := at[diffID]; known {
				entries = append(entries, special(tar.TypeSymlink, id+"/layer.tar", "../"+first))
			} else {
				at[diffID] = id + "/layer.tar"
				entries = append(entries, file(id+"/layer.tar", unpackedLayer(t, blob)))
			}
			item.Layers = append(item.Layers, id+"/layer.tar")
		}
		entries = append(entries, file(item.Config, config.Data))
		items = append(items, item)
		for _, name := range img.names {
			repo, tag, _ := strings.Cut(name, ":")
			if repositories[repo] == nil {
				repositories[repo] = map[string]string{}
			}
			repositories[repo][tag] = "top"
		}
	}
	return append(entries, jsonFile(t, "manifest.json", items), jsonFile(t, "repositories", repositories))
}

// modern writes an image as docker 25 and newer does with its classic store: an image layout whose manifest lists
// uncompressed layers, and manifest.json over the same blobs.
func modern(t testing.TB, img named) []entry {
	t.Helper()
	config := img.Blobs[0]
	manifest := v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest,
		Config: v1.Descriptor{MediaType: v1.MediaTypeImageConfig, Digest: config.Descriptor.Digest,
			Size: config.Descriptor.Size},
	}
	item := savedItem{Config: "blobs/sha256/" + config.Descriptor.Digest.Encoded(), RepoTags: img.names}
	plain := sample.Built{Blobs: []sample.Blob{config}, DiffIDs: img.DiffIDs}
	for i, blob := range img.Layers() {
		raw := unpackedLayer(t, blob)
		d := v1.Descriptor{MediaType: v1.MediaTypeImageLayer, Digest: img.DiffIDs[i], Size: int64(len(raw))}
		manifest.Layers = append(manifest.Layers, d)
		plain.Blobs = append(plain.Blobs, sample.Blob{Descriptor: d, Data: raw})
		item.Layers = append(item.Layers, "blobs/sha256/"+d.Digest.Encoded())
	}
	var err error
	if plain.Body, err = json.Marshal(manifest); err != nil {
		t.Fatal(err)
	}
	plain.Descriptor = v1.Descriptor{MediaType: v1.MediaTypeImageManifest, Digest: digest.FromBytes(plain.Body),
		Size: int64(len(plain.Body))}
	return append(layout(t, nil, named{plain, img.names}), jsonFile(t, "manifest.json", []savedItem{item}))
}

// legacy writes an image as docker before 1.10 did: an image of its own for each layer, and nothing that lists them.
func legacy(t testing.TB, name string, layers ...[]byte) []entry {
	t.Helper()
	var entries []entry
	parent := ""
	for i, l := range layers {
		id := digest.FromString(name + string(rune('a'+i))).Encoded()
		config := map[string]any{
			"id": id, "created": "2015-06-01T00:00:00Z", "architecture": "amd64", "os": "linux", "docker_version": "1.8.2",
			"Size":             len(l),
			"config":           map[string]any{"Cmd": []string{"/bin/sh"}},
			"container_config": map[string]any{"Cmd": []string{"/bin/sh", "-c", "step"}},
		}
		if parent != "" {
			config["parent"] = parent
		}
		entries = append(entries, file(id+"/VERSION", []byte("1.0")), jsonFile(t, id+"/json", config),
			file(id+"/layer.tar", l))
		parent = id
	}
	repo, tag, _ := strings.Cut(name, ":")
	return append(entries, jsonFile(t, "repositories", map[string]map[string]string{repo: {tag: parent}}))
}
