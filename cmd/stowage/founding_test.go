package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/regclient/regclient"
	"github.com/regclient/regclient/types/descriptor"
	"github.com/regclient/regclient/types/manifest"
	"github.com/regclient/regclient/types/ref"

	"github.com/stowage/stowage/image"
)

// The exercise that the project began with: pull another architecture than the machine's, and pull by digest,
// with no container engine, and look at what came.

func TestPullingUbuntuForARM64ShowsItsArchitecture(t *testing.T) {
	t.Parallel()
	u := realUpstream(t)
	index := u.library(t, "library/ubuntu", "22.04")
	s := startStowage(t)
	s.awaitState(s.pull(u.ref("library/ubuntu:22.04"), "linux/arm64/v8"), "done")

	p := s.page(u.address("library/ubuntu:22.04") + "/inspect")
	p.says(http.StatusOK, `"Architecture": "arm64"`, `"Variant": "v8"`, `"Os": "linux"`, `"`+u.ref("library/ubuntu:22.04")+`"`)
	arm := platform(t, index, "linux/arm64/v8")
	p.says(http.StatusOK, arm.Blobs[0].Descriptor.Digest.String())
	// The other platforms are shown as missing: nothing of them was fetched.
	for _, name := range []string{"linux/amd64", "linux/arm/v7"} {
		for _, b := range platform(t, index, name).Blobs {
			if n := u.Served(b.Descriptor.Digest); n > 0 {
				t.Errorf("%d bytes of %s were fetched for %s, which nobody asked for", n, b.Descriptor.Digest, name)
			}
		}
		if p := s.page(u.address("library/ubuntu:22.04") + "?platform=" + name); p.status != http.StatusNotFound {
			t.Errorf("the page of the missing %s: %d %s", name, p.status, p.text())
		}
	}
}

func TestPullingByDigestIsListedWithoutATagAndShowsItsLayers(t *testing.T) {
	t.Parallel()
	u := realUpstream(t)
	index := u.library(t, "library/postgres", "15")
	s := startStowage(t)
	at := "library/postgres@" + index.Digest().String()
	s.awaitState(s.pull(u.ref(at)), "done")

	list := s.page("/images")
	list.says(http.StatusOK, "postgres:<none>", "by digest", "amd64")
	if strings.Contains(list.body, ">dangling</span>") {
		t.Errorf("what somebody asked for by digest is called dangling: %s", list.text())
	}
	if rows := s.shelf(); !slices.Contains(rows, u.address(at)) {
		t.Errorf("the list does not lead to %s but to %v", u.address(at), rows)
	}
	layers := s.page(u.address(at) + "/layers")
	layers.says(http.StatusOK, "13 layers", "25 steps in the history")
	own := platform(t, index, "linux/amd64").Layers()
	if links := layers.links("/layers/"); len(own) != 13 || len(links) != 13 {
		t.Errorf("%d layers, %d links to layers, want 13: %v", len(own), len(links), links)
	}
	for _, b := range own {
		layers.says(http.StatusOK, short(b))
	}
}

func TestAnotherToolReadsTheDataFolderWhileTheServerRunsAndAfterwards(t *testing.T) {
	t.Parallel()
	u := realUpstream(t)
	ubuntu, postgres := u.library(t, "library/ubuntu", "22.04"), u.library(t, "library/postgres", "15")
	s := startStowage(t)
	s.awaitState(s.pull(u.ref("library/ubuntu:22.04"), "linux/amd64", "linux/arm64"), "done")
	s.awaitState(s.pull(u.ref("library/postgres@"+postgres.Digest().String()), "linux/amd64"), "done")

	s.checkLayoutSoon(u.ref("library/ubuntu:22.04"), u.ref("library/postgres@"+postgres.Digest().String()))
	s.stop()
	names := checkLayout(t, s.data)
	if want := map[string]digest.Digest{
		u.ref("library/ubuntu:22.04"):                           ubuntu.Digest(),
		u.ref("library/postgres@" + postgres.Digest().String()): postgres.Digest(),
	}; len(names) != len(want) {
		t.Errorf("index.json names %v, want %v", names, want)
	} else {
		for name, d := range want {
			if names[name] != d {
				t.Errorf("index.json has %s at %s, want %s", name, names[name], d)
			}
		}
	}
}

// checkLayoutSoon checks the data folder of a running server, once index.json names everything: it is written soon
// after a pull, not in its way.
func (s *stowage) checkLayoutSoon(names ...string) {
	s.t.Helper()
	eventually(s.t, "index.json to name "+strings.Join(names, " and "), func() bool {
		listed := layoutNames(s.t, s.data)
		return !slices.ContainsFunc(names, func(n string) bool { return listed[n] == "" })
	})
	checkLayout(s.t, s.data)
}

// layoutNames reads index.json: what it names, and the digests.
func layoutNames(t *testing.T, data string) map[string]digest.Digest {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(data, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index v1.Index
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatalf("index.json: %v\n%s", err, raw)
	}
	names := map[string]digest.Digest{}
	for _, m := range index.Manifests {
		names[m.Annotations[v1.AnnotationRefName]] = m.Digest
	}
	return names
}

// checkLayout reads the data folder as an OCI image layout with regclient, as regctl does: every name in index.json,
// every manifest that is stored below it, and every byte of their blobs against its digest. It gives the names.
func checkLayout(t *testing.T, data string) map[string]digest.Digest {
	t.Helper()
	names := layoutNames(t, data)
	client := regclient.New()
	for name, d := range names {
		if images := checkManifest(t, client, data, d); images == 0 {
			t.Errorf("%s: no image of it is stored", name)
		}
	}
	return names
}

// checkManifest verifies what a digest leads to, and gives how many images are stored below it. An index may list
// images that are not stored.
func checkManifest(t *testing.T, client *regclient.RegClient, data string, d digest.Digest) (images int) {
	t.Helper()
	at, err := ref.New("ocidir://" + data + "@" + d.String())
	if err != nil {
		t.Fatal(err)
	}
	m, err := client.ManifestGet(t.Context(), at)
	if err != nil {
		t.Errorf("regclient reads manifest %s: %v", d, err)
		return 0
	}
	if index, ok := m.(manifest.Indexer); ok {
		entries, err := index.GetManifestList()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if _, err := os.Stat(filepath.Join(data, "blobs", "sha256", e.Digest.Encoded())); errors.Is(err, os.ErrNotExist) {
				continue
			}
			images += checkManifest(t, client, data, e.Digest)
		}
		return images
	}
	im, ok := m.(manifest.Imager)
	if !ok {
		t.Fatalf("%s is neither an index nor an image", d)
	}
	config, err := im.GetConfig()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := im.GetLayers()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range append([]descriptor.Descriptor{config}, layers...) {
		r, err := client.BlobGet(t.Context(), at, b)
		if err != nil {
			t.Errorf("regclient reads blob %s: %v", b.Digest, err)
			continue
		}
		sum := digest.SHA256.Digester()
		n, err := io.Copy(sum.Hash(), r)
		if err = errors.Join(err, r.Close()); err != nil || n != b.Size || sum.Digest() != b.Digest {
			t.Errorf("blob %s has %d bytes of digest %s, want %d: %v", b.Digest, n, image.ShortDigest(sum.Digest()), b.Size, err)
		}
	}
	return 1
}
