package sample_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/sample"
)

func TestAttestationsAreWrittenAsBuildKitWritesThem(t *testing.T) {
	b := at(t, "library/debian", "12")
	var ix v1.Index
	if err := json.Unmarshal(b.Body, &ix); err != nil {
		t.Fatal(err)
	}
	var images, attested []digest.Digest
	for i, d := range ix.Manifests {
		if d.Digest != b.Children[i].Digest() || d.Size != int64(len(b.Children[i].Body)) {
			t.Errorf("entry %d does not describe what it points at", i)
		}
		if d.Platform.OS != "unknown" {
			images = append(images, d.Digest)
			if len(attested) > 0 {
				t.Error("an image comes after an attestation")
			}
			continue
		}
		if d.Platform.Architecture != "unknown" || d.Annotations["vnd.docker.reference.type"] != "attestation-manifest" || d.MediaType != v1.MediaTypeImageManifest {
			t.Errorf("entry %d is %+v", i, d)
		}
		attested = append(attested, digest.Digest(d.Annotations["vnd.docker.reference.digest"]))
		checkAttestation(t, b.Children[i], attested[len(attested)-1])
	}
	if len(images) != 5 || !slices.Equal(images, attested) {
		t.Errorf("images are %v, attested are %v", images, attested)
	}
}

func checkAttestation(t *testing.T, a sample.Built, of digest.Digest) {
	t.Helper()
	var man v1.Manifest
	if err := json.Unmarshal(a.Body, &man); err != nil {
		t.Fatal(err)
	}
	var conf v1.Image
	if err := json.Unmarshal(a.Blobs[0].Data, &conf); err != nil {
		t.Fatal(err)
	}
	if conf.Architecture != "unknown" || conf.OS != "unknown" || len(conf.RootFS.DiffIDs) != len(man.Layers) {
		t.Errorf("config is %s", a.Blobs[0].Data)
	}
	kinds := []string{}
	for i, l := range man.Layers {
		kinds = append(kinds, l.Annotations["in-toto.io/predicate-type"])
		var s struct {
			PredicateType string
			Subject       []struct{ Digest map[string]string }
		}
		if err := json.Unmarshal(a.Layers()[i].Data, &s); err != nil {
			t.Fatal(err)
		}
		if l.MediaType != "application/vnd.in-toto+json" || s.PredicateType != kinds[i] || s.Subject[0].Digest["sha256"] != of.Encoded() || conf.RootFS.DiffIDs[i] != l.Digest {
			t.Errorf("layer %d is %+v: %s", i, l, a.Layers()[i].Data)
		}
	}
	if want := []string{"https://spdx.dev/Document", "https://slsa.dev/provenance/v0.2"}; !slices.Equal(kinds, want) {
		t.Errorf("predicates are %v", kinds)
	}
}

func TestAttestationsAreArtifactsInTheNewerForm(t *testing.T) {
	b := at(t, "acme/api", "v2.13.2")
	attested := 0
	for _, a := range b.Children {
		if a.Descriptor.Annotations["vnd.docker.reference.type"] != "attestation-manifest" {
			continue
		}
		attested++
		var man v1.Manifest
		if err := json.Unmarshal(a.Body, &man); err != nil {
			t.Fatal(err)
		}
		of := digest.Digest(a.Descriptor.Annotations["vnd.docker.reference.digest"])
		if man.ArtifactType != "application/vnd.docker.attestation.manifest.v1+json" || man.Config.MediaType != v1.MediaTypeEmptyJSON || string(a.Blobs[0].Data) != "{}" ||
			man.Subject == nil || man.Subject.Digest != of || man.Subject.Platform != nil || len(man.Layers) != 2 || a.Descriptor.Platform.OS != "unknown" {
			t.Errorf("%s", a.Body)
		}
	}
	if attested != len(b.Children)/2 || attested == 0 {
		t.Errorf("%d attestations of %d entries", attested, len(b.Children))
	}
}

func TestAllVisitsChildrenBeforeTheirIndexAndStopsWhenAsked(t *testing.T) {
	b := build(t, sample.NestedIndex())
	at := map[digest.Digest]int{}
	n := 0
	for m := range b.All() {
		for _, c := range m.Children {
			if _, seen := at[c.Digest()]; !seen {
				t.Errorf("%s came before its child %s", m.Digest(), c.Digest())
			}
		}
		at[m.Digest()] = n
		n++
	}
	if n != 5 {
		t.Errorf("visited %d, wanted 5", n)
	}
	n = 0
	for range b.All() {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("visited %d after asking to stop at 2", n)
	}
}

func TestEmptyIndexListsNothingAsAnArray(t *testing.T) {
	var body struct{ Manifests *[]v1.Descriptor }
	if err := json.Unmarshal(build(t, sample.Index{}).Body, &body); err != nil || body.Manifests == nil || len(*body.Manifests) != 0 {
		t.Errorf("manifests are %v: %v", body.Manifests, err)
	}
}
