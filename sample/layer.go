package sample

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Compression is how a layer's tar is stored in a registry.
type Compression string

// The compressions that registries hold. The empty value means Gzip.
const (
	Gzip         Compression = "gzip"
	Zstd         Compression = "zstd"
	Uncompressed Compression = "none"
)

// mediaType is the layer media type; docker itself defines no zstd type, containerd's is the one in use.
func (c Compression) mediaType(docker bool) string {
	switch {
	case c == Zstd && docker:
		return "application/vnd.docker.image.rootfs.diff.tar.zstd"
	case c == Zstd:
		return v1.MediaTypeImageLayerZstd
	case c == Uncompressed && docker:
		return "application/vnd.docker.image.rootfs.diff.tar"
	case c == Uncompressed:
		return v1.MediaTypeImageLayer
	case docker:
		return "application/vnd.docker.image.rootfs.diff.tar.gzip"
	default:
		return v1.MediaTypeImageLayerGzip
	}
}

func (c Compression) writer(w io.Writer) (io.WriteCloser, error) {
	switch c {
	case Zstd:
		// One goroutine, so that the bytes do not depend on the number of processors.
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	case Uncompressed:
		return nopCloser{w}, nil
	case Gzip, "":
		return gzip.NewWriterLevel(w, gzip.BestSpeed)
	default:
		return nil, fmt.Errorf("unknown compression %q", string(c))
	}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// Layer is a layer of an image. Images that hold the same *Layer share its blob. It is built when it is first
// needed and only once; all methods are safe for concurrent use.
type Layer struct {
	compression Compression
	build       func() (LayerContent, error)
}

// LayerContent is what a layer consists of: a blob and the facts about it that descriptors and configs state.
type LayerContent struct {
	Blob     []byte        // as a registry serves it
	Digest   digest.Digest // of Blob
	Size     int64         // of Blob in bytes, as descriptors state it
	DiffID   digest.Digest // of the uncompressed tar, as the config states it
	Unpacked int64         // length of the uncompressed tar in bytes
}

// NewLayer is the layer that holds files in the given order.
func NewLayer(c Compression, files ...File) *Layer {
	return &Layer{compression: c, build: sync.OnceValues(func() (LayerContent, error) {
		return pack(c, func(w io.Writer) error { return writeTar(w, files) })
	})}
}

// RawLayer is a layer made of any bytes, with the facts stated as given instead of computed: a layer that
// lies. An empty digest, size or diff ID is filled in with what the blob really has.
func RawLayer(c Compression, stated LayerContent) *Layer {
	if stated.Digest == "" {
		stated.Digest = digest.FromBytes(stated.Blob)
	}
	if stated.Size == 0 {
		stated.Size = int64(len(stated.Blob))
	}
	if stated.DiffID == "" {
		stated.DiffID = digest.FromBytes(stated.Blob)
	}
	return &Layer{compression: c, build: func() (LayerContent, error) { return stated, nil }}
}

// Content builds the layer, or returns what was built before. Callers must not change the blob.
func (l *Layer) Content() (LayerContent, error) { return l.build() }

// As is the same files in another compression: an equal diff ID, another digest.
func (l *Layer) As(c Compression) *Layer {
	return &Layer{compression: c, build: sync.OnceValues(func() (LayerContent, error) {
		from, err := l.build()
		if err != nil {
			return LayerContent{}, err
		}
		r, err := l.compression.reader(bytes.NewReader(from.Blob))
		if err != nil {
			return LayerContent{}, err
		}
		defer func() { _ = r.Close() }()
		return pack(c, func(w io.Writer) error {
			_, err := io.Copy(w, r)
			return err
		})
	})}
}

func (c Compression) reader(r io.Reader) (io.ReadCloser, error) {
	switch c {
	case Zstd:
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("read zstd: %w", err)
		}
		return d.IOReadCloser(), nil
	case Uncompressed:
		return io.NopCloser(r), nil
	default:
		d, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("read gzip: %w", err)
		}
		return d, nil
	}
}

// pack compresses the tar that write produces; the uncompressed tar is never held in memory.
func pack(c Compression, write func(io.Writer) error) (LayerContent, error) {
	var blob bytes.Buffer
	z, err := c.writer(&blob)
	if err != nil {
		return LayerContent{}, fmt.Errorf("compress layer: %w", err)
	}
	sum := sha256.New()
	var n counter
	if err := write(io.MultiWriter(z, sum, &n)); err != nil {
		return LayerContent{}, err
	}
	if err := z.Close(); err != nil {
		return LayerContent{}, fmt.Errorf("compress layer: %w", err)
	}
	return LayerContent{
		Blob: blob.Bytes(), Digest: digest.FromBytes(blob.Bytes()), Size: int64(blob.Len()),
		DiffID: digest.NewDigest(digest.SHA256, sum), Unpacked: int64(n),
	}, nil
}

// sizedLayer is a gzip layer of one file that does not compress, whose blob is about size bytes.
func sizedLayer(seed string, size int64) *Layer {
	return &Layer{compression: Gzip, build: sync.OnceValues(func() (LayerContent, error) {
		return pack(Gzip, func(w io.Writer) error {
			tw := tar.NewWriter(w)
			if err := tw.WriteHeader(File{Name: "data/" + seed, Size: size}.header()); err != nil {
				return fmt.Errorf("write tar header: %w", err)
			}
			if _, err := io.CopyN(tw, newNoise(seed), size); err != nil {
				return fmt.Errorf("write tar: %w", err)
			}
			if err := tw.Close(); err != nil {
				return fmt.Errorf("end tar: %w", err)
			}
			return nil
		})
	})}
}

// counter counts the bytes written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
