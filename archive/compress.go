package archive

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/stowage/stowage/image"
)

// Compression is what a whole archive is packed with. Its layers are compressed already, mostly: it gains little.
type Compression string

// The compressions.
const (
	None Compression = ""
	Gzip Compression = "gzip"
	Zstd Compression = "zstd"
)

// ParseCompression reads the name of a compression; the empty one is None. Errors are of kind Invalid.
func ParseCompression(s string) (Compression, error) {
	switch c := Compression(s); c {
	case None, Gzip, Zstd:
		return c, nil
	}
	return None, image.Errorf(image.Invalid, "%.40q is no compression of archives", s).
		Suggest("Leave it out, or ask for gzip or zstd.")
}

// ParseFormat reads the name of a format; the empty one is Docker. Errors are of kind Invalid.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case "":
		return Docker, nil
	case Docker, OCI:
		return f, nil
	}
	return "", image.Errorf(image.Invalid, "%.40q is no format of archives", s).Suggest("The formats are docker and oci.")
}

// MediaType returns what a compressed archive is.
func (c Compression) MediaType() string {
	switch c {
	case Gzip:
		return "application/gzip"
	case Zstd:
		return "application/zstd"
	}
	return "application/x-tar"
}

// Extension returns what the name of an archive ends with.
func (c Compression) Extension() string {
	switch c {
	case Gzip:
		return ".tar.gz"
	case Zstd:
		return ".tar.zst"
	}
	return ".tar"
}

// Writer compresses to w, on the goroutine that writes: nobody gets more than one core for it. Close ends the stream
// and leaves w open.
func (c Compression) Writer(w io.Writer) (io.WriteCloser, error) {
	var packed io.WriteCloser
	var err error
	switch c {
	case Gzip:
		packed, err = gzip.NewWriterLevel(w, gzip.BestSpeed)
	case Zstd:
		packed, err = zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	default:
		return nil, fmt.Errorf("compress an archive with %q", string(c))
	}
	if err != nil {
		return nil, fmt.Errorf("compress an archive with %s: %w", c, err)
	}
	return packed, nil
}
