package distribution

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
)

func TestPingSaysThatThisIsARegistry(t *testing.T) {
	s := newShelf(t)
	for _, path := range []string{"", "?ns=docker.io"} {
		r := s.get(path)
		r.is(http.StatusOK, []byte(`{}`))
		r.says("Docker-Distribution-Api-Version", "registry/2.0")
		r.says("Content-Type", "application/json")
	}
	s.ask(http.MethodHead, "").is(http.StatusOK, []byte{})
}

func TestWritesAreRefused(t *testing.T) {
	s := newShelf(t)
	b := s.pull("app:1", made("amd64", "app"))
	for _, write := range []string{
		"POST app/blobs/uploads/", "POST new/blobs/uploads/?mount=sha256:1&from=app", "PATCH app/blobs/uploads/1", "PUT app/blobs/uploads/1",
		"PUT app/manifests/2", "DELETE app/manifests/1", "DELETE app/manifests/" + string(b.Digest()),
		"DELETE app/blobs/" + string(b.Layers()[0].Descriptor.Digest), "OPTIONS app/manifests/1", "POST ", "MADEUP app/tags/list",
	} {
		method, path, _ := strings.Cut(write, " ")
		r := s.ask(method, path)
		r.refused(http.StatusMethodNotAllowed, unsupported)
		r.says("Allow", "GET, HEAD")
	}
	s.get("app/manifests/1").is(http.StatusOK, b.Body)
}

// follow reads a list page by page.
func (s *testShelf) follow(path string, page func(reply) []string) [][]string {
	s.t.Helper()
	var pages [][]string
	for len(pages) < 20 {
		r := s.get(path)
		pages = append(pages, page(r))
		link := r.header.Get("Link")
		if link == "" {
			return pages
		}
		to, rel, _ := strings.Cut(link, ">")
		if path = strings.TrimPrefix(to, "</v2/"); path == to || rel != `; rel="next"` {
			s.t.Fatalf("Link is %q", link)
		}
	}
	s.t.Fatal("it never ends")
	return nil
}

func samePages(t *testing.T, got [][]string, want ...[]string) {
	t.Helper()
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("pages %q, want %q", got, want)
	}
}

func TestTagsArePaged(t *testing.T) {
	s := newShelf(t)
	for _, tag := range []string{"b", "a", "A", "10", "9"} {
		s.pull("app:"+tag, made("amd64", "app"))
	}
	tags := func(r reply) []string {
		var list struct {
			Name string
			Tags []string
		}
		if r.decode(&list); list.Name != "library/app" {
			t.Errorf("%s: name %q", r.path, list.Name)
		}
		return list.Tags
	}
	samePages(t, s.follow("library/app/tags/list", tags), []string{"10", "9", "A", "a", "b"})
	samePages(t, s.follow("library/app/tags/list?n=2", tags), []string{"10", "9"}, []string{"A", "a"}, []string{"b"})
	samePages(t, s.follow("library/app/tags/list?n=2&ns=docker.io", tags), []string{"10", "9"}, []string{"A", "a"}, []string{"b"})
	samePages(t, s.follow("library/app/tags/list?n=5", tags), []string{"10", "9", "A", "a", "b"})
	samePages(t, s.follow("library/app/tags/list?last=9", tags), []string{"A", "a", "b"})
	samePages(t, s.follow("library/app/tags/list?last=B", tags), []string{"a", "b"}) // which need not exist
	samePages(t, s.follow("library/app/tags/list?n=0", tags), []string{})
	s.get("library/app/tags/list?last=z").is(http.StatusOK, []byte(`{"name":"library/app","tags":[]}`))
	r := s.get("library/app/tags/list")
	r.says("Cache-Control", "no-cache")
}

func TestTheCatalogIsPaged(t *testing.T) {
	s := newShelf(t)
	s.get("_catalog").is(http.StatusOK, []byte(`{"repositories":[]}`))
	for _, name := range []string{"app", "bitnami/redis", "ghcr.io/acme/api", "registry.example.com:5000/team/app"} {
		s.pull(name+":1", made("amd64", "app"))
	}
	names := func(r reply) []string {
		var list struct{ Repositories []string }
		r.decode(&list)
		return list.Repositories
	}
	samePages(t, s.follow("_catalog", names), []string{"docker.io/bitnami/redis", "docker.io/library/app", "ghcr.io/acme/api", "registry.example.com_5000/team/app"})
	samePages(t, s.follow("_catalog?n=3", names), []string{"docker.io/bitnami/redis", "docker.io/library/app", "ghcr.io/acme/api"}, []string{"registry.example.com_5000/team/app"})
	samePages(t, s.follow("_catalog?last=registry.example.com_5000/team/app", names), []string{})
	samePages(t, s.follow("_catalog?n=1&ns=docker.io", names), []string{"bitnami/redis"}, []string{"library/app"})
	samePages(t, s.follow("_catalog?ns=registry.example.com:5000", names), []string{"team/app"})
	samePages(t, s.follow("_catalog?ns=quay.io", names), []string{})
	for _, page := range s.follow("_catalog", names) {
		for _, name := range page { // each name can be asked for
			s.get(name+"/tags/list").is(http.StatusOK, nil)
		}
	}
}

// about is an image that refers to another.
func about(subject image.Digest, architecture, text string) sample.Image {
	im := made(architecture, text)
	im.Subject = &v1.Descriptor{MediaType: v1.MediaTypeImageManifest, Digest: subject, Size: 1}
	im.Annotations = map[string]string{"says": text}
	return im
}

func TestReferrersAreWhatIsStoredWithASubject(t *testing.T) {
	s := newShelf(t)
	app := s.pull("app:1", made("amd64", "app"))
	one := s.pull("app:one", about(app.Digest(), "amd64", "one"))
	inIndex := s.pull("app:two", sample.Index{Entries: []sample.Source{about(app.Digest(), "amd64", "two"), about(app.Digest(), "arm64", "three")}}, "linux/amd64")
	s.pull("app:other", about(image.DigestOf([]byte("other")), "amd64", "other"))
	s.pull("elsewhere:1", about(app.Digest(), "amd64", "elsewhere"))

	two, _ := inIndex.For("linux/amd64")
	want := []image.Digest{one.Digest(), two.Digest()}
	slices.Sort(want)
	ask := func(path string) v1.Index {
		t.Helper()
		r := s.get(path)
		r.says("Content-Type", v1.MediaTypeImageIndex)
		var ix v1.Index
		if r.decode(&ix); ix.SchemaVersion != 2 || ix.MediaType != v1.MediaTypeImageIndex || ix.Manifests == nil {
			t.Errorf("%s: %s", path, r.body)
		}
		return ix
	}
	path := "app/referrers/" + string(app.Digest())
	for range 2 { // the second time it is remembered
		ix := ask(path)
		var got []image.Digest
		for _, d := range ix.Manifests {
			got = append(got, d.Digest)
			if d.ArtifactType != v1.MediaTypeImageConfig || d.MediaType != v1.MediaTypeImageManifest || d.Size == 0 || d.Annotations["says"] == "" {
				t.Errorf("%+v", d)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}

	r := s.get(path + "?artifactType=application/vnd.example")
	r.says("OCI-Filters-Applied", "artifactType")
	if ix := ask(path + "?artifactType=application/vnd.example"); len(ix.Manifests) != 0 {
		t.Errorf("%+v", ix)
	}
	if ix := ask(path + "?artifactType=" + v1.MediaTypeImageConfig); len(ix.Manifests) != 2 {
		t.Errorf("%+v", ix)
	}
	for _, nothing := range []string{
		"app/referrers/" + string(one.Digest()), "app/referrers/sha512:" + strings.Repeat("a", 128), "nothing/referrers/" + string(app.Digest()),
	} {
		if ix := ask(nothing); len(ix.Manifests) != 0 {
			t.Errorf("%s: %+v", nothing, ix)
		}
	}
	s.delete("app:one")
	if ix := ask(path); len(ix.Manifests) != 1 {
		t.Errorf("after a deletion: %+v", ix)
	}
}

func TestAttestationsWithASubjectAreReferrersOfTheirImage(t *testing.T) {
	s := newShelf(t)
	newer := multi("app")
	newer.Artifacts = true
	b := s.pull("app:1", newer, "linux/amd64")
	older := s.pull("older:1", multi("older"), "linux/amd64")
	amd64, _ := b.For("linux/amd64")
	arm64, _ := b.For("linux/arm64")
	var ix v1.Index
	for _, filter := range []string{"", "?artifactType=" + sample.TypeAttestation} {
		s.get("app/referrers/" + string(amd64.Digest()) + filter).decode(&ix)
		if len(ix.Manifests) != 1 || ix.Manifests[0].Digest != b.Children[2].Digest() || ix.Manifests[0].ArtifactType != sample.TypeAttestation || ix.Manifests[0].Size != b.Children[2].Descriptor.Size {
			t.Errorf("%q: %+v", filter, ix.Manifests)
		}
	}
	unattested, _ := older.For("linux/amd64")
	for _, nothing := range []string{
		"app/referrers/" + string(arm64.Digest()), "app/referrers/" + string(b.Digest()), "older/referrers/" + string(amd64.Digest()),
		"older/referrers/" + string(unattested.Digest()), // in the older form an attestation has no subject
		"app/referrers/" + string(amd64.Digest()) + "?artifactType=application/vnd.example",
	} {
		if s.get(nothing).decode(&ix); len(ix.Manifests) != 0 {
			t.Errorf("%s: %+v", nothing, ix.Manifests)
		}
	}
}

func TestReferrersArePagedBeforeTheyAreTooManyBytes(t *testing.T) {
	s := newShelf(t)
	app := s.pull("app:1", made("amd64", "app"))
	for _, text := range []string{"one", "two", "three"} {
		im := about(app.Digest(), "amd64", text)
		im.Annotations["long"] = strings.Repeat("x", mostReferred*2/5)
		s.pull("app:"+text, im)
	}
	count := func(r reply) []string {
		var ix v1.Index
		r.decode(&ix)
		var says []string
		for _, d := range ix.Manifests {
			says = append(says, d.Annotations["says"])
		}
		return says
	}
	pages := s.follow("app/referrers/"+string(app.Digest())+"?artifactType="+v1.MediaTypeImageConfig, count)
	if len(pages) != 2 || len(pages[0]) != 2 || len(pages[1]) != 1 {
		t.Errorf("pages %q", pages)
	}
	all := slices.Concat(pages...)
	slices.Sort(all)
	if !slices.Equal(all, []string{"one", "three", "two"}) {
		t.Errorf("%q", all)
	}
}
