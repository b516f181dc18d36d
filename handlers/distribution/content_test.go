package distribution

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/regclient/regclient"
	"github.com/regclient/regclient/config"
	"github.com/regclient/regclient/types/descriptor"
	"github.com/regclient/regclient/types/ref"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
)

func TestARealClientGetsTheUpstreamsBytes(t *testing.T) {
	s := newShelf(t)
	docker := multi("dockers")
	docker.Docker, docker.Attest = true, false
	for i := range docker.Entries {
		im := docker.Entries[i].(sample.Image)
		im.Docker = true
		docker.Entries[i] = im
	}
	newer := multi("newer")
	newer.Artifacts = true
	built := map[string]sample.Built{
		"newer:1":            s.pull("newer:1", newer, "linux/amd64", "linux/arm64"),
		"app:1":              s.pull("app:1", multi("app"), "linux/amd64", "linux/arm64"),
		"dockers:2":          s.pull("dockers:2", docker, "linux/amd64", "linux/arm64"),
		"ghcr.io/acme/api:3": s.pull("ghcr.io/acme/api:3", made("amd64", "api")),
	}
	host := strings.TrimPrefix(s.server.URL, "http://")
	client := regclient.New(regclient.WithConfigHost(config.Host{Name: host, TLS: config.TLSDisabled}))
	for _, name := range []string{"app:1", "library/app:1", "docker.io/library/app:1", "newer:1", "dockers:2", "ghcr.io/acme/api:3"} {
		b, ok := built[strings.TrimPrefix(strings.TrimPrefix(name, "docker.io/"), "library/")]
		if !ok {
			t.Fatal(name)
		}
		tagged, err := ref.New(host + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for m := range b.All() {
			asked := []ref.Ref{tagged.SetDigest(string(m.Digest()))}
			if m.Digest() == b.Digest() {
				asked = append(asked, tagged)
			}
			for _, r := range asked {
				got, err := client.ManifestGet(t.Context(), r)
				if err != nil {
					t.Errorf("%s: %v", r.CommonName(), err)
					continue
				}
				raw, err := got.RawBody()
				if d := got.GetDescriptor(); err != nil || !bytes.Equal(raw, m.Body) || d.Digest != m.Digest() || d.MediaType != m.Descriptor.MediaType {
					t.Errorf("%s: %s of %s, %v", r.CommonName(), d.MediaType, d.Digest, err)
				}
			}
			for _, blob := range m.Blobs {
				rd, err := client.BlobGet(t.Context(), tagged, descriptor.Descriptor{Digest: blob.Descriptor.Digest, Size: blob.Descriptor.Size})
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				data, err := io.ReadAll(rd)
				if err != nil || rd.Close() != nil || !bytes.Equal(data, blob.Data) {
					t.Errorf("%s: %d bytes of %s, %v", name, len(data), blob.Descriptor.Digest, err)
				}
			}
		}
	}
}

func TestAnswersSayWhatTheyHold(t *testing.T) {
	s := newShelf(t)
	b := s.pull("app:1", multi("app"), "linux/amd64")
	amd64, _ := b.For("linux/amd64")
	layer := amd64.Layers()[0]
	const ever = "public, max-age=31536000, immutable"
	for _, tt := range []struct {
		path, mediaType, cache string
		digest                 image.Digest
		body                   []byte
	}{
		{"app/manifests/1", b.Descriptor.MediaType, "no-cache", b.Digest(), b.Body},
		{"app/manifests/" + string(b.Digest()), b.Descriptor.MediaType, ever, b.Digest(), b.Body},
		{"app/manifests/" + string(amd64.Digest()), amd64.Descriptor.MediaType, ever, amd64.Digest(), amd64.Body},
		{"app/blobs/" + string(layer.Descriptor.Digest), "application/octet-stream", ever, layer.Descriptor.Digest, layer.Data},
		{"app/blobs/" + string(amd64.Blobs[0].Descriptor.Digest), "application/octet-stream", ever, amd64.Blobs[0].Descriptor.Digest, amd64.Blobs[0].Data},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodGet} { // the second time it is remembered
			body := tt.body
			if method == http.MethodHead {
				body = []byte{}
			}
			r := s.ask(method, tt.path)
			r.is(http.StatusOK, body)
			r.says("Content-Type", tt.mediaType)
			r.says("Content-Length", strconv.Itoa(len(tt.body)))
			r.says("Docker-Content-Digest", string(tt.digest))
			r.says("ETag", `"`+string(tt.digest)+`"`)
			r.says("Cache-Control", tt.cache)
			r.says("Docker-Distribution-Api-Version", "registry/2.0")
			r.says("X-Content-Type-Options", "nosniff")
			r.says("Content-Security-Policy", "default-src 'none'; sandbox")
			r.says("Access-Control-Allow-Origin", "")
		}
	}
}

func TestWhatTheClientHasIsNotSentAgain(t *testing.T) {
	s := newShelf(t)
	b := s.pull("app:1", made("amd64", "app"))
	layer := b.Layers()[0].Descriptor.Digest
	for path, d := range map[string]image.Digest{"app/manifests/1": b.Digest(), "app/blobs/" + string(layer): layer} {
		for _, tag := range []string{`"` + string(d) + `"`, `"other", W/"` + string(d) + `"`, "*"} {
			s.get(path, "If-None-Match", tag).is(http.StatusNotModified, []byte{})
		}
		s.get(path, "If-None-Match", `"sha256:other"`).is(http.StatusOK, nil)
	}
}

func TestABlobContinuesWhereTheClientStopped(t *testing.T) {
	s := newShelf(t)
	b := s.pull("app:1", made("amd64", "app"))
	layer := b.Layers()[0]
	path, n := "app/blobs/"+string(layer.Descriptor.Digest), len(layer.Data)
	r := s.get(path, "Range", "bytes=1000-")
	r.is(http.StatusPartialContent, layer.Data[1000:])
	r.says("Content-Range", fmt.Sprintf("bytes 1000-%d/%d", n-1, n))
	s.get(path, "Range", "bytes=10-19").is(http.StatusPartialContent, layer.Data[10:20])
	s.get(path, "Range", "bytes=-5").is(http.StatusPartialContent, layer.Data[n-5:])
	s.get(path, "Range", "bytes=10-19", "If-Range", `"`+string(layer.Descriptor.Digest)+`"`).is(http.StatusPartialContent, layer.Data[10:20])
	s.get(path, "Range", "bytes=10-19", "If-Range", `"sha256:other"`).is(http.StatusOK, layer.Data)
	s.get(path, "Range", "bytes=0-1,3-4,7-9").is(http.StatusOK, layer.Data) // nobody fetches an image so
	s.get(path, "Range", fmt.Sprintf("bytes=%d-", n)).is(http.StatusRequestedRangeNotSatisfiable, nil)
}

func TestALargeManifestIsServedFromItsFile(t *testing.T) {
	s := newShelf(t)
	large := made("amd64", "large")
	large.Annotations = map[string]string{"note": strings.Repeat("long ", smallDocument/4)}
	b := s.pull("large:1", large)
	r := s.get("large/manifests/1")
	r.is(http.StatusOK, b.Body)
	r.says("Content-Type", b.Descriptor.MediaType)
	s.get("large/manifests/1", "If-None-Match", `"`+string(b.Digest())+`"`).is(http.StatusNotModified, []byte{})
}

func TestAPlatformThatIsNotStoredIsRefusedWithThoseThatAre(t *testing.T) {
	s := newShelf(t)
	b := s.pull("app:1", multi("app"), "linux/amd64")
	s.get("app/manifests/1").is(http.StatusOK, b.Body) // the index is whole
	amd64, _ := b.For("linux/amd64")
	s.get("app/manifests/"+string(amd64.Digest())).is(http.StatusOK, amd64.Body)

	arm64, _ := b.For("linux/arm64")
	message, d := s.get("app/manifests/"+string(arm64.Digest())).refused(http.StatusNotFound, manifestUnknown)
	if want := "linux/arm64 of docker.io/library/app (" + image.ShortDigest(arm64.Digest()) + ") is not stored here; of this index is stored: linux/amd64"; message != want {
		t.Errorf("%q, want %q", message, want)
	}
	if d.Digest != arm64.Digest() || d.Platform != "linux/arm64" || len(d.Stored) != 1 || d.Stored[0] != "linux/amd64" {
		t.Errorf("detail %+v", d)
	}
	s.get("app/blobs/"+string(arm64.Layers()[0].Descriptor.Digest)).refused(http.StatusNotFound, blobUnknown)

	s.get("app/manifests/"+string(b.Children[2].Digest())).is(http.StatusOK, b.Children[2].Body)
	about := b.Children[3]
	message, d = s.get("app/manifests/"+string(about.Digest())).refused(http.StatusNotFound, manifestUnknown)
	if !strings.HasPrefix(message, "the attestation of linux/arm64 of docker.io/library/app ("+image.ShortDigest(about.Digest())+") is not stored here") || d.Platform != "linux/arm64" {
		t.Errorf("an attestation: %q, %+v", message, d)
	}

	s.pull("app:1", multi("app"), "linux/arm64") // and now it is there
	s.get("app/manifests/"+string(arm64.Digest())).is(http.StatusOK, arm64.Body)
	s.get("app/manifests/"+string(about.Digest())).is(http.StatusOK, about.Body)
}

func TestABrokenImageIsNotServed(t *testing.T) {
	s := newShelf(t)
	b := s.pull("bad:1", sample.WrongDiffID())
	s.pull("bad:2", made("amd64", "good"))
	for _, what := range []string{"1", string(b.Digest())} {
		message, d := s.get("bad/manifests/"+what).refused(http.StatusNotFound, manifestUnknown)
		if !strings.Contains(message, "is stored and broken") || !strings.Contains(message, "do not match the image's config") || d.Digest != b.Digest() {
			t.Errorf("%q, %+v", message, d)
		}
	}
	s.get("bad/blobs/"+string(b.Blobs[0].Descriptor.Digest)).refused(http.StatusNotFound, blobUnknown)
	s.get("bad/tags/list").is(http.StatusOK, []byte(`{"name":"bad","tags":["2"]}`))
}

func TestABlobIsServedOnlyWhereAnImageUsesIt(t *testing.T) {
	s := newShelf(t)
	app := s.pull("app:1", made("amd64", "app"))
	s.pull("other:1", made("amd64", "other"))
	for _, blob := range app.Blobs {
		path := "/blobs/" + string(blob.Descriptor.Digest)
		s.get("app"+path).is(http.StatusOK, blob.Data)
		s.get("other"+path).refused(http.StatusNotFound, blobUnknown)
		s.get("nothing"+path).refused(http.StatusNotFound, nameUnknown)
	}
	s.get("other/manifests/"+string(app.Digest())).refused(http.StatusNotFound, manifestUnknown)
}

func TestWhatDescribesAnImageIsServedWithIt(t *testing.T) {
	s := newShelf(t)
	b := s.pull("app:1", multi("app"), "linux/amd64")
	s.pull("other:1", made("amd64", "other"))
	about := b.Children[2]
	path := "/manifests/" + string(about.Digest())
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		body := about.Body
		if method == http.MethodHead {
			body = []byte{}
		}
		r := s.ask(method, "app"+path)
		r.is(http.StatusOK, body)
		r.says("Content-Type", about.Descriptor.MediaType)
		r.says("Content-Length", strconv.Itoa(len(about.Body)))
		r.says("Docker-Content-Digest", string(about.Digest()))
	}
	s.get("other"+path).refused(http.StatusNotFound, manifestUnknown)
	for _, blob := range about.Blobs {
		path := "/blobs/" + string(blob.Descriptor.Digest)
		s.get("app"+path).is(http.StatusOK, blob.Data)
		s.get("other"+path).refused(http.StatusNotFound, blobUnknown)
	}
	s.delete("app:1")
	s.pull("app:2", made("amd64", "app"))
	s.get("app"+path).refused(http.StatusNotFound, manifestUnknown)
	s.get("app/blobs/"+string(about.Blobs[1].Descriptor.Digest)).refused(http.StatusNotFound, blobUnknown)
}

func TestWhatChangesOnTheShelfIsServedAtOnce(t *testing.T) {
	s := newShelf(t)
	first := s.pull("app:1", made("amd64", "first"))
	s.get("app/manifests/1").is(http.StatusOK, first.Body)
	second := s.pull("app:1", made("amd64", "second"))
	s.get("app/manifests/1").is(http.StatusOK, second.Body)
	s.get("app/manifests/"+string(first.Digest())).is(http.StatusOK, first.Body) // it dangles

	layer := "app/blobs/" + string(second.Layers()[0].Descriptor.Digest)
	s.get(layer).is(http.StatusOK, nil)
	s.delete("app:1")
	s.get("app/manifests/1").refused(http.StatusNotFound, manifestUnknown)
	s.get("app/manifests/"+string(second.Digest())).refused(http.StatusNotFound, manifestUnknown)
	s.get(layer).refused(http.StatusNotFound, blobUnknown)
}

func TestADamagedFileIsAnErrorAndNoShortAnswer(t *testing.T) {
	s := newShelf(t)
	gone, short, rotten := s.pull("gone:1", made("amd64", "gone")), s.pull("short:1", made("amd64", "short")), s.pull("rotten:1", made("amd64", "rotten"))
	layer := func(b sample.Built) image.Digest { return b.Layers()[0].Descriptor.Digest }
	for _, d := range []image.Digest{gone.Digest(), layer(gone)} {
		if err := os.Remove(s.file(d)); err != nil {
			t.Fatal(err)
		}
	}
	s.replace(layer(short), short.Layers()[0].Data[:100])
	s.replace(short.Digest(), short.Body[:100])
	s.replace(rotten.Digest(), bytes.Replace(rotten.Body, []byte("sha256"), []byte("SHA256"), 1))
	for path, code := range map[string]string{
		"gone/manifests/1": manifestUnknown, "short/manifests/1": manifestUnknown, "rotten/manifests/1": manifestUnknown,
		"gone/blobs/" + string(layer(gone)): blobUnknown, "short/blobs/" + string(layer(short)): blobUnknown,
	} {
		for range 2 { // a failure is not remembered as the content
			s.get(path).refused(http.StatusNotFound, code)
		}
	}
	if n := s.store.Blobs.CountDamaged(); n != 5 {
		t.Errorf("%d blobs are said to be damaged", n)
	}
}
