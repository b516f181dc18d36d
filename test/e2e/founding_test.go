package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/stowage/stowage/test/shelf"
)

// The exercise that the project began with: pull another architecture than the machine's, and pull by digest,
// with no container engine, and look at what came.

func TestPullingUbuntuForARM64ShowsItsArchitecture(t *testing.T) {
	t.Parallel()
	u := shelf.RealUpstream(t)
	index := u.Library(t, "library/ubuntu", "22.04")
	s := shelf.Start(t)
	s.AwaitState(s.Pull(u.Ref("library/ubuntu:22.04"), "linux/arm64/v8"), "done")

	p := s.Page(u.Address("library/ubuntu:22.04") + "/inspect")
	p.Says(http.StatusOK, `"Architecture": "arm64"`, `"Variant": "v8"`, `"Os": "linux"`, `"`+u.Ref("library/ubuntu:22.04")+
		`"`)
	arm := shelf.Platform(t, index, "linux/arm64/v8")
	p.Says(http.StatusOK, arm.Blobs[0].Descriptor.Digest.String())
	// The other platforms are shown as missing: nothing of them was fetched.
	for _, name := range []string{"linux/amd64", "linux/arm/v7"} {
		for _, b := range shelf.Platform(t, index, name).Blobs {
			if n := u.Served(b.Descriptor.Digest); n > 0 {
				t.Errorf("%d bytes of %s were fetched for %s, which nobody asked for", n, b.Descriptor.Digest, name)
			}
		}
		if p := s.Page(u.Address("library/ubuntu:22.04") + "?platform=" + name); p.Status != http.StatusNotFound {
			t.Errorf("the page of the missing %s: %d %s", name, p.Status, p.Text())
		}
	}
}

func TestPullingByDigestIsListedWithoutATagAndShowsItsLayers(t *testing.T) {
	t.Parallel()
	u := shelf.RealUpstream(t)
	index := u.Library(t, "library/postgres", "15")
	s := shelf.Start(t)
	at := "library/postgres@" + index.Digest().String()
	s.AwaitState(s.Pull(u.Ref(at)), "done")

	list := s.Page("/images")
	list.Says(http.StatusOK, "postgres:<none>", "by digest", "amd64")
	if strings.Contains(list.Body, ">dangling</span>") {
		t.Errorf("what somebody asked for by digest is called dangling: %s", list.Text())
	}
	if rows := s.Images(); !slices.Contains(rows, u.Address(at)) {
		t.Errorf("the list does not lead to %s but to %v", u.Address(at), rows)
	}
	layers := s.Page(u.Address(at) + "/layers")
	layers.Says(http.StatusOK, "13 layers", "25 steps in the history")
	own := shelf.Platform(t, index, "linux/amd64").Layers()
	if links := layers.Links("/layers/"); len(own) != 13 || len(links) != 13 {
		t.Errorf("%d layers, %d links to layers, want 13: %v", len(own), len(links), links)
	}
	for _, b := range own {
		layers.Says(http.StatusOK, shelf.Short(b))
	}
}

func TestAnotherToolReadsTheDataFolderWhileTheServerRunsAndAfterwards(t *testing.T) {
	t.Parallel()
	u := shelf.RealUpstream(t)
	ubuntu, postgres := u.Library(t, "library/ubuntu", "22.04"), u.Library(t, "library/postgres", "15")
	s := shelf.Start(t)
	s.AwaitState(s.Pull(u.Ref("library/ubuntu:22.04"), "linux/amd64", "linux/arm64"), "done")
	s.AwaitState(s.Pull(u.Ref("library/postgres@"+postgres.Digest().String()), "linux/amd64"), "done")

	checkLayoutSoon(s, u.Ref("library/ubuntu:22.04"), u.Ref("library/postgres@"+postgres.Digest().String()))
	s.Stop()
	names := shelf.CheckLayout(t, s.Data)
	if want := map[string]digest.Digest{
		u.Ref("library/ubuntu:22.04"):                           ubuntu.Digest(),
		u.Ref("library/postgres@" + postgres.Digest().String()): postgres.Digest(),
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
func checkLayoutSoon(s *shelf.Server, names ...string) {
	s.T.Helper()
	shelf.Eventually(s.T, "index.json to name "+strings.Join(names, " and "), func() bool {
		listed := shelf.LayoutNames(s.T, s.Data)
		return !slices.ContainsFunc(names, func(n string) bool { return listed[n] == "" })
	})
	shelf.CheckLayout(s.T, s.Data)
}
