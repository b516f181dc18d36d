package imagepage_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/pages"
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
		s := pages.NewWith(t, "team/app", map[string]sample.Source{"1": attested(artifacts)})
		b, err := attested(artifacts).Build()
		if err != nil {
			t.Fatal(err)
		}
		s.Pull("team/app:1", "linux/amd64")
		at := address.Of(image.Reference{Repository: "docker.io/team/app", Tag: "1"}).String()
		about := b.Children[2]
		page := at + "/manifest?document=" + string(about.Digest())
		s.Get(at).Is(t, http.StatusOK, "Attestations: SBOM, provenance", `href="`+page+`"`)
		s.Get(at+"?platform=linux/arm64").Is(t, http.StatusNotFound, "2 attestations")
		byID := s.Get(address.OfID(s.Target("team/app:1").Images[0].ID).String())
		byID.Is(t, http.StatusOK, "Attestations: SBOM, provenance")

		shown := s.Get(page)
		shown.Is(t, http.StatusOK, string(about.Digest()), "in-toto+json", string(about.Layers()[0].Descriptor.Digest), `href="`+at+`/manifest?raw=1&amp;document=`+string(about.Digest())+`"`,
			`href="`+at+`/manifest?document=index"`, `href="`+at+`/manifest?document=manifest"`)
		// Of the two that the index lists one is stored.
		if stored := strings.Count(shown.Body, `href="`+page+`" hx-get`); stored < 2 || !strings.Contains(shown.Body, "not stored") {
			t.Errorf("%d links to the stored attestation: %s", stored, shown.Body)
		}
		raw := s.Get(page + "&raw=1")
		raw.Is(t, http.StatusOK)
		if raw.Body != string(about.Body) || digest.FromString(raw.Body) != about.Digest() || raw.Header.Get("Content-Type") != about.Descriptor.MediaType || raw.Header.Get("Docker-Content-Digest") != string(about.Digest()) {
			t.Errorf("other bytes than those of %s: %v", about.Digest(), raw.Header)
		}
		// What describes arm64 is not stored, and an image is no attestation.
		for _, other := range []digest.Digest{b.Children[3].Digest(), b.Children[0].Digest()} {
			s.Get(at+"/manifest?document="+string(other)).Is(t, http.StatusBadRequest, "The documents are index and manifest.")
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
	s := pages.NewInFront(t, reg, faulty)
	s.Pull("team/app:1", "linux/amd64")
	job, err := s.Store.Jobs.Job(t.Context(), 1)
	if err != nil || !strings.Contains(strings.Join(job.Outcome.Lines, "\n"), "linux/amd64: attestation "+about+" passed over: ") {
		t.Errorf("%q, %v", job.Outcome.Lines, err)
	}
	at := address.Of(image.Reference{Repository: "docker.io/team/app", Tag: "1"}).String()
	s.Get(at).Is(t, http.StatusOK, "Attestation not stored", `href="`+at+`/manifest#entries"`)
	remove()
	s.Pull("team/app:1", "linux/amd64")
	s.Get(at).Is(t, http.StatusOK, "Attestations: SBOM, provenance")
}
