package pages

import (
	"context"
	"sync"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
)

// Samples is the sample registry, built once for all tests.
var Samples = sync.OnceValues(func() (*fake.Registry, error) { return fake.NewRegistry(context.Background()) })

// DigestOf returns what a tag of the sample registry points at.
func DigestOf(t *testing.T, repository, tag string) string {
	t.Helper()
	reg, err := Samples()
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range reg.Tags() {
		if at.Repository == repository && at.Tag == tag {
			return at.Descriptor.Digest.String()
		}
	}
	t.Fatalf("the sample registry has no %s:%s", repository, tag)
	return ""
}

// Built builds a sample as the registry has it.
func Built(t *testing.T, repository, tag string) sample.Built {
	t.Helper()
	source, ok := sample.Lookup(sample.Library(), repository, tag)
	if !ok {
		t.Fatalf("no sample %s:%s", repository, tag)
	}
	b, err := source.Build()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// PlatformOf returns one platform's image of an index.
func PlatformOf(t *testing.T, b sample.Built, platform string) sample.Built {
	t.Helper()
	img, ok := b.For(platform)
	if !ok {
		t.Fatalf("no %s", platform)
	}
	return img
}

// Union returns the bytes of the layers of images, each blob once.
func Union(images ...sample.Built) int64 {
	sizes := map[image.Digest]int64{}
	for _, img := range images {
		for _, l := range img.Layers() {
			sizes[l.Descriptor.Digest] = l.Descriptor.Size
		}
	}
	var n int64
	for _, size := range sizes {
		n += size
	}
	return n
}

var Amd64 = v1.Platform{OS: "linux", Architecture: "amd64"}
