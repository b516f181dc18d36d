package distribution

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/regclient/regclient"
	"github.com/regclient/regclient/config"
	"github.com/regclient/regclient/types/ref"

	"github.com/stowage/stowage/image"
)

// counted returns how often a tag, the digest that it points to and manifests under it were handed out.
func (s *testShelf) counted(reference string, manifests ...image.Digest) (tag, digest int64, each []int64) {
	s.t.Helper()
	parsed, err := image.ParseReference(reference)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.store.Downloads.WriteDownloads(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	target, err := s.store.Images.Target(s.t.Context(), parsed)
	if err != nil {
		s.t.Fatal(err)
	}
	byTag, err := s.store.Downloads.DownloadsOf(s.t.Context(), parsed, manifests)
	if err != nil {
		s.t.Fatal(err)
	}
	byDigest, err := s.store.Downloads.DownloadsOf(s.t.Context(), parsed.WithTag("").WithDigest(target.Digest), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range manifests {
		each = append(each, byTag.Images[m].Count)
	}
	return byTag.Count, byDigest.Count, each
}

func TestAGetOfAManifestHandsItOutAndAHeadDoesNot(t *testing.T) {
	s := newShelf(t)
	b := s.pull("app:1", multi("app"), "linux/amd64", "linux/arm64")
	index, amd64 := b.Digest(), b.Children[0].Digest()
	is := func(what string, tag, digest, platform int64) {
		t.Helper()
		gotTag, gotDigest, each := s.counted("app:1", amd64)
		if gotTag != tag || gotDigest != digest || each[0] != platform {
			t.Errorf("%s: the tag counts %d, the index %d, amd64 %d; want %d, %d, %d", what, gotTag, gotDigest, each[0], tag, digest, platform)
		}
	}
	byTag, byDigest, byPlatform := "app/manifests/1", "app/manifests/"+string(index), "app/manifests/"+string(amd64)
	s.ask(http.MethodHead, byDigest).is(200, nil)
	s.get("app/blobs/"+string(b.Children[0].Blobs[0].Descriptor.Digest)).is(200, nil)
	s.get("app/tags/list").is(200, nil)
	s.get("app/manifests/2").is(404, nil)
	is("nothing was handed out", 0, 0, 0)
	s.get(byTag).is(200, b.Body)
	is("by tag", 1, 1, 0)
	s.get(byDigest).is(200, b.Body)
	is("by digest", 2, 2, 0) // of the tag's row, too: it has that digest
	s.get(byPlatform).is(200, nil)
	is("a platform", 2, 2, 1)
	s.get(byTag, "If-None-Match", `"`+string(index)+`"`).is(304, nil)
	s.get(byDigest, "If-None-Match", "*").is(304, nil)
	is("the client has it", 2, 2, 1)
	s.get(byTag, "If-None-Match", `"`+string(amd64)+`"`).is(200, b.Body)
	is("the client has another", 3, 3, 1)
	for range 3 { // somebody watches the tag
		s.ask(http.MethodHead, byTag).is(200, nil)
	}
	is("watched", 3, 3, 1)
}

// docker from 20.10 on and containerd ask for the tag by HEAD and get the digest that they are told.
func TestADigestAskedForByItsTagIsHandedOutByTheTag(t *testing.T) {
	s := newShelf(t)
	b := s.pull("app:1", multi("app"), "linux/amd64")
	s.pull("app:latest", multi("app"), "linux/amd64")
	s.ask(http.MethodHead, "app/manifests/latest").is(200, nil)
	s.get("app/manifests/"+string(b.Digest())).is(200, b.Body)
	s.get("app/manifests/"+string(b.Children[0].Digest())).is(200, nil)
	latest, digest, each := s.counted("app:latest", b.Children[0].Digest())
	other, _, _ := s.counted("app:1")
	if latest != 1 || other != 0 || digest != 1 || each[0] != 1 {
		t.Errorf("the tag counts %d, the other %d, the index %d, the platform %d", latest, other, digest, each[0])
	}
	s.get("app/manifests/"+string(b.Digest())).is(200, b.Body) // by digest this time
	if other, digest, _ := s.counted("app:1"); other != 1 || digest != 2 {
		t.Errorf("by digest: a tag counts %d, the index %d", other, digest)
	}
}

func TestAClientIsToldOfATagForAWhile(t *testing.T) {
	a := newAskedTags()
	asked := askedTag{"10.0.0.1", "docker.io/library/app", "sha256:1"}
	now := time.Unix(0, 0)
	at := func(d time.Duration) func() time.Time { return func() time.Time { return now.Add(d) } }
	a.remember(asked, "1", now)
	other := asked
	other.from = "10.0.0.2"
	if tag := a.take(other, at(0)); tag != "" {
		t.Errorf("another client is told of %q", tag)
	}
	if tag := a.take(asked, at(askedWithin)); tag != "1" {
		t.Errorf("soon after: %q", tag)
	}
	if tag := a.take(asked, at(0)); tag != "" {
		t.Errorf("twice: %q", tag)
	}
	a.remember(asked, "1", now)
	if tag := a.take(asked, at(askedWithin+1)); tag != "" {
		t.Errorf("too late: %q", tag)
	}
}

func TestAPullByARealClientCountsOnce(t *testing.T) {
	s := newShelf(t)
	b := s.pull("app:1", multi("app"), "linux/amd64", "linux/arm64")
	host := strings.TrimPrefix(s.server.URL, "http://")
	client := regclient.New(regclient.WithConfigHost(config.Host{Name: host, TLS: config.TLSDisabled}))
	from, err := ref.New(host + "/app:1")
	if err != nil {
		t.Fatal(err)
	}
	to, err := ref.New("ocidir://" + t.TempDir() + ":1")
	if err != nil {
		t.Fatal(err)
	}
	if err := client.ImageCopy(t.Context(), from, to, regclient.ImageWithPlatforms([]string{"linux/amd64", "linux/arm64"})); err != nil {
		t.Fatal(err)
	}
	tag, digest, each := s.counted("app:1", b.Children[0].Digest(), b.Children[1].Digest())
	if tag != 1 || digest != 1 || each[0] != 1 || each[1] != 1 {
		t.Errorf("the tag counts %d, the index %d, the platforms %d", tag, digest, each)
	}
}

// BenchmarkManifest is a manifest by tag that was asked for before, to a writer that forgets it: the whole answer, and
// what counting takes of it.
func BenchmarkManifest(b *testing.B) {
	s := newShelf(b)
	s.pull("app:1", made("amd64", "app"))
	h := New(Options{Serving: s.store.Serving, Blobs: s.store.Blobs, Images: s.store.Images, Downloads: s.store.Downloads})
	r := httptest.NewRequest(http.MethodGet, "/v2/library/app/manifests/1", nil)
	b.Run("answer", func(b *testing.B) {
		for b.Loop() {
			h.ServeHTTP(forgetful{http.Header{}}, r)
		}
	})
	b.Run("count", func(b *testing.B) {
		q := request{Request: r, repo: "docker.io/library/app", what: "1"}
		ref := image.Reference{Repository: q.repo, Tag: "1"}
		m, err := s.store.Serving.Served(b.Context(), ref)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			h.count(q, ref, m.Digest)
		}
	})
}

// forgetful is a writer without a client.
type forgetful struct{ header http.Header }

func (f forgetful) Header() http.Header         { return f.header }
func (f forgetful) Write(p []byte) (int, error) { return len(p), nil }
func (f forgetful) WriteHeader(int)             {}
