package sample_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/regclient/regclient"
	"github.com/regclient/regclient/config"
	"github.com/regclient/regclient/types/descriptor"
	"github.com/regclient/regclient/types/manifest"
	"github.com/regclient/regclient/types/ref"

	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
)

// shared is a library whose images are built once for all tests.
var shared = sync.OnceValue(sample.Library)

// library is the demo's registry served on loopback, and its host.
func library(t *testing.T) (*fake.Registry, string) {
	t.Helper()
	r, err := fake.NewRegistry(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(r)
	t.Cleanup(func() {
		s.Close()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, strings.TrimPrefix(s.URL, "http://")
}

func client(host string) *regclient.RegClient {
	return regclient.New(regclient.WithConfigHost(config.Host{Name: host, Hostname: host, TLS: config.TLSDisabled, ReqConcurrent: 4}))
}

func TestEveryImagePulledBackHasTheDigestsAndDiffIDsItStates(t *testing.T) {
	r, host := library(t)
	p := puller{t: t, ctx: t.Context(), rc: client(host), seen: map[string]bool{}}
	for _, at := range r.Tags() {
		top, err := ref.New(host + "/" + at.Repository + ":" + at.Tag)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.manifest(top); got != at.Descriptor.Digest.String() {
			t.Errorf("%s:%s is %s, pushed as %s", at.Repository, at.Tag, got, at.Descriptor.Digest)
		}
	}
	rolling, err := sample.Rolling(1)
	if err != nil {
		t.Fatal(err)
	}
	moving, err := ref.New(host + "/" + sample.MovingRepository + ":" + sample.MovingTag)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.manifest(moving); got != build(t, rolling).Digest().String() {
		t.Errorf("the moving tag starts at %s, not at version 1", got)
	}
	if p.layers < 180 {
		t.Errorf("%d layers were unpacked, which is too few to be the whole library", p.layers)
	}
}

// puller pulls manifests with all they refer to; regclient checks digests and sizes, the puller diff IDs.
type puller struct {
	t      *testing.T
	ctx    context.Context
	rc     *regclient.RegClient
	seen   map[string]bool
	layers int
}

func (p *puller) manifest(r ref.Ref) string {
	p.t.Helper()
	m, err := p.rc.ManifestGet(p.ctx, r)
	if err != nil {
		p.t.Fatalf("%s: %v", r.CommonName(), err)
	}
	d := m.GetDescriptor().Digest.String()
	body, err := m.RawBody()
	if err != nil {
		p.t.Fatal(err)
	}
	if got := digest.FromBytes(body).String(); got != d {
		p.t.Errorf("%s: body has digest %s, not %s", r.CommonName(), got, d)
	}
	if p.seen[r.Repository+d] {
		return d
	}
	p.seen[r.Repository+d] = true
	if ix, ok := m.(manifest.Indexer); ok {
		list, err := ix.GetManifestList()
		if err != nil {
			p.t.Fatal(err)
		}
		for _, e := range list {
			p.manifest(r.SetDigest(e.Digest.String()))
		}
		return d
	}
	im, ok := m.(manifest.Imager)
	if !ok {
		p.t.Fatalf("%s is neither an index nor an image: %T", r.CommonName(), m)
	}
	conf, err := im.GetConfig()
	if err != nil {
		p.t.Fatal(err)
	}
	layers, err := im.GetLayers()
	if err != nil {
		p.t.Fatal(err)
	}
	var file v1.Image
	if err := json.Unmarshal(p.blob(r, conf, ""), &file); err != nil {
		p.t.Fatalf("config of %s: %v", r.CommonName(), err)
	}
	isImage := conf.MediaType == v1.MediaTypeImageConfig || conf.MediaType == sample.MediaTypeDockerConfig
	if isImage && len(file.RootFS.DiffIDs) != len(layers) {
		p.t.Fatalf("%s has %d layers and %d diff IDs", r.CommonName(), len(layers), len(file.RootFS.DiffIDs))
	}
	for i, l := range layers {
		want := digest.Digest("")
		if isImage {
			want = file.RootFS.DiffIDs[i]
		}
		if key := r.Repository + l.Digest.String() + want.String(); !p.seen[key] {
			p.seen[key] = true
			p.blob(r, l, want)
			p.layers++
		}
	}
	return d
}

// blob reads a blob to its end, where regclient compares digest and size, and compares the diff ID.
func (p *puller) blob(r ref.Ref, d descriptor.Descriptor, diffID digest.Digest) []byte {
	p.t.Helper()
	b, err := p.rc.BlobGet(p.ctx, r, d)
	if err != nil {
		p.t.Fatalf("blob %s of %s: %v", d.Digest, r.CommonName(), err)
	}
	data, err := io.ReadAll(b)
	if err != nil {
		p.t.Fatalf("blob %s of %s: %v", d.Digest, r.CommonName(), err)
	}
	if err := b.Close(); err != nil {
		p.t.Fatal(err)
	}
	if int64(len(data)) != d.Size {
		p.t.Errorf("blob %s of %s has %d bytes, not %d", d.Digest, r.CommonName(), len(data), d.Size)
	}
	if diffID != "" {
		if got := unpackedDigest(p.t, d.MediaType, data); got != diffID {
			p.t.Errorf("layer %s of %s has diff ID %s, not %s", d.Digest, r.CommonName(), got, diffID)
		}
	}
	return data
}

// unpackedDigest is the digest of what a layer holds once it is decompressed.
func unpackedDigest(t *testing.T, mediaType string, blob []byte) digest.Digest {
	t.Helper()
	r := unpacked(t, mediaType, blob)
	d, err := digest.FromReader(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatalf("unpack %s: %v", mediaType, err)
	}
	return d
}

func unpacked(t *testing.T, mediaType string, blob []byte) io.ReadCloser {
	t.Helper()
	switch {
	case strings.HasSuffix(mediaType, "gzip"):
		z, err := gzip.NewReader(bytes.NewReader(blob))
		if err != nil {
			t.Fatal(err)
		}
		return z
	case strings.HasSuffix(mediaType, "zstd"):
		z, err := zstd.NewReader(bytes.NewReader(blob), zstd.WithDecoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		return z.IOReadCloser()
	default:
		return io.NopCloser(bytes.NewReader(blob))
	}
}

func build(t *testing.T, s sample.Source) sample.Built {
	t.Helper()
	b, err := s.Build()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func at(t *testing.T, repository, tag string) sample.Built {
	t.Helper()
	s, ok := sample.Lookup(shared(), repository, tag)
	if !ok {
		t.Fatalf("%s:%s is not in the library", repository, tag)
	}
	return build(t, s)
}

func platform(t *testing.T, b sample.Built, name string) (sample.Built, v1.Image) {
	t.Helper()
	m, ok := b.For(name)
	if !ok {
		t.Fatalf("no %s in the index", name)
	}
	var file v1.Image
	if err := json.Unmarshal(m.Blobs[0].Data, &file); err != nil {
		t.Fatal(err)
	}
	return m, file
}

func TestTwoBuildsOfTheLibraryHaveEqualDigests(t *testing.T) {
	first, second := shared(), sample.Library()
	for i := range first {
		a, b := build(t, first[i].Source), build(t, second[i].Source)
		if a.Digest() != b.Digest() {
			t.Errorf("%s %v differs between builds: %s and %s", first[i].Repository, first[i].Tags, a.Digest(), b.Digest())
		}
	}
}

func TestLibraryIsSmallEnoughForMemory(t *testing.T) {
	stored := map[string]int64{} // a registry keeps a blob once in each repository
	for _, e := range shared() {
		for m := range build(t, e.Source).All() {
			for _, b := range m.Blobs {
				stored[e.Repository+"@"+b.Descriptor.Digest.String()] = b.Descriptor.Size
			}
		}
	}
	var total int64
	for _, n := range stored {
		total += n
	}
	if total < 20_000_000 || total > 60_000_000 {
		t.Errorf("the library takes %d bytes, wanted 20 to 60 MB", total)
	}
}

func TestUbuntu2204AndLatestAreOneDockerManifestList(t *testing.T) {
	a, b := at(t, "library/ubuntu", "22.04"), at(t, "library/ubuntu", "latest")
	if a.Digest() != b.Digest() {
		t.Errorf("22.04 is %s, latest is %s", a.Digest(), b.Digest())
	}
	if a.Descriptor.MediaType != sample.MediaTypeDockerManifestList {
		t.Errorf("media type is %s", a.Descriptor.MediaType)
	}
	got := []string{}
	for _, c := range a.Children {
		got = append(got, sample.PlatformString(*c.Descriptor.Platform))
		if c.Descriptor.MediaType != sample.MediaTypeDockerManifest || c.Blobs[0].Descriptor.MediaType != sample.MediaTypeDockerConfig ||
			c.Layers()[0].Descriptor.MediaType != "application/vnd.docker.image.rootfs.diff.tar.gzip" {
			t.Errorf("not docker's media types: %s, %s, %s", c.Descriptor.MediaType, c.Blobs[0].Descriptor.MediaType, c.Layers()[0].Descriptor.MediaType)
		}
	}
	if want := []string{"linux/amd64", "linux/arm/v7", "linux/arm64/v8"}; !slices.Equal(got, want) {
		t.Errorf("platforms are %v, wanted %v", got, want)
	}
}

func TestPostgresHas13LayersAnd25HistoryEntries(t *testing.T) {
	ix := at(t, "library/postgres", "15")
	if ix.Descriptor.MediaType != v1.MediaTypeImageIndex {
		t.Errorf("media type is %s", ix.Descriptor.MediaType)
	}
	for _, name := range []string{"linux/amd64", "linux/arm64/v8", "linux/arm/v7", "linux/386"} {
		m, file := platform(t, ix, name)
		if len(m.Layers()) != 13 || len(file.History) != 25 {
			t.Errorf("%s has %d layers and %d history entries", name, len(m.Layers()), len(file.History))
		}
		made := 0
		for _, h := range file.History {
			if !h.EmptyLayer {
				made++
			}
		}
		if made != 13 {
			t.Errorf("%s: %d history entries made a layer, wanted 13", name, made)
		}
		if !slices.IsSortedFunc(file.History, func(a, b v1.History) int { return a.Created.Compare(*b.Created) }) {
			t.Errorf("%s: history is not in order of time", name)
		}
	}
}

func TestDebiansLayerIsTheBaseOfOtherImages(t *testing.T) {
	for _, arch := range []string{"linux/amd64", "linux/arm64/v8"} {
		debian, _ := platform(t, at(t, "library/debian", "12"), arch)
		base := debian.Layers()[0].Descriptor.Digest
		for _, name := range []string{"library/postgres:15", "library/postgres:16", "library/nginx:1.27", "library/redis:7", "acme/api:v2.14.0", "acme/api:v2.12.0"} {
			repository, tag, _ := strings.Cut(name, ":")
			m, _ := platform(t, at(t, repository, tag), arch)
			if got := m.Layers()[0].Descriptor.Digest; got != base {
				t.Errorf("base layer of %s for %s is %s, not debian's %s", name, arch, got, base)
			}
		}
	}
}

func TestPlatformsDoNotShareLayersThatHoldPrograms(t *testing.T) {
	ix := at(t, "library/debian", "12")
	a, _ := platform(t, ix, "linux/amd64")
	b, _ := platform(t, ix, "linux/arm64/v8")
	if a.Layers()[0].Descriptor.Digest == b.Layers()[0].Descriptor.Digest {
		t.Error("amd64 and arm64 have the same root file system")
	}
}

func TestAPIHasALongHistoryAndLabelsAndReleases(t *testing.T) {
	digests := map[digest.Digest]bool{}
	for _, tag := range []string{"v2.14.0", "v2.13.2", "v2.12.0"} {
		ix := at(t, "acme/api", tag)
		digests[ix.Digest()] = true
		_, file := platform(t, ix, "linux/arm64/v8")
		if len(file.History) < 40 {
			t.Errorf("%s has %d history entries, wanted 40 or more", tag, len(file.History))
		}
		if got := file.Config.Labels[v1.AnnotationVersion]; got != tag {
			t.Errorf("label %s of %s is %q", v1.AnnotationVersion, tag, got)
		}
	}
	if len(digests) != 3 {
		t.Errorf("three releases have %d digests", len(digests))
	}
}

func TestRedisInZstdHoldsTheSameFilesInOtherBlobs(t *testing.T) {
	a, _ := platform(t, at(t, "library/redis", "7"), "linux/amd64")
	b, _ := platform(t, at(t, "library/redis", "7-zstd"), "linux/amd64")
	if !slices.Equal(a.DiffIDs, b.DiffIDs) {
		t.Error("diff IDs differ")
	}
	for i := range a.Layers() {
		x, y := a.Layers()[i].Descriptor, b.Layers()[i].Descriptor
		if x.Digest == y.Digest || x.MediaType != v1.MediaTypeImageLayerGzip || y.MediaType != v1.MediaTypeImageLayerZstd {
			t.Errorf("layer %d: %s %s and %s %s", i, x.MediaType, x.Digest, y.MediaType, y.Digest)
		}
	}
}

func TestUnusualImagesAreWhatTheirNamesSay(t *testing.T) {
	for _, name := range []string{"test/amd64-only", "test/arm64-only"} {
		b := at(t, name, "latest")
		if len(b.Children) != 0 || "test/"+b.Descriptor.Platform.Architecture+"-only" != name {
			t.Errorf("%s is not a single manifest of its platform", name)
		}
	}
	if b := at(t, "test/no-layers", "latest"); len(b.Layers()) != 0 || len(b.Blobs) != 1 {
		t.Errorf("no-layers has %d blobs", len(b.Blobs))
	}
	if b := at(t, "test/no-created", "latest"); strings.Contains(string(b.Blobs[0].Data), "created\"") {
		t.Errorf("no-created states a date: %s", b.Blobs[0].Data)
	}
	if b := at(t, "test/no-history", "latest"); strings.Contains(string(b.Blobs[0].Data), "history") || len(b.Layers()) != 2 {
		t.Errorf("no-history has a history or not two layers: %s", b.Blobs[0].Data)
	}
	nested := at(t, "test/nested-index", "latest")
	if len(nested.Children[1].Children) != 2 || nested.Children[1].Descriptor.MediaType != v1.MediaTypeImageIndex {
		t.Error("nested-index has no index inside")
	}
	versions := []string{}
	for _, c := range at(t, "acme/windows-agent", "1.4").Children {
		versions = append(versions, c.Descriptor.Platform.OS+" "+c.Descriptor.Platform.OSVersion)
	}
	if want := []string{"windows 10.0.17763.5329", "windows 10.0.20348.2227"}; !slices.Equal(versions, want) {
		t.Errorf("windows-agent has %v", versions)
	}
	if b := at(t, "charts/mychart", "0.1.0"); b.Blobs[0].Descriptor.MediaType != "application/vnd.cncf.helm.config.v1+json" {
		t.Errorf("mychart's config is %s", b.Blobs[0].Descriptor.MediaType)
	}
	if len(sample.LongTag) != 128 || len(sample.LongRepository) < 190 || len(sample.LongRepository) > 255 {
		t.Errorf("long names have %d and %d characters", len(sample.LongRepository), len(sample.LongTag))
	}
	if s, ok := sample.Lookup(shared(), "library/postgres", "9"); ok {
		t.Errorf("library/postgres:9 was found: %v", s)
	}
}

func TestHostileImageHasMarkupUnescapedInItsBytes(t *testing.T) {
	b := at(t, "acme/hostile", "latest")
	for _, text := range []string{"<script>alert(1)</script>", "\u202e", strings.Repeat("0123456789abcdef", 256), "X=<svg onload=alert(3)>"} {
		if !strings.Contains(string(b.Blobs[0].Data), strings.ReplaceAll(text, `"`, `\"`)) {
			t.Errorf("config does not hold %.40q as it is", text)
		}
	}
	if !strings.Contains(string(b.Body), "<script>alert(8)</script>") {
		t.Error("manifest does not hold markup as it is")
	}
}
