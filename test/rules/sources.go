// Package rules has docker's rules of deleting and pruning as tables, and the small images that their words speak of.
// The rules are tried in memory (shelf/removal), and some of them on a real shelf (storage).
package rules

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/shelf"
)

// Sources are small images and indexes by name, and the words in which tests speak of them.
type Sources struct {
	t      testing.TB
	Built  map[string]sample.Built // images and indexes that were asked for, by name
	Layers map[string]*sample.Layer
	Source map[string]sample.Source
}

// NewSources returns these sources:
//
//	jammy       index: amd64 and arm64, on the base of its architecture
//	jammy-next  index: a new amd64, jammy's very arm64
//	postgres    index: amd64 and arm64, built on jammy's layers
//	redis       a manifest for amd64, with nothing in common with the others but the base
//	nested      index: redis and, in an index of its own, arm64 and arm/v7
//	odd         a manifest whose only layer is its own config's bytes
//	base        a manifest for amd64: the first layer of the others
//	copy        a manifest with the layers of jammy's amd64, and a config of its own
//	squashed    a manifest for amd64 that shares no layer and says that it is built on jammy
//	ci, old     manifests for amd64: with the label stage=ci, and created in 2020
//	undated     a manifest for amd64 that does not say when it was created
//	half        index: an amd64 with the label stage=ci and an arm64 created in 2020
//	told        index: amd64 and arm64, each with an attestation
//	told-again  index: told's very images, each with another attestation, in the newer form
//	strange     index: redis and an arm64 with one attestation for both, whose blobs are redis's own
func NewSources(t testing.TB) *Sources {
	s := &Sources{t: t, Built: map[string]sample.Built{}, Layers: map[string]*sample.Layer{}}
	arm := s.NewImage("arm64", "base-arm64", "jammy-arm64")
	redis := s.NewImage("amd64", "base-amd64", "redis")
	s.Source = map[string]sample.Source{
		"jammy":      sample.Index{Entries: []sample.Source{s.NewImage("amd64", "base-amd64", "jammy-amd64"), arm}},
		"jammy-next": sample.Index{Entries: []sample.Source{s.NewImage("amd64", "base-amd64", "jammy-next-amd64"), arm}},
		"postgres": sample.Index{Entries: []sample.Source{
			s.NewImage("amd64", "base-amd64", "jammy-amd64", "postgres-amd64"),
			s.NewImage("arm64", "base-arm64", "jammy-arm64", "postgres-arm64"),
		}},
		"redis": redis,
		"nested": sample.Index{Entries: []sample.Source{
			redis, sample.Index{Entries: []sample.Source{s.NewImage("arm64", "deep-arm64"), s.NewImage("arm", "deep-arm")}},
		}},
		"odd":  odd{s.NewImage("amd64", "odd")},
		"base": s.NewImage("amd64", "base-amd64"),
	}
	alter := func(im sample.Image, f func(*sample.Image)) sample.Image {
		f(&im)
		return im
	}
	labelled := func(im *sample.Image) { im.Config.Labels = map[string]string{"stage": "ci"} }
	old := func(im *sample.Image) { im.Created = time.Date(2020, 2, 29, 0, 0, 0, 0, time.UTC) }
	s.Source["copy"] = alter(s.NewImage("amd64", "base-amd64", "jammy-amd64"),
		func(im *sample.Image) { im.Author = "somebody else" })
	s.Source["squashed"] = alter(s.NewImage("amd64", "squashed"), func(im *sample.Image) {
		im.Annotations = map[string]string{v1.AnnotationBaseImageDigest: string(s.Build("jammy").Digest())}
	})
	s.Source["ci"] = alter(s.NewImage("amd64", "ci"), labelled)
	s.Source["old"] = alter(s.NewImage("amd64", "old"), old)
	s.Source["undated"] = alter(s.NewImage("amd64", "undated"), func(im *sample.Image) { im.Created = time.Time{} })
	s.Source["half"] = sample.Index{Entries: []sample.Source{
		alter(s.NewImage("amd64", "half-amd64"), labelled), alter(s.NewImage("arm64", "half-arm64"), old),
	}}
	told := []sample.Source{s.NewImage("amd64", "base-amd64", "told-amd64"),
		s.NewImage("arm64", "base-arm64", "told-arm64")}
	s.Source["told"] = sample.Index{Attest: true, Entries: told}
	s.Source["told-again"] = sample.Index{Attest: true, Artifacts: true, Entries: told}
	s.Source["strange"] = strange{[]sample.Source{redis, s.NewImage("arm64", "strange")}}
	return s
}

// built are the layers of all tests by name, so that each is built once.
var built sync.Map

// NewImage returns an image for linux on an architecture, made of layers by name; equal names are one layer.
func (s *Sources) NewImage(architecture string, layers ...string) sample.Image {
	im := sample.Image{Platform: v1.Platform{OS: "linux", Architecture: architecture}, Created: sample.Epoch}
	for _, name := range layers {
		file := sample.Data("usr/"+name, name, int64(2000+100*len(name)))
		layer, _ := built.LoadOrStore(name, sample.NewLayer(sample.Gzip, file))
		s.Layers[name] = layer.(*sample.Layer)
		im.Steps = append(im.Steps, sample.Step{By: "COPY " + name, Layer: s.Layers[name]})
	}
	return im
}

// odd makes an image's one layer the very blob that is its config: hostile, and well formed.
type odd struct{ from sample.Image }

func (o odd) Build() (sample.Built, error) {
	b, err := o.from.Build()
	if err != nil {
		return sample.Built{}, err
	}
	layer := b.Blobs[0].Descriptor
	layer.MediaType = v1.MediaTypeImageLayer
	b.Blobs[1] = sample.Blob{Descriptor: layer, Data: b.Blobs[0].Data}
	man := v1.Manifest{MediaType: v1.MediaTypeImageManifest, Config: b.Blobs[0].Descriptor, Layers: []v1.Descriptor{layer}}
	b.Body, err = json.Marshal(man)
	b.Descriptor.Digest, b.Descriptor.Size = image.DigestOf(b.Body), int64(len(b.Body))
	return b, err
}

// strange makes an index of images that one attestation describes: its config is the first image's, its statements are
// that image's manifest and layer. Hostile, and well formed.
type strange struct{ of []sample.Source }

func (x strange) Build() (sample.Built, error) {
	b, err := sample.Index{Entries: x.of}.Build()
	if err != nil {
		return b, err
	}
	first := b.Children[0]
	a := sample.Built{Blobs: []sample.Blob{first.Blobs[0], {Descriptor: first.Descriptor, Data: first.Body},
		first.Blobs[1]}}
	man := v1.Manifest{MediaType: v1.MediaTypeImageManifest, Config: a.Blobs[0].Descriptor}
	for i := range a.Layers() {
		d := &a.Layers()[i].Descriptor
		*d = v1.Descriptor{MediaType: sample.MediaTypeInToto, Digest: d.Digest, Size: d.Size}
		man.Layers = append(man.Layers, *d)
	}
	if a.Body, err = json.Marshal(man); err != nil {
		return b, err
	}
	index := v1.Index{MediaType: v1.MediaTypeImageIndex}
	for _, c := range b.Children {
		a.Descriptor = v1.Descriptor{
			MediaType: v1.MediaTypeImageManifest, Digest: image.DigestOf(a.Body), Size: int64(len(a.Body)),
			Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"},
			Annotations: map[string]string{
				sample.AnnotationReferenceType: sample.AttestationManifest, sample.AnnotationReferenceDigest: string(c.Digest()),
			},
		}
		b.Children = append(b.Children, a)
	}
	for _, c := range b.Children {
		index.Manifests = append(index.Manifests, c.Descriptor)
	}
	b.Body, err = json.Marshal(index)
	b.Descriptor.Digest, b.Descriptor.Size = image.DigestOf(b.Body), int64(len(b.Body))
	return b, err
}

// Build returns what a source of that name is.
func (s *Sources) Build(name string) sample.Built {
	s.t.Helper()
	if b, ok := s.Built[name]; ok {
		return b
	}
	b, err := s.Source[name].Build()
	if err != nil {
		s.t.Fatal(err)
	}
	s.Built[name] = b
	return b
}

// Held is a reference with the source it stands on, in the words of the tables: "ubuntu:22.04=jammy amd64 arm64",
// or "ubuntu@=jammy amd64" for a digest without a tag; with "alone" without what describes the images.
type Held struct {
	Ref           image.Reference
	Source        string
	Architectures []string
	alone         bool
}

// Read reads the words of Held.
func (s *Sources) Read(words string) Held {
	s.t.Helper()
	fields := strings.Fields(words)
	name, source, _ := strings.Cut(fields[0], "=")
	h := Held{Source: source, Architectures: fields[1:], alone: slices.Contains(fields, "alone")}
	repository, byDigest := strings.CutSuffix(name, "@")
	ref, err := image.ParseRepositoryReference(repository)
	if err != nil {
		s.t.Fatal(err)
	}
	if h.Ref = ref; byDigest {
		h.Ref.Digest = s.Build(source).Digest()
	}
	return h
}

// Wants returns the manifest, with its config and layers, of each platform, and the indexes on the way to it.
func (h Held) Wants(b sample.Built) (indexes, images []sample.Built) {
	for m := range b.All() {
		if len(m.Children) > 0 {
			indexes = append(indexes, m)
		} else if slices.Contains(h.Architectures, m.Descriptor.Platform.Architecture) {
			images = append(images, m)
		}
	}
	return indexes, images
}

// About returns the attestations of an image.
func (h Held) About(b sample.Built, of image.Digest) (all []sample.Built) {
	for m := range b.All() {
		if !h.alone && m.Descriptor.Annotations[sample.AnnotationReferenceDigest] == string(of) {
			all = append(all, m)
		}
	}
	return all
}

// Whole returns the indexes and images with what describes them.
func (h Held) Whole(b sample.Built) []sample.Built {
	indexes, images := h.Wants(b)
	all := slices.Concat(indexes, images)
	for _, m := range images {
		all = append(all, h.About(b, m.Digest())...)
	}
	return all
}

// NameOf returns the name of what has a digest: a source, "source/architecture" for an image by manifest or image ID,
// or a layer.
func (s *Sources) NameOf(d image.Digest) string {
	for name, b := range s.Built {
		if b.Digest() == d {
			return name
		}
	}
	for name, l := range s.Layers {
		if c, err := l.Content(); err == nil && c.Digest == d {
			return name
		}
	}
	var names []string
	for name, b := range s.Built {
		for m := range b.All() {
			if len(m.Blobs) > 0 && (m.Digest() == d || m.Blobs[0].Descriptor.Digest == d) {
				names = append(names, name+"/"+m.Descriptor.Platform.Architecture)
			}
		}
	}
	// An image of two indexes is named by the shorter one.
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	return append(names, string(d))[0]
}

// ID returns the image ID of a source's image for an architecture.
func (s *Sources) ID(name, architecture string) image.Digest {
	s.t.Helper()
	for m := range s.Build(name).All() {
		if p := m.Descriptor.Platform; p != nil && p.Architecture == architecture && len(m.Blobs) > 0 {
			return m.Blobs[0].Descriptor.Digest
		}
	}
	s.t.Fatalf("%s has no image for %s", name, architecture)
	return ""
}

// Item reads one thing that is asked for: "ubuntu:22.04", "ubuntu:22.04/amd64", "ubuntu@jammy" or "id jammy/amd64".
func (s *Sources) Item(words, only string) (item shelf.RemovalItem) {
	s.t.Helper()
	if id, ok := strings.CutPrefix(words, "id "); ok {
		name, architecture, _ := strings.Cut(id, "/")
		item.ID = s.ID(name, architecture)
		return item
	}
	for _, architecture := range []string{"amd64", "arm64"} {
		if name, ok := strings.CutSuffix(words, "/"+architecture); ok {
			words, only = name, architecture
		}
	}
	if only != "" {
		item.Platform = image.Platform{OS: "linux", Architecture: only}
	}
	name, source, byDigest := strings.Cut(words, "@")
	ref, err := image.ParseRepositoryReference(name)
	if err != nil {
		s.t.Fatal(err)
	}
	if item.Reference = ref; byDigest {
		item.Reference.Digest = s.Build(source).Digest()
	}
	return item
}

// ItemWords returns an item as Item reads it.
func (s *Sources) ItemWords(item shelf.RemovalItem) string {
	switch {
	case item.ID != "":
		return "id " + s.NameOf(item.ID)
	case item.Platform != image.Platform{}:
		return s.Word(item.Reference) + "/" + item.Platform.Architecture
	}
	return s.Word(item.Reference)
}

// Word returns a reference with the name of its digest.
func (s *Sources) Word(ref image.Reference) string {
	if ref.Digest != "" {
		return ref.Repository.Familiar() + "@" + s.NameOf(ref.Digest)
	}
	return ref.Familiar()
}

// WordAll returns references as Word does, sorted.
func (s *Sources) WordAll(refs []image.Reference) string {
	words := make([]string, len(refs))
	for i, ref := range refs {
		words[i] = s.Word(ref)
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}
