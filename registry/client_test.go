package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/test/outside"
)

func TestDocumentGivesTheRegistrysOwnBytes(t *testing.T) {
	_, host := realRegistry(t, nil)
	img := newImage(t, []byte("layer"))
	index := newIndex(t, img)
	push(t, host, "team/app", "amd64", img)
	pushManifest(t, host, "team/app", "1.2", ocispec.MediaTypeImageIndex, index)
	c := client(t, Options{})

	byTag, err := c.Document(t.Context(), mustRef(t, host+"/team/app:1.2"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(byTag.Raw, index) || byTag.Digest != image.DigestOf(index) || byTag.Index == nil {
		t.Errorf("index by tag: got %s, %d bytes", byTag.Digest, len(byTag.Raw))
	}
	byDigest, err := c.Document(t.Context(), mustRef(t, host+"/team/app@"+img.digest().String()))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(byDigest.Raw, img.raw) || byDigest.Manifest == nil || len(byDigest.Manifest.Layers) != 1 {
		t.Errorf("manifest by digest: got %s, %d bytes", byDigest.Digest, len(byDigest.Raw))
	}
}

func TestHeadIsOneRequestAndNoGET(t *testing.T) {
	rec, host := realRegistry(t, nil)
	img := newImage(t, []byte("layer"))
	push(t, host, "app", "1", img)
	before := len(rec.Requests())
	d, err := client(t, Options{}).Head(t.Context(), mustRef(t, host+"/app:1"))
	if err != nil {
		t.Fatal(err)
	}
	want := image.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: img.digest(), Size: int64(len(img.raw))}
	if d.MediaType != want.MediaType || d.Digest != want.Digest || d.Size != want.Size {
		t.Errorf("descriptor is %+v, want %+v", d, want)
	}
	if got := rec.Requests()[before:]; !slices.Equal(got, []string{"HEAD /v2/app/manifests/1"}) {
		t.Errorf("requests are %v", got)
	}
}

func TestOnlyFormatsThatAreReadAreAcceptedAndNoCompression(t *testing.T) {
	img := newImage(t, []byte("layer"))
	rec, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
		manifest(w, ocispec.MediaTypeImageManifest, img.raw)
	})
	if _, err := client(t, Options{UserAgent: "stowage/1"}).Document(t.Context(), mustRef(t, host+"/app:1")); err != nil {
		t.Fatal(err)
	}
	h := rec.Last().Header
	want := []string{ocispec.MediaTypeImageIndex, ocispec.MediaTypeImageManifest, image.MediaTypeDockerManifestList,
		image.MediaTypeDockerManifest}
	if !slices.Equal(h["Accept"], want) {
		t.Errorf("Accept is %v", h["Accept"])
	}
	if got := h.Get("Accept-Encoding"); got != "identity" {
		t.Errorf("Accept-Encoding is %q", got)
	}
	if got := h.Get("User-Agent"); got != "stowage/1" {
		t.Errorf("User-Agent is %q", got)
	}
}

func TestManifestOf100MBIsCut(t *testing.T) {
	const size = 100 << 20
	for name, claim := range map[string]string{"chunked": "", "honest length": strconv.Itoa(size),
		"length that lies": "100"} {
		t.Run(name, func(t *testing.T) {
			var sent atomic.Int64
			ended := make(chan struct{})
			_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
				defer close(ended)
				w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
				if claim != "" {
					w.Header().Set("Content-Length", claim)
				}
				block := bytes.Repeat([]byte(" "), 64<<10)
				for range size / len(block) {
					n, err := w.Write(block)
					sent.Add(int64(n))
					if err != nil {
						return
					}
				}
			})
			_, err := client(t, Options{}).Document(t.Context(), mustRef(t, host+"/app:1"))
			if claim == "100" {
				// net/http lets a handler send no more than it claims
				outside.WantKind(t, err, image.Unavailable, "closed the connection")
			} else {
				outside.WantKind(t, err, image.TooLarge, host, "app:1")
			}
			<-ended
			if got := sent.Load(); got > 32<<20 { // what was read, and the buffers between
				t.Errorf("%d bytes were taken", got)
			}
		})
	}
}

func TestADigestThatDoesNotMatchIsCorrupt(t *testing.T) {
	img, other := newImage(t, []byte("layer")), newImage(t, []byte("other"))
	_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
		w.Header().Set("Docker-Content-Digest", other.digest().String())
		_, _ = w.Write(img.raw)
	})
	c := client(t, Options{})
	for _, ref := range []string{host + "/app:1", host + "/app@" + other.digest().String()} {
		_, err := c.Document(t.Context(), mustRef(t, ref))
		outside.WantKind(t, err, image.Corrupt, host, img.digest().String())
	}
	// What HEAD announces is no bytes: those of the GET have the digest.
	if d, err := c.Head(t.Context(), mustRef(t, host+"/app@"+img.digest().String())); err != nil ||
		d.Digest != img.digest() {
		t.Errorf("got %+v, %v", d, err)
	}
}

func TestTheAnnouncedDigestIsNotNeeded(t *testing.T) {
	img := newImage(t, []byte("layer"))
	_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(img.raw) })
	doc, err := client(t, Options{}).Document(t.Context(), mustRef(t, host+"/app:1"))
	if err != nil || doc.Digest != img.digest() {
		t.Errorf("got %s, %v", doc.Digest, err)
	}
}

func TestWhatIsNoImageIsRefusedAsSuch(t *testing.T) {
	chart := `{"schemaVersion":2,"config":{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":"` +
		image.DigestOf(nil).String() + `","size":0},"layers":[]}`
	for contentType, body := range map[string]string{
		ocispec.MediaTypeImageManifest:  chart,
		image.MediaTypeDockerSchema1Sig: `{"schemaVersion":1,"name":"app","fsLayers":[]}`,
		"application/vnd.oci.weird":     `{"schemaVersion":2,"mediaType":"application/vnd.oci.weird"}`,
	} {
		_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Docker-Content-Digest", image.DigestOf([]byte("signed part")).String())
			w.Header().Set("Content-Type", contentType)
			_, _ = io.WriteString(w, body)
		})
		_, err := client(t, Options{}).Document(t.Context(), mustRef(t, host+"/app:1"))
		outside.WantKind(t, err, image.NotImage)
	}
}

func TestAWebPageIsNoManifest(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusNotFound, http.StatusBadGateway} {
		_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "<html>Sign in</html>")
		})
		c := client(t, Options{})
		_, err := c.Document(t.Context(), mustRef(t, host+"/app:1"))
		outside.WantKind(t, err, image.Unavailable, host, "web page")
		_, err = c.Head(t.Context(), mustRef(t, host+"/app:1"))
		outside.WantKind(t, err, image.Unavailable, host, "web page")
	}
}

func TestEndOfContextIsGivenBackAsItIs(t *testing.T) {
	arrived := make(chan struct{})
	_, host := outside.Server(t, func(_ http.ResponseWriter, req *http.Request) {
		close(arrived)
		<-req.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	if _, err := client(t, Options{}).Document(ctx, mustRef(t, host+"/app:1")); !errors.Is(err, context.Canceled) ||
		image.KindOf(err) != image.Internal {
		t.Errorf("error is %v", err)
	}
}

func TestAHangingRegistryIsGivenUp(t *testing.T) {
	hang := func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }
	for name, opts := range map[string]Options{
		"no head of an answer": {HeaderTimeout: 50 * time.Millisecond},
		"in all":               {DocumentTimeout: 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			_, host := outside.Server(t, hang)
			_, err := client(t, opts).Head(t.Context(), mustRef(t, host+"/app:1"))
			outside.WantKind(t, err, image.Unavailable, host, "in time")
		})
	}
	t.Run("not even an answer to the probe", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close() // connections are queued and never accepted
		host := listener.Addr().String()
		_, err = client(t, Options{ConnectTimeout: 50 * time.Millisecond}).Head(t.Context(), mustRef(t, host+"/app:1"))
		outside.WantKind(t, err, image.Unavailable, host, "in time")
	})
	t.Run("a manifest byte by byte", func(t *testing.T) {
		_, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "{")
			_ = http.NewResponseController(w).Flush()
			<-req.Context().Done()
		})
		_, err := client(t, Options{DocumentTimeout: 200 * time.Millisecond}).Document(t.Context(), mustRef(t, host+"/app:1"))
		outside.WantKind(t, err, image.Unavailable, host, "in time")
	})
}

func TestFailuresAreNotRetriedAndHoldNobodyUp(t *testing.T) {
	img := newImage(t, []byte("layer"))
	rec, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		if strings.Contains(req.URL.Path, "/good/") {
			manifest(w, ocispec.MediaTypeImageManifest, img.raw)
			return
		}
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	c := client(t, Options{})
	for range 8 {
		_, err := c.Document(t.Context(), mustRef(t, host+"/bad:1"))
		outside.WantKind(t, err, image.Unavailable, host, "503")
	}
	if got := len(rec.Requests()); got != 8 {
		t.Errorf("%d requests for 8 failures", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := c.Document(ctx, mustRef(t, host+"/good/app:1")); err != nil {
		t.Errorf("after failures elsewhere: %v", err)
	}
}

func TestNothingButTheNetworkIsAsked(t *testing.T) {
	var dialled []string
	dial := func(_ context.Context, network, address string) (net.Conn, error) {
		dialled = append(dialled, address)
		return nil, &net.OpError{Op: "dial", Net: network,
			Err: &net.DNSError{Err: "no such host", Name: address, IsNotFound: true}}
	}
	c := client(t, Options{Dial: outside.Dial(nil, dial)})
	// A reference that no parser would let through: regclient's own would open a folder for it.
	_, err := c.Document(t.Context(), image.Reference{Repository: "ocidir:///etc", Tag: "1"})
	if err == nil || image.KindOf(err) == image.Internal {
		t.Errorf("error is %v", err)
	}
	_, err = c.Document(t.Context(), image.Reference{})
	outside.WantKind(t, err, image.Invalid)
	if _, err = c.Document(t.Context(),
		mustRef(t, "ubuntu")); fmt.Sprint(dialled[len(dialled)-1]) != "registry-1.docker.io:443" {
		t.Errorf("docker.io is asked at %v (%v)", dialled, err)
	}
}
