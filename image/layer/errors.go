package layer

import "errors"

// Errors of Inspect, to be tested with errors.Is. They come wrapped with the position and the cause.
//
// They fall in three groups. ErrSource and the context's own errors say nothing about the layer: try again. ErrNotTar,
// ErrTruncated and ErrCorrupt are the layer's own fault (see Damaged). The others mean that the layer was
// refused before its end was seen, so that nothing is known about the rest.
var (
	// ErrSource says that the reader given to Inspect failed.
	ErrSource = errors.New("layer cannot be read")

	// ErrNotTar says that the content is not a tar archive, or stops being one before the archive's end. Docker cannot
	// register such a layer either, as it reads layers with the same tar reader.
	ErrNotTar = errors.New("layer is not a valid tar archive")
	// ErrTruncated says that the blob or the tar inside it ends too early.
	ErrTruncated = errors.New("layer is truncated")
	// ErrCorrupt says that the gzip or zstd stream is damaged, fails its own checksum or is followed by other bytes.
	ErrCorrupt = errors.New("compressed layer is corrupt")

	// ErrUnsupported says that the blob is compressed in a way that the OCI image spec does not allow for layers
	// (bzip2, xz), or with a zstd dictionary.
	ErrUnsupported = errors.New("layer compression is not supported")
	// ErrTooLarge says that the layer unpacks to more bytes, or needs more memory to unpack, than Limits allows.
	ErrTooLarge = errors.New("layer is too large")
	// ErrTooManyEntries says that the tar has more entries than Limits allows.
	ErrTooManyEntries = errors.New("layer has too many entries")
)

// Damaged reports whether err proves that the layer's content is bad, whoever reads it and however often.
// It is false for failures of the source, for cancellation, and for layers refused because of Limits.
func Damaged(err error) bool {
	return errors.Is(err, ErrNotTar) || errors.Is(err, ErrTruncated) || errors.Is(err, ErrCorrupt)
}
