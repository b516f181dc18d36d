package image

import (
	"fmt"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	aDigest    = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	bDigest    = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	layerJSON  = `{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"` + bDigest + `","size":7}`
	configJSON = `{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + aDigest + `","size":2}`
)

func TestDocumentsAreRecognised(t *testing.T) {
	index := `{"schemaVersion":2,"manifests":[]}`
	manifest := `{"schemaVersion":2,"config":` + configJSON + `,"layers":[` + layerJSON + `]}`
	typed := func(s, mediaType string) string { return `{"mediaType":"` + mediaType + `",` + s[1:] }
	for _, c := range []struct {
		name, contentType, raw string
		kind                   Kind // empty: it is read
		index                  bool
	}{
		{name: "an OCI index without mediaType", raw: index, index: true},
		{name: "a docker manifest list", raw: typed(index, MediaTypeDockerManifestList), index: true},
		{name: "an OCI manifest without mediaType", raw: manifest},
		{name: "a docker manifest by its header", contentType: MediaTypeDockerManifest + "; charset=utf-8", raw: manifest},
		{name: "a header that is no manifest type at all", contentType: "text/plain", raw: manifest},
		{name: "schema 1", raw: `{"schemaVersion":1,"fsLayers":[{}]}`, kind: NotImage},
		{name: "schema 1 by its keys", raw: `{"schemaVersion":2,"fsLayers":[{}]}`, kind: NotImage},
		{name: "an index and a manifest at once", raw: `{"schemaVersion":2,"manifests":[],"config":` + configJSON +
			`,"layers":[]}`, kind: Corrupt},
		{name: "an index that calls itself a manifest", raw: typed(index, ocispec.MediaTypeImageManifest), kind: Corrupt},
		{name: "a manifest that calls itself an index", raw: typed(manifest, ocispec.MediaTypeImageIndex), kind: Corrupt},
		{name: "a helm chart", raw: strings.Replace(manifest, "oci.image.config.v1", "cncf.helm.config.v1", 1),
			kind: NotImage},
		{name: "an image with an artifact type", raw: `{"artifactType":"application/x-thing",` + manifest[1:]},
		{name: "a docker image with an artifact type", raw: `{"artifactType":"application/x-thing",` +
			strings.Replace(manifest[1:], ocispec.MediaTypeImageConfig, MediaTypeDockerConfig, 1)},
		{name: "an image with a subject", raw: `{"subject":` + configJSON + `,` + manifest[1:]},
		{name: "an image with a config of JSON",
			raw: strings.Replace(manifest, ocispec.MediaTypeImageConfig, "application/json", 1)},
		{name: "an artifact with a config of JSON", raw: `{"artifactType":"application/x-thing",` +
			strings.Replace(manifest[1:], ocispec.MediaTypeImageConfig, "application/json", 1), kind: NotImage},
		{name: "an artifact", raw: `{"artifactType":"application/x-thing",` +
			strings.Replace(manifest[1:], ocispec.MediaTypeImageConfig, ocispec.MediaTypeEmptyJSON, 1), kind: NotImage},
		{name: "an artifact with a config of an image", raw: `{"artifactType":"application/x-thing",` +
			strings.Replace(manifest[1:], "vnd.oci.image.layer.v1.tar+gzip", "vnd.dev.cosign.simplesigning.v1+json", 1),
			kind: NotImage},
		{name: "a layer that is no layer",
			raw: strings.Replace(manifest, "vnd.oci.image.layer.v1.tar+gzip", "vnd.in-toto+json", 1), kind: NotImage},
		{name: "a wrong digest", raw: strings.Replace(manifest, bDigest, "sha256:../../etc/passwd", 1), kind: Corrupt},
		{name: "a negative size", raw: strings.Replace(manifest, `"size":7`, `"size":-7`, 1), kind: Corrupt},
		{name: "a web page", contentType: "text/html", raw: "<!doctype html><p>hello", kind: Unavailable},
		{name: "not JSON", raw: "hello", kind: Corrupt},
		{name: "an empty object", raw: "{}", kind: NotImage},
		{name: "more than 4 MiB", raw: strings.Repeat(" ", MaxManifestSize+1), kind: TooLarge},
		{name: "too many entries", raw: `{"manifests":[` +
			strings.TrimSuffix(strings.Repeat(layerJSON+",", MaxEntries+1), ",") + `]}`, kind: TooLarge},
		{name: "too many layers", raw: `{"config":` + configJSON + `,"layers":[` +
			strings.TrimSuffix(strings.Repeat(layerJSON+",", MaxLayers+1), ",") + `]}`, kind: TooLarge},
	} {
		doc, err := ParseDocument(c.contentType, []byte(c.raw))
		switch {
		case c.kind != "":
			if KindOf(err) != c.kind {
				t.Errorf("%s: %v is %s, want %s", c.name, err, KindOf(err), c.kind)
			}
		case err != nil:
			t.Errorf("%s: %v", c.name, err)
		case (doc.Index != nil) != c.index || (doc.Manifest != nil) == c.index:
			t.Errorf("%s: index %v, manifest %v", c.name, doc.Index != nil, doc.Manifest != nil)
		case doc.Digest != DigestOf([]byte(c.raw)):
			t.Errorf("%s: the digest is not that of the raw bytes", c.name)
		}
	}
}

func TestAttestationsAreKeptApartFromPlatforms(t *testing.T) {
	raw := fmt.Sprintf(`{"schemaVersion":2,"manifests":[
		{"mediaType":%[1]q,"digest":%[2]q,"size":1,"platform":{"os":"linux","architecture":"arm64","variant":"v8"}},
		{"mediaType":%[1]q,"digest":%[3]q,"size":1,"platform":{"os":"unknown","architecture":"unknown"},
			"annotations":{"vnd.docker.reference.type":"attestation-manifest","vnd.docker.reference.digest":%[2]q}},
		{"mediaType":%[1]q,"digest":%[3]q,"size":1,"platform":{"os":"unknown","architecture":"unknown"}},
		{"mediaType":%[4]q,"digest":%[3]q,"size":1},
		{"mediaType":%[1]q,"digest":%[3]q,"size":1}]}`, ocispec.MediaTypeImageManifest, aDigest, bDigest,
		ocispec.MediaTypeImageIndex)
	doc, err := ParseDocument("", []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	want := []EntryKind{EntryImage, EntryAttestation, EntryOther, EntryIndex, EntryImage}
	for i, e := range doc.Index.Entries {
		if e.Kind != want[i] {
			t.Errorf("entry %d is %s, want %s", i, e.Kind, want[i])
		}
	}
	if p := doc.Index.Entries[0].Platform.String(); p != "linux/arm64" {
		t.Errorf("platform %s", p)
	}
	if a := doc.Index.Entries[1]; a.Describes != aDigest || a.Platform.Known() {
		t.Errorf("attestation of %s for %v", a.Describes, a.Platform)
	}
}

// Only a manifest tells an image with an artifact type from an artifact, so an entry of an index that has a platform
// counts; unless it is there beside the image of that platform.
func TestAnEntryWithAnArtifactTypeIsAnImageWhereItsPlatformHasNoOther(t *testing.T) {
	entry := func(arch, artifact string) string {
		return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":1,"artifactType":%q,"platform":{"os":"linux","architecture":%q}}`, ocispec.MediaTypeImageManifest, aDigest, artifact, arch)
	}
	raw := `{"manifests":[` + strings.Join([]string{
		entry("amd64", "application/x-sbom"), entry("amd64", ""), entry("arm64", "application/x-app"),
		entry("s390x", ocispec.MediaTypeImageConfig),
		fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":1,"artifactType":"application/x-sbom"}`,
			ocispec.MediaTypeImageManifest, bDigest),
	}, ",") + `]}`
	doc, err := ParseDocument("", []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []EntryKind{EntryOther, EntryImage, EntryImage, EntryImage, EntryOther} {
		if got := doc.Index.Entries[i].Kind; got != want {
			t.Errorf("entry %d is %s, want %s", i, got, want)
		}
	}
}

func TestAConfigMustHaveADiffIDForEachLayer(t *testing.T) {
	m := &Manifest{Layers: make([]Descriptor, 2)}
	for name, c := range map[string]struct {
		raw  string
		kind Kind
	}{
		"two for two":   {`{"rootfs":{"diff_ids":["` + aDigest + `","` + bDigest + `"]}}`, ""},
		"one for two":   {`{"rootfs":{"diff_ids":["` + aDigest + `"]}}`, Corrupt},
		"not a digest":  {`{"rootfs":{"diff_ids":["` + aDigest + `","sha256:x"]}}`, Corrupt},
		"not a config":  {`[]`, Corrupt},
		"far too large": {strings.Repeat(" ", MaxConfigSize+1), TooLarge},
	} {
		if _, err := ParseConfig([]byte(c.raw), m); err == nil && c.kind != "" || err != nil && KindOf(err) != c.kind {
			t.Errorf("%s: %v, want kind %q", name, err, c.kind)
		}
	}
}

func TestHistoryIsJoinedToLayersAsDockerDoes(t *testing.T) {
	c := Config{History: []ocispec.History{{CreatedBy: "ADD"}, {CreatedBy: "ENV", EmptyLayer: true}, {CreatedBy: "RUN"}}}
	c.RootFS.DiffIDs = []Digest{aDigest, bDigest, aDigest}
	got := ""
	for _, s := range c.Steps() {
		got += fmt.Sprintf("%s→%d ", s.CreatedBy, s.Layer)
	}
	if want := "ADD→0 ENV→-1 RUN→1 →2 "; got != want {
		t.Errorf("steps %q, want %q", got, want)
	}
	c.RootFS.DiffIDs = c.RootFS.DiffIDs[:1] // a history that is longer than the layers
	if steps := c.Steps(); len(steps) != 3 || steps[2].Layer != -1 {
		t.Errorf("surplus steps: %+v", steps)
	}
}

func TestErrorsKeepTheirKindWhenWrapped(t *testing.T) {
	err := fmt.Errorf("at %s: %w", time.Kitchen, Errorf(NotFound, "no %s", "thing").Suggest("look %s", "elsewhere"))
	if KindOf(err) != NotFound || KindOf(fmt.Errorf("plain")) != Internal {
		t.Errorf("kind %s", KindOf(err))
	}
}

func TestAnEntryThatCannotBeUsedIsRefusedAlone(t *testing.T) {
	good := `{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:` + strings.Repeat("ab", 32) +
		`","size":7,"platform":{"os":"linux","architecture":"amd64"}}`
	sha512 := "sha512:" + strings.Repeat("ab", 64)
	for entry, digest := range map[string]string{
		strings.Replace(good, "sha256:"+strings.Repeat("ab", 32), sha512, 1):                             sha512,
		strings.Replace(good, "sha256:"+strings.Repeat("ab", 32), "blake3:"+strings.Repeat("ab", 32), 1): "",
		strings.Replace(good, "sha256:"+strings.Repeat("ab", 32), "sha256:../../../../etc/passwd", 1):    "",
		strings.Replace(good, `"size":7`, `"size":-7`, 1): "sha256:" +
			strings.Repeat("ab", 32),
		strings.Replace(good, `"size":7`, `"size":99999999999`, 1): "sha256:" +
			strings.Repeat("ab", 32),
		strings.Replace(good, `"size":7`, `"size":"7"`, 1): "sha256:" +
			strings.Repeat("ab", 32),
		strings.Replace(good, `{"os":"linux","architecture":"amd64"}`, `{"os":["linux"]}`, 1): "sha256:" +
			strings.Repeat("ab", 32),
		`7`: "", `null`: "", `[]`: "", `{}`: "", `"sha256"`: "",
	} {
		doc, err := ParseDocument("", []byte(`{"schemaVersion":2,"manifests":[`+entry+`,`+good+`]}`))
		if err != nil {
			t.Errorf("%s: %v", entry, err)
			continue
		}
		bad, other := doc.Index.Entries[0], doc.Index.Entries[1]
		if bad.Kind != EntryOther || bad.Problem == nil || string(bad.Digest) != digest || bad.Size < 0 ||
			bad.Size > MaxManifestSize {
			t.Errorf("%s is read as %+v", entry, bad)
		}
		if other.Kind != EntryImage || other.Problem != nil {
			t.Errorf("beside %s the other entry is %+v", entry, other)
		}
	}
}

func TestAnEncryptedLayerIsNamedAsThat(t *testing.T) {
	hex := strings.Repeat("ab", 32)
	raw := []byte(`{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:` +
		hex + `","size":2},
		"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip+encrypted","digest":"sha256:` + hex +
		`","size":2}]}`)
	_, err := ParseDocument("", raw)
	if KindOf(err) != NotImage || !strings.Contains(err.Error(), "layer 1 is encrypted") {
		t.Errorf("%v", err)
	}
	if _, err := ParseStoredDocument("", raw); err != nil {
		t.Errorf("what is stored: %v", err)
	}
}
