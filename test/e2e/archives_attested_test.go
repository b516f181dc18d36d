package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/test/shelf"
)

func TestAnIndexWithAttestationsGoesFromShelfToShelfUnchanged(t *testing.T) {
	t.Parallel()
	for name, artifacts := range map[string]bool{"with configs": false, "as artifacts": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := shelf.SampleUpstream(t)
			from := shelf.Start(t, shelf.ListRegistries(t,
				registry.Entry{Host: "ghcr.io", Address: u.Host, TLS: outbound.TLSOff}))
			source := twoPlatforms(false)
			source.Attest, source.Artifacts = true, artifacts
			index := u.Holds(t, "team/attested", source, "1")
			from.AwaitState(from.Pull("ghcr.io/team/attested:1", "linux/amd64", "linux/arm64"), "done")

			const address = "/images/ghcr.io/team/attested:1/archive"
			archive := from.Page(address)
			to := shelf.Start(t)
			status, text, _ := to.Put("/archives", strings.NewReader(archive.Body), nil)
			if archive.Status != http.StatusOK || status != http.StatusCreated ||
				!strings.HasPrefix(text, "Loaded image: ghcr.io/team/attested:1\nhttp") {
				t.Fatalf("%d, then %d %q", archive.Status, status, text)
			}
			same := func(path string) {
				t.Helper()
				a, b := from.Page(path), to.Page(path)
				if a.Status != http.StatusOK || b.Status != a.Status || b.Body != a.Body {
					t.Errorf("%s: %d with %d bytes, and %d with %d", path, a.Status, len(a.Body), b.Status, len(b.Body))
				}
				for _, h := range []string{"Content-Type", "Docker-Content-Digest", "Content-Length", "ETag"} {
					if a.Header.Get(h) != b.Header.Get(h) {
						t.Errorf("%s: %s is %q and %q", path, h, a.Header.Get(h), b.Header.Get(h))
					}
				}
			}
			const repo = "/v2/ghcr.io/team/attested/"
			same(repo + "manifests/1")
			same(repo + "tags/list")
			manifests := 0
			for m := range index.All() {
				manifests++
				same(repo + "manifests/" + string(m.Digest()))
				same(repo + "referrers/" + string(m.Digest()))
				for _, blob := range m.Blobs {
					same(repo + "blobs/" + string(blob.Descriptor.Digest))
				}
			}
			if manifests != 5 {
				t.Errorf("%d manifests", manifests)
			}
			same(address)
			same(address + "?format=oci")
		})
	}
}
