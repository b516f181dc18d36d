package layer

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"io"
	"math"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/therootcompany/xz"

	"github.com/stowage/stowage/image"
)

// Compression is how a layer blob is compressed.
type Compression string

// The compressions of layer media types (OCI image spec, layer.md), and those that only archives have.
const (
	Uncompressed Compression = "none"
	Gzip         Compression = "gzip"
	Zstd         Compression = "zstd"
	Bzip2        Compression = "bzip2"
	XZ           Compression = "xz"
)

// ForLayers reports whether layers may be compressed so.
func (c Compression) ForLayers() bool { return c != Bzip2 && c != XZ }

// inputSize is the size of the reads made from the source.
const inputSize = 64 << 10

var (
	gzipMagic = []byte{0x1f, 0x8b, 0x08}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
	// The last three bytes of a skippable zstd frame's magic; the first is 0x50 to 0x5f (RFC 8878 section 3.1.2).
	zstdSkippable = []byte{0x2a, 0x4d, 0x18}
	bzip2Magic    = []byte("BZh")
	xzMagic       = []byte{0xfd, '7', 'z', 'X', 'Z', 0x00}
)

// SniffSize is how many bytes Detect wants to see.
const SniffSize = 10

// Detect returns the compression by the first bytes, SniffSize of them or all there are.
// Media types are not asked: registries serve zstd layers under gzip's type, and docker and containerd go by the bytes
// too.
func Detect(start []byte) Compression {
	switch {
	case bytes.HasPrefix(start, gzipMagic):
		return Gzip
	case bytes.HasPrefix(start, zstdMagic),
		len(start) >= 4 && start[0]&0xf0 == 0x50 && bytes.Equal(start[1:4], zstdSkippable):
		return Zstd
	case bytes.HasPrefix(start, xzMagic):
		return XZ
	// The block size and the first block's or the end's magic follow, so that a tar whose first name is BZh… passes.
	case len(start) >= 10 && bytes.HasPrefix(start, bzip2Magic) &&
		(start[4] == 0x31 && start[5] == 0x41 || start[4] == 0x17 && start[5] == 0x72):
		return Bzip2
	}
	return Uncompressed
}

// Decompress detects the compression of r and returns its content. The returned closer frees the decompressor; it is
// never nil. maxWindow bounds the memory that a zstd frame or an xz block may ask for, in bytes. What the content then
// fails with while it is read is the decompressor's own error, of which DecompressError tells the meaning.
func Decompress(r io.Reader, maxWindow int64) (io.Reader, Compression, func(), error) {
	nothing := func() {}
	in := bufio.NewReaderSize(r, inputSize)
	start, err := in.Peek(SniffSize)
	if err != nil && err != io.EOF {
		return nil, "", nothing, err
	}
	kind := Detect(start)
	switch kind {
	case Gzip:
		z, err := newGunzip(in)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // the stream ends inside its own header
		}
		if err != nil {
			return nil, kind, nothing, DecompressError(err)
		}
		return z, kind, func() { _ = z.Close() }, nil
	case Zstd:
		// One frame at a time in this goroutine: no frame is decoded ahead, so one window is all the memory used.
		// A frame with a single segment declares its whole size as its window; only WithDecoderMaxMemory bounds that.
		z, err := zstd.NewReader(in,
			zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(uint64(maxWindow)))
		if err != nil {
			return nil, kind, nothing, DecompressError(err)
		}
		return z, kind, z.Close, nil
	case XZ:
		z, err := xz.NewReader(in, uint32(min(maxWindow, math.MaxUint32)))
		if err != nil {
			return nil, kind, nothing, DecompressError(err)
		}
		return z, kind, nothing, nil
	case Bzip2:
		return bzip2.NewReader(in), kind, nothing, nil
	case Uncompressed:
	}
	return in, kind, nothing, nil
}

// DecompressError gives a decompressor's error its meaning: ErrTruncated, ErrTooLarge, ErrUnsupported or ErrCorrupt.
func DecompressError(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, xz.ErrBuf):
		return &fault{of: ErrTruncated, cause: err, why: image.Textf("it ends too early")}
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded),
		errors.Is(err, xz.ErrMemlimit):
		return &fault{of: ErrTooLarge, cause: err, why: image.Textf("unpacking it needs too much memory")}
	case errors.Is(err, zstd.ErrUnknownDictionary):
		return &fault{of: ErrUnsupported, cause: err,
			why: image.Textf("it is compressed with a dictionary that did not come with it")}
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, zstd.ErrCRCMismatch):
		return &fault{of: ErrCorrupt, cause: err, why: image.Textf("the checksum of its compressed data is wrong")}
	}
	return &fault{of: ErrCorrupt, cause: err, why: image.Textf("its compressed data is damaged, or other bytes follow it")}
}
