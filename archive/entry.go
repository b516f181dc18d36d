package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
)

// block is what everything in a tar is padded to, in bytes; two empty ones end it (pax, ustar interchange format).
const block = 512

// entry is one file or folder of the tar: its header, its content and the padding after it.
type entry struct {
	offset int64        // of the header
	header int64        // bytes of the header
	size   int64        // bytes of the content
	digest image.Digest // of the blob that is the content; empty for what is made here
	name   string       // empty for a blob
	made   []byte       // the content of what is made here
}

// end is the offset after the padding.
func (e entry) end() int64 { return e.offset + e.header + padded(e.size) }

func padded(size int64) int64 { return (size + block - 1) / block * block }

// head makes the header. Nothing in it depends on when and where it is made.
func (e entry) head() ([]byte, error) {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Size: e.size, Mode: 0o644, ModTime: time.Unix(0, 0)}
	switch {
	case e.digest != "":
		h.Name = blobName(e.digest)
	case e.made == nil:
		h.Typeflag, h.Mode = tar.TypeDir, 0o755
	}
	var b bytes.Buffer
	if err := tar.NewWriter(&b).WriteHeader(h); err != nil {
		return nil, fmt.Errorf("write the header of %s: %w", h.Name, err)
	}
	return b.Bytes(), nil
}

// blobName is the path of a blob in an OCI image layout.
func blobName(d image.Digest) string {
	return ocispec.ImageBlobsDir + "/" + d.Algorithm().String() + "/" + d.Encoded()
}

// writer lays the entries out, one after the other.
type writer struct {
	archive Archive
	known   map[image.Digest]int64 // blobs that are in it, and their sizes
	hash    hash.Hash              // of the headers and of what is made here
}

func newWriter() *writer {
	return &writer{known: map[image.Digest]int64{}, hash: sha256.New()}
}

// add puts an entry at the end.
func (w *writer) add(e entry) error {
	e.offset = w.archive.size
	head, err := e.head()
	if err != nil {
		return err
	}
	e.header = int64(len(head))
	w.hash.Write(head)
	w.hash.Write(e.made)
	w.archive.entries = append(w.archive.entries, e)
	w.archive.size = e.end()
	return nil
}

func (w *writer) document(name string, raw []byte) error {
	return w.add(entry{name: name, made: raw, size: int64(len(raw))})
}

// folders adds the folders of the blobs, for readers that make none by themselves.
func (w *writer) folders() error {
	for _, name := range []string{ocispec.ImageBlobsDir + "/", ocispec.ImageBlobsDir + "/" + digest.SHA256.String() +
		"/"} {
		if err := w.add(entry{name: name}); err != nil {
			return err
		}
	}
	return nil
}

// blob adds those blobs that are not in the archive yet.
func (w *writer) blob(blobs ...image.Descriptor) error {
	for _, d := range blobs {
		if _, err := image.ParseDigest(string(d.Digest)); err != nil {
			return err
		}
		size, ok := w.known[d.Digest]
		if d.Size < 0 || ok && size != d.Size {
			return image.Errorf(image.Invalid, "the size of %s is not known for sure", d.Digest)
		}
		if ok {
			continue
		}
		w.known[d.Digest] = d.Size
		w.archive.blobs = append(w.archive.blobs, image.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size})
		if err := w.add(entry{digest: d.Digest, size: d.Size}); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) end() *Archive {
	a := w.archive
	a.size += 2 * block
	a.digest = digest.NewDigest(digest.SHA256, w.hash)
	return &a
}
