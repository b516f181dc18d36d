package blob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
)

// descriptors returns count tagged manifests.
func descriptors(count int) iter.Seq2[image.Descriptor, error] {
	return func(yield func(image.Descriptor, error) bool) {
		for i := range count {
			d := image.Descriptor{
				MediaType:   ocispec.MediaTypeImageManifest,
				Digest:      image.DigestOf(fmt.Appendf(nil, "%d", i)),
				Size:        int64(i),
				Annotations: map[string]string{ocispec.AnnotationRefName: fmt.Sprintf("docker.io/library/image:%d\n\"<\x00>\"", i)},
			}
			if !yield(d, nil) {
				return
			}
		}
	}
}

func TestWriteIndexListsTheDescriptorsInOrder(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for _, count := range []int{1, 5000, 0} {
		if err := s.WriteIndex(t.Context(), descriptors(count)); err != nil {
			t.Fatal(err)
		}
		index := wantLayout(t, dir)
		if len(index.Manifests) != count {
			t.Fatalf("%d manifests, want %d", len(index.Manifests), count)
		}
		i := 0
		for want := range descriptors(count) {
			got := index.Manifests[i]
			if got.Digest != want.Digest || got.Size != want.Size || got.MediaType != want.MediaType ||
				got.Annotations[ocispec.AnnotationRefName] != want.Annotations[ocispec.AnnotationRefName] {
				t.Fatalf("manifest %d = %+v, want %+v", i, got, want)
			}
			i++
		}
	}
}

func TestWriteIndexKeepsTheOldOneWhenItFails(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := s.WriteIndex(t.Context(), descriptors(2)); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := s.WriteIndex(t.Context(), func(yield func(image.Descriptor, error) bool) {
		for d := range descriptors(3000) {
			if !yield(d, nil) {
				return
			}
		}
		yield(image.Descriptor{}, broken)
	})
	if !errors.Is(err, broken) {
		t.Fatalf("WriteIndex = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.WriteIndex(ctx, descriptors(1)); !errors.Is(err, context.Canceled) {
		t.Fatalf("WriteIndex with an ended context = %v", err)
	}
	digest := image.DigestOf(nil)
	for _, bad := range []image.Descriptor{
		{MediaType: "a/b", Digest: "sha256:short", Size: 1},
		{MediaType: "a/b", Digest: digest, Size: -1},
		{Digest: digest, Size: 1},
	} {
		err := s.WriteIndex(t.Context(), func(yield func(image.Descriptor, error) bool) { yield(bad, nil) })
		wantKind(t, err, image.Invalid)
	}
	if index := wantLayout(t, dir); len(index.Manifests) != 2 {
		t.Fatalf("%d manifests, want the old 2", len(index.Manifests))
	}
	if _, err := os.Lstat(filepath.Join(dir, "index.json.tmp")); !os.IsNotExist(err) {
		t.Fatalf("a failed attempt left its file: %v", err)
	}
}

func TestReadersSeeAWholeIndexWhileItIsReplaced(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	const small, large = 10, 2000
	if err := s.WriteIndex(t.Context(), descriptors(small)); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 20 {
			count := small
			if i%2 == 0 {
				count = large
			}
			if err := s.WriteIndex(context.Background(), descriptors(count)); err != nil {
				t.Error(err)
			}
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false // and one more look
		default:
		}
		raw, err := os.ReadFile(filepath.Join(dir, "index.json"))
		if err != nil {
			t.Fatal(err)
		}
		var index ocispec.Index
		if err := json.Unmarshal(raw, &index); err != nil {
			t.Fatal(err)
		}
		if n := len(index.Manifests); n != small && n != large {
			t.Fatalf("a reader saw %d manifests", n)
		}
	}
}
