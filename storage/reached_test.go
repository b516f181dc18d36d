package storage

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// configOf returns the image ID that a source has for an architecture.
func (s *testShelf) configOf(source, architecture string) image.Digest {
	s.t.Helper()
	b, ok := s.Build(source).For("linux/" + architecture)
	if !ok {
		s.t.Fatalf("%s has no %s", source, architecture)
	}
	return b.Blobs[0].Descriptor.Digest
}

func names(refs []image.Reference) []string {
	all := []string{}
	for _, r := range refs {
		name := r.Repository.Familiar()
		if r.Tag != "" {
			name += ":" + r.Tag
		}
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func TestAnImageIsReachedByEveryTagAndDigestThatLeadsToIt(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64 arm64")
	s.pull("ubuntu:latest=jammy amd64")
	s.pull("copy@=jammy amd64 arm64")
	s.pull("other:1=redis amd64")
	n, err := s.Images.NamesOf(t.Context(), s.configOf("jammy", "arm64"), 100)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := names(n.Tags), []string{"ubuntu:22.04", "ubuntu:latest"}; !slices.Equal(got, want) {
		t.Errorf("tags %v, want %v", got, want)
	}
	if got, want := names(n.Digests), []string{"copy", "ubuntu"}; !slices.Equal(got, want) {
		t.Errorf("digests of %v, want %v", got, want)
	}
	if got, want := names(n.Lone), []string{"copy"}; !slices.Equal(got, want) {
		t.Errorf("digests without a tag of %v, want %v", got, want)
	}
	if n, err = s.Images.NamesOf(t.Context(), s.configOf("jammy", "arm64"), 1); err != nil || len(n.Tags)+len(n.Lone) != 1 {
		t.Errorf("with a limit of one: %+v, %v", n, err)
	}
}

// docker sorts whole references, so that a-b:1 comes before a:1 and tags come before digests.
func TestTheNamesOfAnImageAreInDockersOrderAndAllThere(t *testing.T) {
	s := newShelf(t)
	want := []string{"a-b:1", "a.b:1", "a:1", "a:10", "a:2", "ghcr.io/z:1"}
	for _, name := range []string{"a:2", "ghcr.io/z:1", "a.b:1", "a:10", "a-b:1", "a:1"} {
		s.pull(name + "=redis amd64")
	}
	for i := range 300 {
		name := fmt.Sprintf("many:%03d", i)
		want = append(want, name)
		s.pull(name + "=redis amd64")
	}
	n, err := s.Images.NamesOf(t.Context(), s.configOf("redis", "amd64"), -1)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(want, func(a, b string) int { return strings.Compare(canonical(t, a), canonical(t, b)) })
	got := make([]string, len(n.Tags))
	for i, ref := range n.Tags {
		got[i] = ref.Familiar()
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d tags %v, want %d %v", len(got), got[:8], len(want), want[:8])
	}
	if !slices.IsSortedFunc(n.Digests, func(a, b image.Reference) int { return strings.Compare(a.String(), b.String()) }) || len(n.Digests) != 5 {
		t.Errorf("digests %v", n.Digests)
	}
}

func canonical(t *testing.T, name string) string {
	t.Helper()
	return tagRef(t, name).String()
}

func TestTheImagesOfAnIDAreThoseWithItsConfig(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64 arm64")
	got, err := s.Images.ImagesOf(t.Context(), s.configOf("jammy", "arm64"), 10)
	if err != nil || len(got) != 1 || got[0].Platform.Architecture != "arm64" {
		t.Errorf("images %+v, %v", got, err)
	}
	if got, err := s.Images.ImagesOf(t.Context(), s.configOf("redis", "amd64"), 10); err != nil || len(got) != 0 {
		t.Errorf("images of what is not stored: %+v, %v", got, err)
	}
}

func TestAPlatformsManifestIsFoundWithinItsIndex(t *testing.T) {
	s := newShelf(t)
	s.pull("app:1=nested arm64")
	b, _ := s.Build("nested").For("linux/arm64")
	ref := image.Reference{Repository: "docker.io/library/app", Digest: b.Digest()}
	index, img, err := s.Images.Within(t.Context(), ref)
	if err != nil || index.Digest != s.Build("nested").Digest() || img.Manifest != b.Digest() {
		t.Errorf("found %v, %+v, %v", index, img, err)
	}
	missing, _ := s.Build("nested").For("linux/amd64")
	for name, ref := range map[string]image.Reference{
		"a platform that is not stored": {Repository: ref.Repository, Digest: missing.Digest()},
		"another repository":            {Repository: "docker.io/library/other", Digest: ref.Digest},
		"an unknown digest":             {Repository: ref.Repository, Digest: image.DigestOf(nil)},
	} {
		if _, _, err := s.Images.Within(t.Context(), ref); image.KindOf(err) != image.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestADigestsHistoryIsWhenTagsCameAndLeft(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	s.pull("ubuntu:latest=jammy-next amd64")
	s.pull("ubuntu:22.04=jammy-next amd64")
	ref := image.Reference{Repository: "docker.io/library/ubuntu", Digest: s.Build("jammy").Digest()}
	events, err := s.Tags.DigestHistory(t.Context(), ref)
	if err != nil || len(events) != 2 {
		t.Fatalf("events %+v, %v", events, err)
	}
	left, came := events[0], events[1]
	if left.Event != shelf.TagMoved || left.Old != ref.Digest || !left.OldStored || !left.NewStored || left.Tag != "22.04" || left.By != "mira" {
		t.Errorf("left: %+v", left)
	}
	if came.Event != shelf.TagPulled || came.New != ref.Digest || came.Old != "" || came.OldStored {
		t.Errorf("came: %+v", came)
	}
}
