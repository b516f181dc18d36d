package distribution

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/shelf"
)

// upload records a single image under a name as an archive brings it.
func (s *testShelf) upload(reference string, source sample.Image) sample.Built {
	s.t.Helper()
	b := s.pull("quay.io/brought/along:1", source) // for the files
	ref, err := image.ParseReference(reference)
	if err != nil {
		s.t.Fatal(err)
	}
	doc, err := s.store.Images.KeptDocument(s.t.Context(), b.Digest())
	if err != nil {
		s.t.Fatal(err)
	}
	config, err := image.ParseConfig(b.Blobs[0].Data, doc.Manifest)
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = s.store.Recorder.Record(s.t.Context(), shelf.Pulled{
		Reference: ref, Target: doc, Images: []shelf.PulledImage{{Document: doc, Config: config, Platform: config.Platform()}}, By: image.ActorNamed("mallory"), Uploaded: true,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

func TestAnUploadNeverAnswersForAMirroredRegistry(t *testing.T) {
	s := newShelf(t, hub)
	theirs := s.upload("ubuntu:22.04", made("amd64", "mallory"))
	s.faulty.On(fake.Any, fake.Status(http.StatusServiceUnavailable, "UNAVAILABLE", "closed for today"))
	for _, name := range []string{"library/ubuntu", "ubuntu", "docker.io/library/ubuntu"} {
		if r := s.get(name + "/manifests/22.04"); r.status == http.StatusOK || bytes.Equal(r.body, theirs.Body) {
			t.Errorf("%s: while the registry is down the upload is served: %d %s", name, r.status, r.body)
		}
		if r := s.get(name + "/tags/list"); strings.Contains(string(r.body), "22.04") {
			t.Errorf("%s: the upload is listed: %s", name, r.body)
		}
	}
}

func TestTheRegistrysOwnTagTakesTheUploadsPlace(t *testing.T) {
	s := newShelf(t, hub)
	theirs := s.upload("ubuntu:22.04", made("amd64", "mallory"))
	ref, real := s.push("ubuntu:22.04", made("amd64", "ubuntu"))
	s.get("library/ubuntu/manifests/22.04").is(http.StatusOK, real.Body)
	for _, blob := range real.Blobs {
		s.get("library/ubuntu/blobs/"+blob.Descriptor.Digest.String()).is(http.StatusOK, blob.Data)
	}
	s.pulls()
	if uploaded, err := s.store.Serving.Uploaded(t.Context(), ref); uploaded || err != nil {
		t.Errorf("still uploaded: %v, %v", uploaded, err)
	}
	events, err := s.store.Tags.TagHistory(t.Context(), ref.Repository, ref.Tag)
	if err != nil || len(events) != 2 || events[0].Event != "moved" || events[0].Old != theirs.Digest() || events[0].New != real.Digest() {
		t.Errorf("history: %+v, %v", events, err)
	}
	s.get("library/ubuntu/tags/list").is(http.StatusOK, []byte(`{"name":"library/ubuntu","tags":["22.04"]}`))
}

func TestAnUploadOfTheRegistrysVeryImageBecomesItsOwn(t *testing.T) {
	s := newShelf(t, hub)
	source := made("amd64", "ubuntu")
	s.upload("ubuntu:22.04", source)
	ref, real := s.push("ubuntu:22.04", source)
	s.get("library/ubuntu/manifests/22.04").is(http.StatusOK, real.Body)
	s.pulls()
	if uploaded, err := s.store.Serving.Uploaded(t.Context(), ref); uploaded || err != nil {
		t.Errorf("still uploaded: %v, %v", uploaded, err)
	}
}

func TestWhoNamesARegistryGetsNoUploadOfItsName(t *testing.T) {
	s := newShelf(t) // mirrors nothing
	theirs := s.upload("ubuntu:22.04", made("amd64", "mallory"))
	r := s.get("library/ubuntu/manifests/22.04?ns=docker.io")
	if r.status != http.StatusNotFound || !strings.Contains(string(r.body), "was uploaded: it does not come from docker.io") {
		t.Errorf("%d %s", r.status, r.body)
	}
	s.get("library/ubuntu/tags/list?ns=docker.io").is(http.StatusOK, []byte(`{"name":"library/ubuntu","tags":[]}`))
	// Who asks this server for it has it, and who asks for the very bytes too.
	s.get("library/ubuntu/manifests/22.04").is(http.StatusOK, theirs.Body)
	s.get("library/ubuntu/manifests/"+theirs.Digest().String()+"?ns=docker.io").is(http.StatusOK, theirs.Body)
}

func TestWhatIsStoredAloneAsksNoRegistry(t *testing.T) {
	s := newShelf(t, hub)
	stored := s.pull("debian:12", made("amd64", "debian"))
	s.push("ubuntu:22.04", made("amd64", "ubuntu"))
	before := len(s.faulty.Requests())
	api := New(Options{Serving: s.store.Serving, Blobs: s.store.Blobs, Images: s.store.Images, Downloads: s.store.Downloads, Mirror: s.mirror, Logger: s.logger()}).Stored()
	s.server.Config.Handler = api
	s.get("library/debian/manifests/12").is(http.StatusOK, stored.Body)
	r := s.get("library/ubuntu/manifests/22.04")
	if r.status != http.StatusNotFound || !strings.Contains(string(r.body), "for browsers and pages of other sites nothing is fetched") {
		t.Errorf("%d %s", r.status, r.body)
	}
	s.get("library/ubuntu/blobs/"+stored.Digest().String()).is(http.StatusNotFound, nil)
	if n := len(s.faulty.Requests()); n != before {
		t.Errorf("%d requests to the registry", n-before)
	}
	if jobs := s.pulls(); len(jobs) != 1 {
		t.Errorf("pulls: %+v", jobs)
	}
}
