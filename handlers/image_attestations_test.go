package handlers

import (
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/views/address"
)

// attested is an index for two platforms with what describes them.
func attested(artifacts bool) sample.Index {
	im := func(architecture string) sample.Image {
		return sample.Image{
			Platform: v1.Platform{OS: "linux", Architecture: architecture}, Created: sample.Epoch,
			Steps: []sample.Step{{By: "COPY app", Layer: sample.NewLayer(sample.Gzip, sample.Text("app", architecture))}},
		}
	}
	return sample.Index{Entries: []sample.Source{im("amd64"), im("arm64")}, Attest: true, Artifacts: artifacts}
}

func TestTheImagePageSaysWhatIsStoredAboutThePlatform(t *testing.T) {
	for _, artifacts := range []bool{false, true} {
		s := newShelfWith(t, "team/app", map[string]sample.Source{"1": attested(artifacts)})
		b, err := attested(artifacts).Build()
		if err != nil {
			t.Fatal(err)
		}
		s.pull("team/app:1", "linux/amd64")
		at := address.Of(image.Reference{Repository: "docker.io/team/app", Tag: "1"}).String()
		about := b.Children[2]
		page := at + "/manifest?document=" + string(about.Digest())
		s.get(at).is(t, http.StatusOK, "Attestations: SBOM, provenance", `href="`+page+`"`)
		s.get(at+"?platform=linux/arm64").is(t, http.StatusNotFound, "2 attestations")
		byID := s.get(address.OfID(s.target("team/app:1").Images[0].ID).String())
		byID.is(t, http.StatusOK, "Attestations: SBOM, provenance")

		shown := s.get(page)
		shown.is(t, http.StatusOK, string(about.Digest()), "in-toto+json", string(about.Layers()[0].Descriptor.Digest), `href="`+at+`/manifest?raw=1&amp;document=`+string(about.Digest())+`"`,
			`href="`+at+`/manifest?document=index"`, `href="`+at+`/manifest?document=manifest"`)
		// Of the two that the index lists one is stored.
		if stored := strings.Count(shown.body, `href="`+page+`" hx-get`); stored < 2 || !strings.Contains(shown.body, "not stored") {
			t.Errorf("%d links to the stored attestation: %s", stored, shown.body)
		}
		raw := s.get(page + "&raw=1")
		raw.is(t, http.StatusOK)
		if raw.body != string(about.Body) || digest.FromString(raw.body) != about.Digest() || raw.header.Get("Content-Type") != about.Descriptor.MediaType || raw.header.Get("Docker-Content-Digest") != string(about.Digest()) {
			t.Errorf("other bytes than those of %s: %v", about.Digest(), raw.header)
		}
		// What describes arm64 is not stored, and an image is no attestation.
		for _, other := range []digest.Digest{b.Children[3].Digest(), b.Children[0].Digest()} {
			s.get(at+"/manifest?document="+string(other)).is(t, http.StatusBadRequest, "The documents are index and manifest.")
		}
	}
}

func TestTheImagePageSaysThatWhatDescribesTheImageIsNotStored(t *testing.T) {
	reg := fake.NewEmptyRegistry()
	b, err := attested(false).Build()
	if err != nil {
		t.Fatal(err)
	}
	if err := reg.Push(t.Context(), "team/app", b, "1"); err != nil {
		t.Fatal(err)
	}
	faulty := fake.NewFaulty(reg)
	about := string(b.Children[2].Digest())
	lacks := func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, about) }
	remove := faulty.On(lacks, fake.Status(http.StatusNotFound, "MANIFEST_UNKNOWN", "no such manifest"))
	s := newShelfInFront(t, reg, faulty)
	s.pull("team/app:1", "linux/amd64")
	job, err := s.store.Job(t.Context(), 1)
	if err != nil || !strings.Contains(strings.Join(job.Outcome.Lines, "\n"), "linux/amd64: attestation "+about+" passed over: ") {
		t.Errorf("%q, %v", job.Outcome.Lines, err)
	}
	at := address.Of(image.Reference{Repository: "docker.io/team/app", Tag: "1"}).String()
	s.get(at).is(t, http.StatusOK, "Attestation not stored", `href="`+at+`/manifest#entries"`)
	remove()
	s.pull("team/app:1", "linux/amd64")
	s.get(at).is(t, http.StatusOK, "Attestations: SBOM, provenance")
}
