package e2e

import (
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/test/shelf"
)

// filled is a server on whose shelf is one repository, and what its upstream holds.
type filled struct {
	*shelf.Server
	name string                  // the repository, as clients name it under the server
	tags map[string]sample.Built // what was pulled, whole
}

// The tags of a filled shelf.
const (
	indexTag  = "index"  // an OCI index of amd64 and arm64
	listTag   = "list"   // the same as a docker manifest list
	signedTag = "signed" // a manifest whose subject is the index
)

// fillShelf starts a server and pulls a repository's images, all of their platforms, onto its shelf.
func fillShelf(t *testing.T) filled {
	t.Helper()
	u := shelf.SampleUpstream(t)
	listed := shelf.ListRegistries(t, registry.Entry{Host: "ghcr.io", Address: u.Host, TLS: outbound.TLSOff})
	f := filled{Server: shelf.Start(t, listed), name: "ghcr.io/team/app", tags: map[string]sample.Built{}}
	f.tags[indexTag] = u.Holds(t, "team/app", twoPlatforms(false), indexTag)
	f.tags[listTag] = u.Holds(t, "team/app", twoPlatforms(true), listTag)
	index := f.tags[indexTag].Descriptor
	signed := onePlatform("amd64", false)
	signed.Subject = &v1.Descriptor{MediaType: index.MediaType, Digest: index.Digest, Size: index.Size}
	f.tags[signedTag] = u.Holds(t, "team/app", signed, signedTag)
	for tag := range f.tags {
		f.AwaitState(f.Pull("ghcr.io/team/app:"+tag, "linux/amd64", "linux/arm64"), "done")
	}
	return f
}

func twoPlatforms(docker bool) sample.Index {
	return sample.Index{Docker: docker,
		Entries: []sample.Source{onePlatform("amd64", docker), onePlatform("arm64", docker)}}
}

func onePlatform(architecture string, docker bool) sample.Image {
	return sample.Image{
		Platform: v1.Platform{OS: "linux", Architecture: architecture}, Created: sample.Epoch, Docker: docker,
		Steps: []sample.Step{
			{By: "COPY base / # buildkit", Layer: sample.NewLayer(sample.Gzip, sample.Dir("etc"),
				sample.Text("etc/motd", architecture), sample.Data("etc/base", "base", 300_000))},
			{By: "COPY app / # buildkit", Layer: sample.NewLayer(sample.Gzip, sample.Dir("srv"),
				sample.Program("srv/app", architecture, 50_000))},
		},
	}
}
