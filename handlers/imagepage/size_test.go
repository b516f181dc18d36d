package imagepage_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/test/pages"
)

// bring pulls an image and does not wait until it is unpacked.
func bring(s *pages.Shelf, reference string) {
	s.T.Helper()
	ref, err := image.ParseReference(reference)
	if err != nil {
		s.T.Fatal(err)
	}
	job, _, err := s.Queue.Pull(s.T.Context(), pull.Request{Reference: ref})
	if err != nil {
		s.T.Fatal(err)
	}
	states, cancel := s.Jobs.Subscribe(job.ID)
	defer cancel()
	for range states { //nolint:revive // until it is over
	}
}

// A script that inspects right after a pull gets the size, not a word for nothing.
func TestTheSizeOfWhatWasJustPulledIsWaitedFor(t *testing.T) {
	for _, format := range []string{"{{.Size}}", "{{.Id}} {{.Size}}", `{{printf "%d" .Size}}`} {
		s := pages.New(t)
		bring(s, "postgres:15")
		page := s.Get("/images/docker.io/library/postgres:15/inspect?format="+url.QueryEscape(format), "Accept", "text/plain")
		if page.Status != http.StatusOK || strings.Contains(page.Body, "nil") || strings.Contains(page.Body, "no value") || len(strings.TrimSpace(page.Body)) < 3 {
			t.Errorf("%s: %d %q", format, page.Status, page.Body)
		}
	}
	s := pages.New(t)
	bring(s, "postgres:15")
	if page := s.Get("/images/docker.io/library/postgres:15/inspect", "Accept", "application/json"); strings.Contains(page.Body, `"Size": null`) {
		t.Error("the JSON has no size")
	}
}

func TestTheSizeOfABrokenImageIsSaidNotToBeKnown(t *testing.T) {
	s := pages.NewWith(t, "test/bad", map[string]sample.Source{"1": sample.NotTar()})
	bring(s, "test/bad:1")
	page := s.Get("/images/docker.io/test/bad:1/inspect?format="+url.QueryEscape("{{.Size}}"), "Accept", "text/plain")
	page.Is(t, http.StatusConflict, "the unpacked size of the image is not known: ", "cannot be unpacked")
	s.Get("/images/docker.io/test/bad:1/inspect?format="+url.QueryEscape("{{.Os}}"), "Accept", "text/plain").Is(t, http.StatusOK, "linux")
}

// A page names a few hundred references of an image at most; docker's JSON has them all, in docker's order.
func TestInspectHasEveryTag(t *testing.T) {
	one := sample.Image{Platform: pages.Amd64, Steps: []sample.Step{{By: "COPY", Layer: sample.NewLayer(sample.Gzip, sample.Text("one", "1"))}}}
	tags := map[string]sample.Source{}
	for i := range 250 {
		tags["t"+strconv.Itoa(i)] = one
	}
	s := pages.NewWith(t, "test/many", tags)
	for tag := range tags {
		bring(s, "test/many:"+tag)
	}
	const names = "/images/docker.io/test/many:t1/inspect?format="
	page := s.Get(names+url.QueryEscape("{{len .RepoTags}}"), "Accept", "text/plain")
	page.Is(t, http.StatusOK, "250\n")
	got := strings.Split(strings.TrimSpace(s.Get(names+url.QueryEscape(`{{join .RepoTags "\n"}}`), "Accept", "text/plain").Body), "\n")
	if got[0] != "test/many:t0" || got[1] != "test/many:t1" || got[2] != "test/many:t10" {
		t.Errorf("%q", got[:5])
	}
}
