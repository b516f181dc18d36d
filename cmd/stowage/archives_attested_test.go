package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/outbound"
)

func TestAnIndexWithAttestationsGoesFromShelfToShelfUnchanged(t *testing.T) {
	t.Parallel()
	for name, artifacts := range map[string]bool{"with configs": false, "as artifacts": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := sampleUpstream(t)
			from := startStowage(t, listRegistries(t, registry.Entry{Host: "ghcr.io", Address: u.host, TLS: outbound.TLSOff}))
			source := twoPlatforms(false)
			source.Attest, source.Artifacts = true, artifacts
			index := u.holds(t, "team/attested", source, "1")
			from.awaitState(from.pull("ghcr.io/team/attested:1", "linux/amd64", "linux/arm64"), "done")

			const address = "/images/ghcr.io/team/attested:1/archive"
			archive := from.page(address)
			to := startStowage(t)
			status, text, _ := to.put("/archives", strings.NewReader(archive.body), nil)
			if archive.status != http.StatusOK || status != http.StatusCreated || !strings.HasPrefix(text, "Loaded image: ghcr.io/team/attested:1\nhttp") {
				t.Fatalf("%d, then %d %q", archive.status, status, text)
			}
			same := func(path string) {
				t.Helper()
				a, b := from.page(path), to.page(path)
				if a.status != http.StatusOK || b.status != a.status || b.body != a.body {
					t.Errorf("%s: %d with %d bytes, and %d with %d", path, a.status, len(a.body), b.status, len(b.body))
				}
				for _, h := range []string{"Content-Type", "Docker-Content-Digest", "Content-Length", "ETag"} {
					if a.header.Get(h) != b.header.Get(h) {
						t.Errorf("%s: %s is %q and %q", path, h, a.header.Get(h), b.header.Get(h))
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
