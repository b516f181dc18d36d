//go:build linux

package e2e

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/stowage/stowage/test/shelf"
)

// podman keeps images in a storage of its own, as an engine does, but needs none running. Elsewhere than on Linux it
// pulls inside a virtual machine, which does not see this loopback.
func TestPodmanPullsFromTheShelf(t *testing.T) {
	t.Parallel()
	binary, err := installed("podman")()
	if err != nil {
		t.Fatal(err)
	}
	f := fillShelf(t)
	store := t.TempDir()
	podman := func(args ...string) string {
		t.Helper()
		return runClient(t, binary, append([]string{
			"--root", filepath.Join(store, "root"), "--runroot", filepath.Join(store, "run"), "--storage-driver", "vfs",
			"--events-backend", "none", "--cgroup-manager", "cgroupfs",
		}, args...)...)
	}
	for _, tag := range []string{indexTag, listTag} {
		for _, architecture := range []string{"amd64", "arm64"} {
			for _, ref := range f.named(tag) {
				podman("pull", "--quiet", "--tls-verify=false", "--platform", "linux/"+architecture, ref)
				want := shelf.Platform(t, f.tags[tag], "linux/"+architecture)
				config := want.Blobs[0].Descriptor.Digest.Encoded()
				var images []struct {
					ID           string `json:"Id"`
					Architecture string
					RepoDigests  []string
					RootFS       struct{ Layers []digest.Digest }
				}
				if err := json.Unmarshal([]byte(podman("image", "inspect", config)), &images); err != nil || len(images) != 1 {
					t.Fatalf("%s for %s: %+v, %v", ref, architecture, images, err)
				}
				im := images[0]
				repository := f.Host() + "/" + f.name
				if im.ID != config || im.Architecture != architecture || !slices.Equal(im.RootFS.Layers, want.DiffIDs) ||
					!slices.Contains(im.RepoDigests, repository+"@"+string(f.tags[tag].Digest())) ||
					!slices.Contains(im.RepoDigests, repository+"@"+string(want.Digest())) {
					t.Errorf("%s for %s is %+v, want image ID %s, layers %v, digests %s and %s", ref, architecture, im, config,
						want.DiffIDs, f.tags[tag].Digest(), want.Digest())
				}
				podman("rmi", "--force", config) // the next pull begins with nothing
			}
		}
	}
}
