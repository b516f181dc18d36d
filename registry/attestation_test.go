package registry

import (
	"bytes"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
)

func TestAttestationGivesTheRegistrysOwnBytes(t *testing.T) {
	_, host := realRegistry(t, nil)
	for _, artifacts := range []bool{false, true} {
		im := sample.NoCreated()
		b, err := fake.Push(t.Context(), fake.URL("http://"+host), "team/app", sample.Index{Entries: []sample.Source{im}, Attest: true, Artifacts: artifacts}, "1")
		if err != nil {
			t.Fatal(err)
		}
		c := client(t, Options{})
		about := b.Children[1]
		a, err := c.Attestation(t.Context(), mustRef(t, host+"/team/app@"+string(about.Digest())))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Raw, about.Body) || a.Digest != about.Digest() || a.Config.Digest != about.Blobs[0].Descriptor.Digest || len(a.Statements) != 2 {
			t.Errorf("artifacts %v: %+v", artifacts, a)
		}
		if _, err := c.Attestation(t.Context(), mustRef(t, host+"/team/app@"+string(b.Children[0].Digest()))); image.KindOf(err) != image.NotImage {
			t.Errorf("an image: %v", err)
		}
		if _, err := c.Attestation(t.Context(), mustRef(t, host+"/team/app@"+string(image.DigestOf(nil)))); image.KindOf(err) != image.NotFound {
			t.Errorf("one that is not there: %v", err)
		}
	}
}
