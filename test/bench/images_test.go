//go:build linux

package bench

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// benchImage is an image to measure pulls of: one platform, so that every tool brings the same blobs.
type benchImage struct {
	name   string // in the report
	ref    string // repository and tag, without the host
	layers []int64
	size   int64 // compressed bytes, once it is pushed

	manifest v1.Manifest   // once it is pushed
	digest   digest.Digest // of the manifest
}

// benchImages are about 1 GiB in a few large layers, and many small layers. The numbers are unpacked bytes.
func benchImages() []benchImage {
	large := benchImage{name: "10 large layers", ref: "bench/large:1"}
	for i := range int64(10) {
		large.layers = append(large.layers, (140+30*i)<<20) // layers of one image are not of one size
	}
	small := benchImage{name: "120 small layers", ref: "bench/small:1"}
	for i := range int64(120) {
		small.layers = append(small.layers, (32+4*i)<<10)
	}
	return []benchImage{large, small}
}

// push builds the image as a stream into a registry and notes its size. Nothing of it is held in memory, so that
// the measuring process stays small.
func (im *benchImage) push(t *testing.T, base string) {
	t.Helper()
	repository, tag, _ := strings.Cut(im.ref, ":")
	to := uploads{ctx: t.Context(), base: base + "/v2/" + repository}
	config := v1.Image{Created: &benchEpoch, Platform: v1.Platform{OS: "linux", Architecture: "amd64"},
		RootFS: v1.RootFS{Type: "layers"}}
	manifest := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest}
	for i, n := range im.layers {
		var diffID digest.Digest
		d, err := to.blob(v1.MediaTypeImageLayerGzip, func(w io.Writer) (err error) {
			diffID, err = writeLayer(w, uint64(i), im.ref, n)
			return err
		})
		if err != nil {
			t.Fatalf("push layer %d of %s: %v", i+1, im.ref, err)
		}
		im.size += d.Size
		manifest.Layers = append(manifest.Layers, d)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, diffID)
		config.History = append(config.History,
			v1.History{Created: &benchEpoch, CreatedBy: fmt.Sprintf("COPY part-%d / # buildkit", i+1)})
	}
	var err error
	if manifest.Config, err = to.blob(v1.MediaTypeImageConfig,
		func(w io.Writer) error { return json.NewEncoder(w).Encode(config) }); err != nil {
		t.Fatalf("push config of %s: %v", im.ref, err)
	}
	raw, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := to.send(http.MethodPut, to.base+"/manifests/"+tag, v1.MediaTypeImageManifest, bytes.NewReader(raw),
		http.StatusCreated); err != nil {
		t.Fatalf("push manifest of %s: %v", im.ref, err)
	}
	im.manifest, im.digest = manifest, digest.FromBytes(raw)
}

var benchEpoch = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// writeLayer writes a gzipped tar of about n bytes unpacked, as files of the sizes that programs and libraries have.
func writeLayer(w io.Writer, part uint64, name string, n int64) (diffID digest.Digest, err error) {
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	tw := tar.NewWriter(io.MultiWriter(z, sum))
	content := newProse(name, part)
	for i := 0; n > 0; i++ {
		size := min(n, 4<<10+content.random.Int64N(512<<10))
		n -= size
		h := tar.Header{Name: fmt.Sprintf("usr/lib/part-%d/file-%05d", part, i), Size: size, Mode: 0o644, ModTime: benchEpoch,
			Format: tar.FormatPAX}
		if err := tw.WriteHeader(&h); err != nil {
			return "", err
		}
		if _, err := io.CopyN(tw, content, size); err != nil {
			return "", err
		}
	}
	if err := errors.Join(tw.Close(), z.Close()); err != nil {
		return "", err
	}
	return digest.NewDigest(digest.SHA256, sum), nil
}

// prose is an endless reader of words from a vocabulary, frequent and rare ones, mixed with noise. It compresses to
// about 40 %, by as many short matches as programs have: long runs would flatter whoever unpacks them.
type prose struct {
	random *rand.Rand
	words  [1 << 10][]byte
	rest   []byte
	chunk  []byte
}

func newProse(name string, part uint64) *prose {
	seed := sha256.Sum256([]byte(name))
	p := &prose{random: rand.New(rand.NewPCG(binary.LittleEndian.Uint64(seed[:]), part))}
	for i := range p.words {
		p.words[i] = make([]byte, 6+p.random.IntN(16))
		p.noise(p.words[i])
	}
	return p
}

func (p *prose) noise(b []byte) {
	for i := range b {
		b[i] = byte(p.random.Uint32())
	}
}

// Read does not fail.
func (p *prose) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		p.fill()
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func (p *prose) fill() {
	p.chunk = p.chunk[:0]
	for len(p.chunk) < 64<<10 {
		v := p.random.Uint64()
		common := (v & 0x3ff) * (v >> 10 & 0x3ff) >> 10 // low numbers come up more often
		p.chunk = append(p.chunk, p.words[common]...)
		if v>>62 == 0 {
			p.chunk = binary.LittleEndian.AppendUint16(p.chunk, uint16(v>>24))
		}
	}
	p.rest = p.chunk
}

// uploads puts blobs into one repository of a registry, as streams whose digest is known at their end only.
type uploads struct {
	ctx  context.Context
	base string
}

// blob uploads what write writes.
func (u uploads) blob(mediaType string, write func(io.Writer) error) (v1.Descriptor, error) {
	resp, err := u.send(http.MethodPost, u.base+"/blobs/uploads/", "", nil, http.StatusAccepted)
	if err != nil {
		return v1.Descriptor{}, err
	}
	location, err := resp.Location()
	if err != nil {
		return v1.Descriptor{}, err
	}
	sum, size := sha256.New(), int64(0)
	body, into := io.Pipe()
	go func() {
		chunks := bufio.NewWriterSize(io.MultiWriter(into, sum, writerFunc(func(p []byte) (int, error) {
			size += int64(len(p))
			return len(p), nil
		})), 256<<10)
		into.CloseWithError(errors.Join(write(chunks), chunks.Flush()))
	}()
	if resp, err = u.send(http.MethodPatch, location.String(), "application/octet-stream", body,
		http.StatusAccepted); err != nil {
		return v1.Descriptor{}, err
	}
	if location, err = resp.Location(); err != nil {
		return v1.Descriptor{}, err
	}
	d := v1.Descriptor{MediaType: mediaType, Digest: digest.NewDigest(digest.SHA256, sum), Size: size}
	q := location.Query()
	q.Set("digest", d.Digest.String())
	location.RawQuery = q.Encode()
	_, err = u.send(http.MethodPut, location.String(), "application/octet-stream", nil, http.StatusCreated)
	return d, err
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func (u uploads) send(method, address, mediaType string, body io.Reader, want int) (*http.Response, error) {
	req, err := http.NewRequestWithContext(u.ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	if mediaType != "" {
		req.Header.Set("Content-Type", mediaType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != want {
		err = fmt.Errorf("%s %s: %s: %.300s", method, (&url.URL{Path: req.URL.Path}).String(), resp.Status, answer)
	}
	return resp, err
}
