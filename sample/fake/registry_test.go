package fake_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
)

// get makes one GET and reads the answer; the error of a connection that breaks in the body is returned.
func get(t *testing.T, url string, header ...string) (*http.Response, []byte, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

// tagDigest is the digest that the registry states for a tag.
func tagDigest(t *testing.T, base, repository, tag string) string {
	t.Helper()
	resp, body, err := get(t, base+"/v2/"+repository+"/manifests/"+tag)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s:%s: %v, %s", repository, tag, err, body)
	}
	if d := resp.Header.Get("Docker-Content-Digest"); d != digest.FromBytes(body).String() {
		t.Errorf("stated digest %s is not that of the body", d)
	}
	return resp.Header.Get("Docker-Content-Digest")
}

func TestMoveTagMovesTheTagThroughThreeImagesAndKeepsTheOldOnes(t *testing.T) {
	r := fake.NewEmptyRegistry()
	s := httptest.NewServer(r)
	defer s.Close()
	base := s.URL
	for _, tag := range []string{"latest", sample.MovingTag} {
		if err := r.Push(t.Context(), sample.MovingRepository, fromLibrary(t, sample.MovingRepository, tag), tag); err != nil {
			t.Fatal(err)
		}
	}
	latest := tagDigest(t, base, "library/ubuntu", "latest")
	seen := []string{tagDigest(t, base, sample.MovingRepository, sample.MovingTag)}
	for v := 2; v <= sample.RollingVersions; v++ {
		if err := r.MoveTag(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		now := tagDigest(t, base, sample.MovingRepository, sample.MovingTag)
		if slices.Contains(seen, now) {
			t.Errorf("version %d is %s again", v, now)
		}
		seen = append(seen, now)
	}
	if len(seen) != 3 {
		t.Errorf("there are %d versions", len(seen))
	}
	for _, d := range seen {
		if got := tagDigest(t, base, sample.MovingRepository, d); got != d {
			t.Errorf("%s can no longer be pulled by digest", d)
		}
	}
	if err := r.MoveTag(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if got := tagDigest(t, base, sample.MovingRepository, sample.MovingTag); got != seen[0] {
		t.Errorf("moved back to %s, wanted %s", got, seen[0])
	}
	if got := tagDigest(t, base, "library/ubuntu", "latest"); got != latest {
		t.Error("latest moved too")
	}
	for _, v := range []int{0, 4, -1} {
		if err := r.MoveTag(t.Context(), v); err == nil {
			t.Errorf("version %d was accepted", v)
		}
	}
	n := 0
	for _, at := range r.Tags() {
		if at.Repository == sample.MovingRepository && at.Tag == sample.MovingTag {
			n++
			if at.Descriptor.Digest.String() != seen[0] {
				t.Errorf("Tags says %s", at.Descriptor.Digest)
			}
		}
	}
	if n != 1 {
		t.Errorf("Tags lists the moving tag %d times", n)
	}
}

func TestCatalogListsRepositoriesInPages(t *testing.T) {
	r := fake.NewEmptyRegistry()
	s := httptest.NewServer(r)
	defer s.Close()
	want := []string{"a/one", "b/two", "c/three"}
	for _, name := range want {
		if err := r.Push(t.Context(), name, sample.NoLayers(), "latest"); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	pages := 0
	for next := "/v2/_catalog?n=2"; next != ""; pages++ {
		resp, body, err := get(t, s.URL+next)
		if err != nil {
			t.Fatal(err)
		}
		var page struct{ Repositories []string }
		if err := json.Unmarshal(body, &page); err != nil {
			t.Fatal(err)
		}
		got = append(got, page.Repositories...)
		next, _, _ = strings.Cut(strings.TrimPrefix(resp.Header.Get("Link"), "<"), ">")
	}
	if !slices.Equal(got, want) || pages != 2 {
		t.Errorf("catalog is %v in %d pages", got, pages)
	}
	resp, err := http.Post(s.URL+"/v2/_catalog", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		t.Error("the catalog takes POST")
	}
}

func TestCatalogDoesNotListWhatTheRegistryRefused(t *testing.T) {
	r := fake.NewEmptyRegistry()
	missing := mustBuild(t, sample.NoLayers())
	missing.Blobs = nil // the manifest's config is not in the registry
	if err := r.Push(t.Context(), "x/refused", missing, "latest"); err == nil {
		t.Fatal("a manifest without its config was accepted")
	}
	s := httptest.NewServer(r)
	defer s.Close()
	_, body, err := get(t, s.URL+"/v2/_catalog")
	if err != nil || strings.Contains(string(body), "refused") {
		t.Errorf("catalog is %s: %v", body, err)
	}
}

func TestNewRegistryEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := fake.NewRegistry(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestPushByURLAndByHandlerStoreTheSame(t *testing.T) {
	byHandler := fake.NewFaulty(fake.NewEmptyRegistry())
	byURL := fake.NewFaulty(fake.NewEmptyRegistry())
	s := httptest.NewServer(byURL)
	defer s.Close()
	ix := sample.NestedIndex()
	for _, to := range []fake.Destination{fake.Handler(byHandler), fake.URL(s.URL + "/")} {
		b, err := fake.Push(t.Context(), to, "a/b", ix, "one", "two")
		if err != nil {
			t.Fatal(err)
		}
		if b.Descriptor.MediaType != v1.MediaTypeImageIndex {
			t.Errorf("pushed a %s", b.Descriptor.MediaType)
		}
	}
	h := httptest.NewServer(byHandler)
	defer h.Close()
	for _, tag := range []string{"one", "two"} {
		if a, b := tagDigest(t, h.URL, "a/b", tag), tagDigest(t, s.URL, "a/b", tag); a != b {
			t.Errorf("%s is %s by handler and %s by URL", tag, a, b)
		}
	}
	// Three images with a config and a layer each, in one PUT for each blob.
	if n := byURL.Count(http.MethodPut, "/blobs/uploads/"); n != 6 {
		t.Errorf("%d blobs were sent, wanted 6", n)
	}
}

func TestPushDoesNotSendABlobThatIsThere(t *testing.T) {
	f := fake.NewFaulty(fake.NewEmptyRegistry())
	for range 2 {
		if _, err := fake.Push(t.Context(), fake.Handler(f), "a", sample.Windows()); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.Count(http.MethodPut, "/blobs/uploads/"); n != 6 {
		t.Errorf("%d blobs were sent, wanted the 6 of the first push", n)
	}
	if n := f.Count(http.MethodPut, "/manifests/"); n != 6 {
		t.Errorf("%d manifests were put, wanted 3 by each push and no tag", n)
	}
}

func TestPushReportsWhatTheRegistryAnswered(t *testing.T) {
	f := fake.NewFaulty(fake.NewEmptyRegistry())
	f.On(fake.Any, fake.Status(http.StatusForbidden, "DENIED", "you shall not push"))
	_, err := fake.Push(t.Context(), fake.Handler(f), "a", sample.NoLayers(), "b")
	if err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("error is %v", err)
	}
	f.Reset()
	f.On(fake.Any, fake.CloseAfter(0))
	if _, err := fake.Push(t.Context(), fake.Handler(f), "a", sample.NoLayers()); err == nil {
		t.Error("a dropped connection is no error")
	}
}
