package storage

import (
	"slices"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

func TestAnArchiveIsOfTheIndexesAndThePlatformsThatAreStored(t *testing.T) {
	s := newShelf(t)
	s.pull("app:1=nested arm64")
	target := s.Build("nested")
	arm, _ := target.For("linux/arm64")
	ref := image.Reference{Repository: "docker.io/library/app", Tag: "1"}
	a, err := s.Images.Archived(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	if a.Target.Digest != target.Digest() || len(a.Images) != 1 || a.Images[0].ManifestBlob.Digest != arm.Digest() {
		t.Fatalf("%+v", a)
	}
	if len(a.Indexes) != 2 || a.Indexes[0].Digest != target.Digest() {
		t.Errorf("the nested index is left out: %+v", a.Indexes)
	}
	i := a.Images[0]
	var layers []image.Digest
	for _, l := range i.Layers {
		layers = append(layers, l.Digest)
	}
	var want []image.Digest
	for _, l := range arm.Layers() {
		want = append(want, l.Descriptor.Digest)
	}
	if !slices.Equal(layers, want) || i.Config.Digest != i.ID {
		t.Errorf("layers %v, want %v", layers, want)
	}
	for _, d := range append(append(slices.Clone(a.Indexes), i.ManifestBlob, i.Config), i.Layers...) {
		if !s.Blobs.HasBlob(d) {
			t.Errorf("%+v is not on the disk with that size", d)
		}
	}
}

func TestAnArchiveOfOneManifestHasNoIndex(t *testing.T) {
	s := newShelf(t)
	s.pull("app:1=nested arm64")
	arm, _ := s.Build("nested").For("linux/arm64")
	amd, _ := s.Build("nested").For("linux/amd64")
	repo := image.Repository("docker.io/library/app")
	byDigest, err := s.Images.Archived(t.Context(), image.Reference{Repository: repo, Digest: arm.Digest()})
	if err != nil {
		t.Fatal(err)
	}
	byID, err := s.Images.ArchivedID(t.Context(), s.configOf("nested", "arm64").Encoded()[:12])
	if err != nil {
		t.Fatal(err)
	}
	for name, a := range map[string]shelf.Archived{"by digest": byDigest, "by ID": byID} {
		if a.Target.Digest != arm.Digest() || len(a.Indexes) != 0 || len(a.Images) != 1 {
			t.Errorf("%s: %+v", name, a)
		}
	}
	for name, ref := range map[string]image.Reference{
		"another tag":                   {Repository: repo, Tag: "2"},
		"another repository":            {Repository: repo + "2", Digest: arm.Digest()},
		"a platform that is not stored": {Repository: repo, Digest: amd.Digest()},
	} {
		if _, err := s.Images.Archived(t.Context(), ref); image.KindOf(err) != image.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Images.ArchivedID(t.Context(), "0000000000"); image.KindOf(err) != image.NotFound {
		t.Error(err)
	}
}

func TestTheTagsOfARepositoryAreGivenInOrder(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:latest=jammy amd64")
	s.pull("ubuntu:22.04=jammy amd64")
	s.pull("ubuntu:rolling=jammy-next amd64")
	for limit, want := range map[int][]string{10: {"22.04", "latest", "rolling"}, 2: {"22.04", "latest"}} {
		if tags, err := s.Images.TagsOf(t.Context(), "docker.io/library/ubuntu", limit); err != nil || !slices.Equal(tags, want) {
			t.Errorf("%q, %v", tags, err)
		}
	}
	if tags, err := s.Images.TagsOf(t.Context(), "docker.io/library/none", 10); err != nil || len(tags) != 0 {
		t.Errorf("%q, %v", tags, err)
	}
}
