package fake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
)

// bench is a faulty registry on loopback that holds one image, a/b:latest, with a layer of some 200 kB.
type bench struct {
	*fake.Faulty
	url      string
	layer    sample.Blob
	blob     string // path of the layer
	manifest string // path of the tag
}

func faulty(t *testing.T) bench {
	t.Helper()
	registry := fake.NewEmptyRegistry()
	im := sample.Image{Steps: []sample.Step{{Layer: sample.NewLayer(sample.Gzip, sample.Program("x", "faulty", 500_000))}}}
	if err := registry.Push(t.Context(), "a/b", im, "latest"); err != nil {
		t.Fatal(err)
	}
	f := fake.NewFaulty(registry)
	s := httptest.NewServer(f)
	t.Cleanup(func() {
		f.Reset()
		s.Close()
	})
	l := mustBuild(t, im).Layers()[0]
	return bench{f, s.URL, l, "/v2/a/b/blobs/" + l.Descriptor.Digest.String(), "/v2/a/b/manifests/latest"}
}

// is checks a GET's status and returns header and body.
func (b bench) is(t *testing.T, status int, path string, header ...string) (http.Header, []byte) {
	t.Helper()
	resp, body, err := get(t, b.url+path, header...)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != status {
		t.Fatalf("%s answers %s, wanted %d: %.200s", path, resp.Status, status, body)
	}
	return resp.Header, body
}

func TestWithoutFaultsRangesAreServedAndBytesCounted(t *testing.T) {
	b := faulty(t)
	size := b.layer.Descriptor.Size
	if _, body := b.is(t, http.StatusOK, b.blob); !bytes.Equal(body, b.layer.Data) {
		t.Error("the whole blob differs")
	}
	h, body := b.is(t, http.StatusPartialContent, b.blob, "Range", "bytes=1000-")
	if !bytes.Equal(body, b.layer.Data[1000:]) || !strings.HasPrefix(h.Get("Content-Range"), "bytes 1000-") {
		t.Errorf("a part differs: %s", h.Get("Content-Range"))
	}
	if got := b.Served(b.layer.Descriptor.Digest); got != 2*size-1000 {
		t.Errorf("served %d bytes, wanted %d", got, 2*size-1000)
	}
	resp, err := http.Head(b.url + b.blob)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	reqs := b.Requests()
	if len(reqs) != 3 || reqs[1].Range != "bytes=1000-" || reqs[1].Status != http.StatusPartialContent || reqs[1].Blob != b.layer.Descriptor.Digest ||
		reqs[2].Method != http.MethodHead || reqs[2].Bytes != 0 || reqs[0].Path != b.blob {
		t.Errorf("recorded %+v", reqs)
	}
	if b.Count(http.MethodGet, "/blobs/") != 2 || b.Count("", b.blob) != 3 || b.Count("", "/manifests/") != 0 {
		t.Error("Count counts wrong")
	}
	b.Forget()
	if len(b.Requests()) != 0 || len(b.ServedBlobs()) != 0 {
		t.Error("Forget leaves something")
	}
}

func TestHoldStopsADownloadAfterExactlyNBytesUntilReleased(t *testing.T) {
	b := faulty(t)
	d := b.layer.Descriptor.Digest
	hold := b.Hold(fake.GetBlob(d), 70_001)
	resp, err := http.Get(b.url + b.blob)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	<-hold.Reached()
	if got := b.Served(d); got != 70_001 {
		t.Errorf("%d bytes were served at the place", got)
	}
	first := make([]byte, 70_001)
	if _, err := io.ReadFull(resp.Body, first); err != nil {
		t.Fatalf("the bytes before the place did not arrive: %v", err)
	}
	hold.Release()
	hold.Release() // again is harmless
	rest, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Equal(append(first, rest...), b.layer.Data) {
		t.Errorf("after the release: %d bytes, %v", len(rest), err)
	}
	b.is(t, http.StatusOK, b.blob) // not held any more
}

func TestAbortedHoldDropsTheConnectionAndLaterRequestsPass(t *testing.T) {
	b := faulty(t)
	hold := b.Hold(fake.Blobs, 1000)
	resp, err := http.Get(b.url + b.blob)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	<-hold.Reached()
	hold.Abort()
	if n, err := io.Copy(io.Discard, resp.Body); err == nil || n != 1000 {
		t.Errorf("read %d bytes: %v", n, err)
	}
	b.is(t, http.StatusPartialContent, b.blob, "Range", "bytes=1000-")
	if got := b.Served(b.layer.Descriptor.Digest); got != b.layer.Descriptor.Size {
		t.Errorf("served %d, wanted each byte once", got)
	}
}

func TestRegistryThatHangsAnswersNothingUntilTheClientGivesUp(t *testing.T) {
	b := faulty(t)
	hold := b.Hold(fake.Manifests, -1)
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+b.manifest, nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = resp.Body.Close()
			t.Error("an answer came")
		}
	})
	<-hold.Reached()
	if reqs := b.Requests(); len(reqs) != 1 || reqs[0].Status != 0 {
		t.Errorf("recorded %+v", reqs)
	}
	cancel()
	wg.Wait()
}

func TestResetReleasesWhatIsHeldAndRemovesFaults(t *testing.T) {
	b := faulty(t)
	b.On(fake.Manifests, fake.HTML())
	hold := b.Hold(fake.Blobs, -1)
	var wg sync.WaitGroup
	wg.Go(func() {
		resp, body, err := get(t, b.url+b.blob)
		if err != nil || resp.StatusCode != http.StatusOK || !bytes.Equal(body, b.layer.Data) {
			t.Errorf("the held answer: %v", err)
		}
	})
	<-hold.Reached()
	b.Reset()
	wg.Wait()
	if h, _ := b.is(t, http.StatusOK, b.manifest); strings.HasPrefix(h.Get("Content-Type"), "text/html") {
		t.Error("the fault is still there")
	}
}

func TestFaultsCanBeRemovedCountedAndNested(t *testing.T) {
	b := faulty(t)
	remove := b.On(fake.GetManifest("latest"), fake.HTML())
	b.is(t, http.StatusOK, b.manifest)
	remove()
	b.Times(2, fake.Manifests, fake.Status(http.StatusServiceUnavailable, "UNAVAILABLE", "later"))
	b.is(t, http.StatusServiceUnavailable, b.manifest)
	b.is(t, http.StatusServiceUnavailable, b.manifest)
	b.is(t, http.StatusOK, b.manifest)
	b.On(fake.Blobs, fake.Corrupt())
	b.On(fake.Blobs, fake.IgnoreRange())
	if _, body := b.is(t, http.StatusOK, b.blob, "Range", "bytes=10-"); digest.FromBytes(body) == b.layer.Descriptor.Digest || len(body) != len(b.layer.Data) {
		t.Error("the two faults did not both apply")
	}
}

func TestCloseAfterBreaksTheConnectionHalfWay(t *testing.T) {
	b := faulty(t)
	b.On(fake.Blobs, fake.CloseAfter(5000))
	_, body, err := get(t, b.url+b.blob)
	if err == nil || len(body) != 5000 || b.Served(b.layer.Descriptor.Digest) != 5000 {
		t.Errorf("got %d bytes: %v", len(body), err)
	}
}

func TestFaultsAnswerAsNamed(t *testing.T) {
	b := faulty(t)
	for _, c := range []struct {
		name   string
		fault  fake.Fault
		path   string
		send   string // Range header
		status int
		check  func(h http.Header, body []byte) bool
	}{
		{"HTML", fake.HTML(), b.manifest, "", 200, func(h http.Header, body []byte) bool {
			return strings.HasPrefix(h.Get("Content-Type"), "text/html") && bytes.Contains(body, []byte("<script>"))
		}},
		{"429", fake.TooManyRequests("17"), b.manifest, "", 429, func(h http.Header, body []byte) bool {
			return h.Get("Retry-After") == "17" && bytes.Contains(body, []byte("TOOMANYREQUESTS"))
		}},
		{"429 without Retry-After", fake.TooManyRequests(""), b.manifest, "", 429, func(h http.Header, _ []byte) bool { return len(h.Values("Retry-After")) == 0 }},
		{"401", fake.Challenge(`Basic realm="x"`), b.manifest, "", 401, func(h http.Header, body []byte) bool {
			return h.Get("WWW-Authenticate") == `Basic realm="x"` && bytes.Contains(body, []byte("UNAUTHORIZED"))
		}},
		{"500", fake.Status(500, "UNKNOWN", "oh"), b.manifest, "", 500, func(_ http.Header, body []byte) bool {
			return string(body) == `{"errors":[{"code":"UNKNOWN","message":"oh"}]}`
		}},
		{"wrong digest", fake.WrongDigest(), b.manifest, "", 200, func(h http.Header, body []byte) bool {
			d := digest.Digest(h.Get("Docker-Content-Digest"))
			return d.Validate() == nil && d != digest.FromBytes(body)
		}},
		{"no digest", fake.NoDigest(), b.manifest, "", 200, func(h http.Header, _ []byte) bool { return len(h.Values("Docker-Content-Digest")) == 0 }},
		{"Range ignored", fake.IgnoreRange(), b.blob, "bytes=100-", 200, func(h http.Header, body []byte) bool {
			return bytes.Equal(body, b.layer.Data) && h.Get("Accept-Ranges") == ""
		}},
		{"Range refused", fake.RefuseRange(), b.blob, "bytes=100-", 416, func(http.Header, []byte) bool { return true }},
		{"Range refused, whole", fake.RefuseRange(), b.blob, "", 200, func(_ http.Header, body []byte) bool { return bytes.Equal(body, b.layer.Data) }},
		{"wrong range", fake.WrongRange(), b.blob, "bytes=100-", 206, func(h http.Header, body []byte) bool {
			return bytes.Equal(body, b.layer.Data[:100]) && strings.HasPrefix(h.Get("Content-Range"), "bytes 0-99/")
		}},
		{"corrupt", fake.Corrupt(), b.blob, "", 200, func(_ http.Header, body []byte) bool {
			n := len(b.layer.Data) - 1
			return len(body) == n+1 && bytes.Equal(body[:n], b.layer.Data[:n]) && body[n] != b.layer.Data[n]
		}},
		{"corrupt part", fake.Corrupt(), b.blob, "bytes=100-", 206, func(_ http.Header, body []byte) bool { return body[len(body)-1] != b.layer.Data[len(b.layer.Data)-1] }},
		{"replaced", fake.Replace("application/json", []byte("{}")), b.manifest, "", 200, func(h http.Header, body []byte) bool {
			return string(body) == "{}" && h.Get("Content-Type") == "application/json"
		}},
		{"schema 1", fake.Replace(sample.MediaTypeSchema1, sample.Schema1("a/b", "latest")), b.manifest, "", 200, func(_ http.Header, body []byte) bool {
			var m struct{ SchemaVersion int }
			return json.Unmarshal(body, &m) == nil && m.SchemaVersion == 1
		}},
		{"slow", fake.Slow(1 << 30), b.blob, "", 200, func(_ http.Header, body []byte) bool { return bytes.Equal(body, b.layer.Data) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer b.Reset()
			b.On(fake.Any, c.fault)
			header := []string{}
			if c.send != "" {
				header = []string{"Range", c.send}
			}
			if h, body := b.is(t, c.status, c.path, header...); !c.check(h, body) {
				t.Errorf("answered %v %.100q", h, body)
			}
		})
	}
	if _, body := b.is(t, 200, b.blob); !bytes.Equal(body, b.layer.Data) {
		t.Error("a fault changed the registry's own bytes")
	}
}

func TestSlowKeepsToItsRate(t *testing.T) {
	b := faulty(t)
	rate := b.layer.Descriptor.Size * 5 // a fifth of a second
	b.On(fake.Blobs, fake.Slow(rate))
	start := time.Now()
	b.is(t, http.StatusOK, b.blob)
	if took := time.Since(start); took < 200*time.Millisecond {
		t.Errorf("took %s, wanted 200 ms or more", took)
	}
}

func TestRedirectLeadsToAnotherHost(t *testing.T) {
	b, other := faulty(t), faulty(t)
	b.On(fake.Blobs, fake.Redirect(other.url))
	if _, body := b.is(t, http.StatusOK, b.blob); !bytes.Equal(body, b.layer.Data) {
		t.Error("the redirected blob differs")
	}
	d := b.layer.Descriptor.Digest
	if b.Served(d) != 0 || other.Served(d) != b.layer.Descriptor.Size {
		t.Errorf("served %d here and %d there", b.Served(d), other.Served(d))
	}
}

func TestSelfIndexNamesItselfAndItsTrueLength(t *testing.T) {
	b := faulty(t)
	b.On(fake.Manifests, fake.SelfIndex())
	reference := "latest"
	for range 3 {
		h, body := b.is(t, http.StatusOK, "/v2/a/b/manifests/"+reference)
		var ix struct {
			Manifests []struct {
				Digest string
				Size   int
			}
		}
		if err := json.Unmarshal(body, &ix); err != nil {
			t.Fatal(err)
		}
		e := ix.Manifests[0]
		if h.Get("Docker-Content-Digest") != e.Digest || e.Size != len(body) || (reference != "latest" && e.Digest != reference) {
			t.Errorf("%s answers %s as %s", reference, body, h.Get("Docker-Content-Digest"))
		}
		if digest.FromBytes(body).String() == e.Digest {
			t.Fatal("the impossible was built")
		}
		reference = e.Digest
	}
}

func TestHugeManifestIsAsLongAsAskedAndValid(t *testing.T) {
	b := faulty(t)
	for _, declared := range []bool{true, false} {
		remove := b.On(fake.Manifests, fake.HugeManifest(3<<20, declared))
		h, body := b.is(t, http.StatusOK, b.manifest)
		if len(body) != 3<<20 || !json.Valid(body) || (h.Get("Content-Length") == strconv.Itoa(3<<20)) != declared {
			t.Errorf("declared %v: %d bytes, Content-Length %q", declared, len(body), h.Get("Content-Length"))
		}
		remove()
	}
}

func TestBasicAuthLetsOnlyTheRightPasswordPass(t *testing.T) {
	b := faulty(t)
	b.On(fake.Any, fake.BasicAuth("ann", "secret"))
	h, _ := b.is(t, http.StatusUnauthorized, b.manifest)
	if !strings.HasPrefix(h.Get("WWW-Authenticate"), "Basic ") {
		t.Errorf("challenge is %q", h.Get("WWW-Authenticate"))
	}
	b.is(t, http.StatusUnauthorized, b.manifest, "Authorization", "Basic YW5uOndyb25n") // ann:wrong
	b.is(t, http.StatusOK, b.manifest, "Authorization", "Basic YW5uOnNlY3JldA==")       // ann:secret
}

func TestTokenAuthGivesTokensToThoseWhoSignIn(t *testing.T) {
	b := faulty(t)
	b.On(fake.Any, fake.TokenAuth("ann", "secret"))
	h, _ := b.is(t, http.StatusUnauthorized, b.blob)
	if want := `Bearer realm="` + b.url + `/token",service="sample",scope="repository:a/b:pull"`; h.Get("WWW-Authenticate") != want {
		t.Errorf("challenge is %s", h.Get("WWW-Authenticate"))
	}
	b.is(t, http.StatusUnauthorized, "/token?service=sample")
	b.is(t, http.StatusUnauthorized, b.blob, "Authorization", "Bearer wrong")
	_, body := b.is(t, http.StatusOK, "/token?service=sample", "Authorization", "Basic YW5uOnNlY3JldA==")
	var answer struct{ Token string }
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatal(err)
	}
	b.is(t, http.StatusOK, b.blob, "Authorization", "Bearer "+answer.Token)

	b.Reset()
	b.On(fake.Any, fake.TokenAuth("", ""))
	_, body = b.is(t, http.StatusOK, "/token")
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatal(err)
	}
	b.is(t, http.StatusOK, b.manifest, "Authorization", "Bearer "+answer.Token)
}
