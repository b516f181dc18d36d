package pull_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
)

// upstream is a registry in memory whose answers a test can spoil.
type upstream struct {
	t *testing.T

	mu        sync.Mutex
	tags      map[string]image.Digest // by reference
	listed    []string                // references of the tags, in the order in which they were first set
	documents map[image.Digest]image.Document
	blobs     map[image.Digest][]byte
	attests   map[image.Digest][]byte // manifests of attestations
	noRanges  bool
	sends     bool  // it sends the document where it is only asked what it is
	length    int64 // what it says of the length of a document, if that is not the right one

	heads, reads int                      // requests for tags, and for indexes and manifests
	attested     int                      // requests for attestations
	lists        int                      // requests for lists of tags
	offsets      map[image.Digest][]int64 // of the requests for each blob
	open, most   int                      // blobs open now, and at most
	wait         time.Duration            // before a HEAD or a list of tags is answered
	waits        int                      // requests that wait now

	// Hooks; nil leaves the answer alone.
	head     func(ref image.Reference) error
	document func(ref image.Reference) error
	attest   func(ref image.Reference) error
	list     func() error
	blob     func(ctx context.Context, repo image.Repository, d image.Digest, nth int, body io.Reader) (io.Reader, error)
}

func newUpstream(t *testing.T) *upstream {
	return &upstream{
		t: t, tags: map[string]image.Digest{}, documents: map[image.Digest]image.Document{}, blobs: map[image.Digest][]byte{},
		offsets: map[image.Digest][]int64{}, attests: map[image.Digest][]byte{},
	}
}

// pause takes the time that the registry needs.
func (u *upstream) pause(ctx context.Context) error {
	u.mu.Lock()
	wait := u.wait
	u.waits++
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.waits--
	}()
	if wait == 0 {
		return nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// waiting tells how many requests wait for an answer.
func (u *upstream) waiting() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.waits
}

func (u *upstream) Head(ctx context.Context, ref image.Reference) (image.Descriptor, error) {
	if err := u.pause(ctx); err != nil {
		return image.Descriptor{}, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.heads++
	if u.head != nil {
		if err := u.head(ref); err != nil {
			return image.Descriptor{}, err
		}
	}
	d := ref.Digest
	if d == "" {
		d = u.tags[ref.String()]
	}
	doc, ok := u.documents[d]
	if !ok {
		return image.Descriptor{}, image.Errorf(image.NotFound, "no %s", ref)
	}
	head := doc.Descriptor()
	if u.sends {
		head.Data = doc.Raw
	}
	if u.length != 0 {
		head.Size = u.length
	}
	return head, nil
}

func (u *upstream) Document(_ context.Context, ref image.Reference) (image.Document, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.reads++
	if u.document != nil {
		if err := u.document(ref); err != nil {
			return image.Document{}, err
		}
	}
	doc, ok := u.documents[ref.Digest]
	if !ok {
		return image.Document{}, image.Errorf(image.NotFound, "no %s", ref)
	}
	return doc, nil
}

func (u *upstream) Attestation(_ context.Context, ref image.Reference) (image.Attestation, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.attested++
	if u.attest != nil {
		if err := u.attest(ref); err != nil {
			return image.Attestation{}, err
		}
	}
	raw, ok := u.attests[ref.Digest]
	if !ok {
		return image.Attestation{}, image.Errorf(image.NotFound, "no %s", ref)
	}
	return image.ParseAttestation("", raw)
}

// Tags lists the tags of a repository in the order in which they were first set.
func (u *upstream) Tags(ctx context.Context, repo image.Repository) ([]string, error) {
	if err := u.pause(ctx); err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lists++
	if u.list != nil {
		if err := u.list(); err != nil {
			return nil, err
		}
	}
	var tags []string
	for _, name := range u.listed {
		if ref, err := image.ParseReference(name); err == nil && ref.Repository == repo {
			tags = append(tags, ref.Tag)
		}
	}
	return tags, nil
}

func (u *upstream) Blob(ctx context.Context, repo image.Repository, d image.Descriptor, offset int64) (io.ReadCloser, int64, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	raw, ok := u.blobs[d.Digest]
	if !ok {
		return nil, 0, image.Errorf(image.NotFound, "no blob %s", d.Digest)
	}
	if u.noRanges {
		offset = 0
	}
	u.offsets[d.Digest] = append(u.offsets[d.Digest], offset)
	body := io.Reader(bytes.NewReader(raw[min(offset, int64(len(raw))):]))
	if u.blob != nil {
		var err error
		if body, err = u.blob(ctx, repo, d.Digest, len(u.offsets[d.Digest]), body); err != nil {
			return nil, 0, err
		}
	}
	u.open++
	u.most = max(u.most, u.open)
	return &openBlob{Reader: body, upstream: u}, offset, nil
}

type openBlob struct {
	io.Reader
	upstream *upstream
}

func (b *openBlob) Close() error {
	b.upstream.mu.Lock()
	defer b.upstream.mu.Unlock()
	b.upstream.open--
	return nil
}

// requested returns the offsets that a blob was asked for at.
func (u *upstream) requested(d image.Digest) []int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]int64{}, u.offsets[d]...)
}

// requests counts all requests.
func (u *upstream) requests() (heads, documents, blobs int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, o := range u.offsets {
		blobs += len(o)
	}
	return u.heads, u.reads, blobs
}

// layerBlob makes a layer: an uncompressed tar of one file, so that the diff ID is the digest.
func (u *upstream) layerBlob(seed uint64, size int) image.Descriptor {
	content := make([]byte, size)
	random := rand.New(rand.NewPCG(seed, uint64(size)))
	for i := range content {
		content[i] = byte(random.Uint32())
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.WriteHeader(&tar.Header{Name: "file", Mode: 0o644, Size: int64(size), Format: tar.FormatUSTAR}); err != nil {
		u.t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		u.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		u.t.Fatal(err)
	}
	return u.addBlob(ocispec.MediaTypeImageLayer, buf.Bytes())
}

func (u *upstream) addBlob(mediaType string, raw []byte) image.Descriptor {
	d := image.Descriptor{MediaType: mediaType, Digest: image.DigestOf(raw), Size: int64(len(raw))}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.blobs[d.Digest] = raw
	return d
}

func (u *upstream) addDocument(v any, mediaType string) image.Descriptor {
	raw, err := json.Marshal(v)
	if err != nil {
		u.t.Fatal(err)
	}
	doc, err := image.ParseDocument(mediaType, raw)
	if err != nil {
		u.t.Fatal(err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.documents[doc.Digest] = doc
	return doc.Descriptor()
}

// image adds a manifest with its config. The descriptor names the platform, as an index does.
func (u *upstream) image(platform string, layers ...image.Descriptor) image.Descriptor {
	p := parse(u.t, platform)
	config := ocispec.Image{Platform: ocispec.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant}, RootFS: ocispec.RootFS{Type: "layers"}}
	for _, l := range layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.Digest)
	}
	raw, err := json.Marshal(config)
	if err != nil {
		u.t.Fatal(err)
	}
	d := u.addDocument(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: u.addBlob(ocispec.MediaTypeImageConfig, raw), Layers: layers,
	}, ocispec.MediaTypeImageManifest)
	d.Platform = &config.Platform
	return d
}

// index adds an index.
func (u *upstream) index(entries ...image.Descriptor) image.Descriptor {
	return u.addDocument(ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: entries,
	}, ocispec.MediaTypeImageIndex)
}

// tag points a tag at a descriptor.
func (u *upstream) tag(ref string, d image.Descriptor) image.Reference {
	u.mu.Lock()
	defer u.mu.Unlock()
	r, err := image.ParseReference(ref)
	if err != nil {
		u.t.Fatal(err)
	}
	if _, known := u.tags[r.String()]; !known {
		u.listed = append(u.listed, r.String())
	}
	u.tags[r.String()] = d.Digest
	return r
}

func parse(t *testing.T, s string) image.Platform {
	t.Helper()
	p, err := image.ParsePlatform(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// upTo returns the first n bytes of a body, then waits until gate is closed or ctx ends.
func upTo(ctx context.Context, n int64, gate <-chan struct{}, body io.Reader) io.Reader {
	return io.MultiReader(io.LimitReader(body, n), &waiting{ctx: ctx, gate: gate}, body)
}

// waiting is a reader without bytes that ends when its gate opens.
type waiting struct {
	ctx  context.Context
	gate <-chan struct{}
}

func (w *waiting) Read([]byte) (int, error) {
	select {
	case <-w.gate:
		return 0, io.EOF
	case <-w.ctx.Done():
		return 0, w.ctx.Err()
	}
}

// broken returns the first n bytes of a body and then an error.
func broken(n int64, body io.Reader) io.Reader {
	return io.MultiReader(io.LimitReader(body, n), failing{})
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
