package distribution

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/pull/mirror"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage"
)

// flip changes one byte of a stored blob.
func (s *testShelf) flip(d image.Digest) {
	s.t.Helper()
	raw, err := os.ReadFile(s.file(d))
	if err != nil {
		s.t.Fatal(err)
	}
	raw[len(raw)*2/3] ^= 0x04
	s.replace(d, raw)
}

// reopen is the shelf's next process, which knows of no blob whether it is what it should be.
func (s *testShelf) reopen() {
	s.t.Helper()
	s.server.Close()
	if err := errors.Join(s.queue.Close(context.Background()), s.store.Close()); err != nil {
		s.t.Fatal(err)
	}
	var err error
	amd64 := image.Platform{OS: "linux", Architecture: "amd64"}
	if s.store, err = storage.Open(s.t.Context(), storage.Options{Dir: s.dir, DefaultPlatform: amd64}); err != nil {
		s.t.Fatal(err)
	}
	s.jobs = job.NewRunner(s.store.Jobs, nil, nil)
	s.queue = pull.New(pull.Options{Source: s.source, Blobs: s.store.Blobs, Space: s.store.Space, Images: s.store.Images, Recorder: s.store.Recorder, Runner: s.jobs, DefaultPlatform: amd64})
	if err := s.queue.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	if s.mirror != nil {
		s.mirror = mirror.New(mirror.Options{Queue: s.queue, Jobs: s.jobs, Blobs: s.store.Blobs, Images: s.store.Images, Registries: []string{hub}, Fresh: time.Hour, Logger: s.logger()})
	}
	s.server = httptest.NewServer(New(Options{Serving: s.store.Serving, Blobs: s.store.Blobs, Images: s.store.Images, Downloads: s.store.Downloads, Mirror: s.mirror, Logger: s.logger()}))
}

// piece is a blob of an image on the shelf.
type piece struct {
	what   string
	path   string // where it is served
	digest image.Digest
	bytes  []byte
	code   string // of the error for it
}

// pieces returns ten blobs of several images: layers small and large, configs, manifests small and large, indexes.
func (s *testShelf) pieces() []piece {
	s.t.Helper()
	long := made("amd64", "long")
	long.Annotations = map[string]string{"long": string(bytes.Repeat([]byte("annotation "), 10_000))}
	index := s.pull("debian:12", multi("deb"), "linux/amd64", "linux/arm64")
	big := s.pull("redis:7", large(1<<20), "linux/amd64", "linux/arm64")
	one := s.pull("alpine:3", made("amd64", "alp"))
	annotated := s.pull("busybox:1", long)
	manifest := func(name string, b sample.Built) piece {
		return piece{name, name + "/manifests/" + b.Digest().String(), b.Digest(), b.Body, manifestUnknown}
	}
	blob := func(name string, b sample.Blob) piece {
		return piece{name, name + "/blobs/" + b.Descriptor.Digest.String(), b.Descriptor.Digest, b.Data, blobUnknown}
	}
	amd64, _ := index.For("linux/amd64")
	arm64, _ := index.For("linux/arm64")
	large, _ := big.For("linux/amd64")
	other, _ := big.For("linux/arm64")
	return []piece{
		manifest("debian", index), manifest("debian", arm64), manifest("busybox", annotated), manifest("redis", big),
		blob("debian", amd64.Blobs[0]), blob("alpine", one.Blobs[0]),
		blob("debian", amd64.Layers()[0]), blob("redis", large.Layers()[1]), blob("redis", other.Layers()[1]), blob("alpine", one.Layers()[0]),
	}
}

// fetch asks for a path, and gives what a client has at the end; whole tells whether it takes that for the whole.
func (s *testShelf) fetch(path string, headers ...string) (status int, body []byte, whole bool) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.server.URL+"/v2/"+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, false
	}
	defer res.Body.Close()
	body, err = io.ReadAll(res.Body)
	return res.StatusCode, body, err == nil
}

func TestNoDamagedBlobIsServedWholeEachIsNamedAndPullingAgainMendsIt(t *testing.T) {
	s := newShelf(t)
	pieces := s.pieces()
	for _, p := range pieces {
		s.flip(p.digest)
	}
	s.reopen()
	for _, p := range pieces {
		if status, body, whole := s.fetch(p.path); status == http.StatusOK && (whole || len(body) > max(0, len(p.bytes)-64<<10)) {
			t.Errorf("%s: %d bytes of %d came, whole: %v", p.path, len(body), len(p.bytes), whole)
		}
		s.get(p.path).refused(http.StatusNotFound, p.code)
	}
	s.reopen()
	var want, named []image.Digest
	for _, p := range pieces {
		want = append(want, p.digest)
		s.get(p.path).refused(http.StatusNotFound, p.code)
		s.get(p.path, "Range", "bytes=0-9").refused(http.StatusNotFound, p.code)
	}
	damaged, total, err := s.store.Blobs.Damaged(t.Context(), 100, 3)
	if err != nil || total != len(pieces) {
		t.Fatalf("%d are named, %v", total, err)
	}
	for _, b := range damaged {
		named = append(named, b.Digest)
		for _, u := range b.Needs {
			j, _, err := s.queue.Pull(t.Context(), pull.Request{Reference: u.Reference, Platforms: u.Platforms, By: image.ActorNamed("mira")})
			if err != nil {
				t.Fatal(err)
			}
			if j := s.over(j.ID); j.State != job.Done {
				t.Errorf("%s: %+v", u.Reference, j.Problem)
			}
		}
		if len(b.Needs) == 0 {
			t.Errorf("%s belongs to nothing", b.Digest)
		}
	}
	slices.Sort(want)
	if !slices.Equal(named, want) {
		t.Errorf("%v are named, want %v", named, want)
	}
	for range 2 {
		for _, p := range pieces {
			s.get(p.path).is(http.StatusOK, p.bytes)
		}
		s.reopen()
	}
	if _, total, err := s.store.Blobs.Damaged(t.Context(), 100, 3); err != nil || total != 0 {
		t.Errorf("%d are damaged after all, %v", total, err)
	}
}

// TestPullingAgainMendsWhatNobodyHasReadYet flips what was proved by nobody since the start.
func TestPullingAgainMendsWhatNobodyHasReadYet(t *testing.T) {
	s := newShelf(t)
	ref, b := s.push("redis:7", large(1<<20))
	amd64 := image.Platform{OS: "linux", Architecture: "amd64"}
	again := func() job.Job {
		t.Helper()
		j, _, err := s.queue.Pull(t.Context(), pull.Request{Reference: ref, Platforms: []image.Platform{amd64}, By: image.ActorNamed("mira")})
		if err != nil {
			t.Fatal(err)
		}
		j = s.over(j.ID)
		if j.State != job.Done {
			t.Fatalf("%+v", j.Problem)
		}
		return j
	}
	again()
	one, _ := b.For("linux/amd64")
	layer, config := one.Layers()[1].Descriptor, one.Blobs[0].Descriptor
	for _, d := range []image.Digest{layer.Digest, config.Digest, one.Digest(), b.Digest()} {
		s.flip(d)
	}
	s.reopen()
	before := s.faulty.Served(layer.Digest)
	again()
	if n := s.faulty.Served(layer.Digest) - before; n != layer.Size {
		t.Errorf("%d bytes of the layer were fetched, of %d", n, layer.Size)
	}
	s.client("redis", "7", "linux/amd64", b)
	s.reopen()
	before = s.faulty.Served(layer.Digest)
	again()
	if n := s.faulty.Served(layer.Digest) - before; n != 0 {
		t.Errorf("%d bytes were fetched of what is right", n)
	}
}

func TestARangeOfABlobIsServedOnceTheWholeIsProved(t *testing.T) {
	s := newShelf(t)
	b := s.pull("redis:7", large(1<<20), "linux/amd64")
	one, _ := b.For("linux/amd64")
	layer := one.Layers()[1]
	path := "redis/blobs/" + layer.Descriptor.Digest.String()
	s.reopen()
	s.get(path, "Range", "bytes=1000-1999").is(http.StatusPartialContent, layer.Data[1000:2000])
	s.flip(layer.Descriptor.Digest)
	s.reopen()
	s.get(path, "Range", "bytes=0-9").refused(http.StatusNotFound, blobUnknown)
	s.get(path).refused(http.StatusNotFound, blobUnknown)
}

func TestAMirrorFetchesADamagedBlobAnewForItsClientAndMendsIt(t *testing.T) {
	s := newShelf(t, hub)
	b := s.pull("debian:12", multi("mirror"), "linux/amd64")
	big := s.pull("redis:7", large(1<<20), "linux/amd64")
	one, _ := b.For("linux/amd64")
	huge, _ := big.For("linux/amd64")
	layer := huge.Layers()[1].Descriptor
	for _, d := range []image.Digest{one.Layers()[0].Descriptor.Digest, one.Blobs[0].Descriptor.Digest, one.Digest(), b.Digest(), layer.Digest} {
		s.flip(d)
	}
	s.reopen()
	s.client("debian", "12", "linux/amd64", b)
	s.fetch("redis/blobs/" + layer.Digest.String()) // where it is found
	s.client("redis", "7", "linux/amd64", big)
	for _, j := range s.jobs.Active() {
		s.over(j.ID)
	}
	s.reopen()
	s.client("redis", "7", "linux/amd64", big)
	damaged, _, err := s.store.Blobs.Damaged(t.Context(), 10, 1)
	if err != nil || slices.ContainsFunc(damaged, func(d shelf.DamagedBlob) bool { return d.Layer }) {
		t.Errorf("damaged are %+v, %v", damaged, err)
	}
}

func TestABlobWhoseFileIsGoneIsNamedToo(t *testing.T) {
	s := newShelf(t)
	b := s.pull("alpine:3", made("amd64", "alp"))
	layer := b.Layers()[0].Descriptor.Digest
	if err := os.Remove(filepath.Join(s.dir, "blobs", "sha256", layer.Encoded())); err != nil {
		t.Fatal(err)
	}
	s.get("alpine/blobs/"+layer.String()).refused(http.StatusNotFound, blobUnknown)
	damaged, total, err := s.store.Blobs.Damaged(t.Context(), 10, 3)
	if err != nil || total != 1 || damaged[0].Digest != layer || fmt.Sprint(damaged[0].Needs) == "[]" {
		t.Errorf("%+v, %v", damaged, err)
	}
}
