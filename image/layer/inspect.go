package layer

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/stowage/stowage/image"
)

// Result is what one pass over a layer blob finds.
type Result struct {
	image.Unpacked
	// TarSize is the length of the uncompressed tar in bytes.
	TarSize int64
	// Compression is how the blob is compressed, by its bytes.
	Compression Compression
}

// Inspect reads the layer blob r to its end and returns what it holds. It checks the compression's own checksums and
// that the content is a tar; comparing DiffID with the image's config is the caller's part.
//
// UnpackedSize follows docker's overlay2 driver, which adds up st_size of what it extracted: regular files by their
// size (sparse ones by their full size, as docker extracts the holes), symbolic links by the length of their target,
// and nothing for directories, hard links (their target is counted), devices, FIFOs and whiteouts (.wh.…). Where
// several entries have one path the last one counts. Not followed, because no builder writes it: files that disappear
// when a later entry of the same layer replaces their directory by a file, and paths that lead through a symbolic link
// of the same layer.
//
// Memory is bounded whatever r holds: some 256 KiB of buffers, 12 bytes (while growing, 18) for each entry with a size,
// what archive/tar needs for one header (which it bounds to 1 MiB of records), and limits.MaxWindow for zstd.
//
// On error the Result is zero. See ErrSource and its neighbours for the errors; when ctx ends, its error is returned.
// Inspect does not close r, and does not use it after returning.
func Inspect(ctx context.Context, r io.Reader, limits Limits) (Result, error) {
	if err := limits.validate(); err != nil {
		return Result{}, fmt.Errorf("inspect layer: %w", err)
	}
	src := &source{ctx: ctx, r: r}
	result, err := inspect(ctx, src, limits)
	if src.err != nil {
		// Whatever was made of it further up: the source failed first.
		err = src.err
	}
	if err != nil {
		return Result{}, fmt.Errorf("inspect layer: %w", err)
	}
	return result, nil
}

func inspect(ctx context.Context, src io.Reader, limits Limits) (Result, error) {
	plain, compression, closePlain, err := Decompress(src, limits.MaxWindow)
	defer closePlain()
	if !compression.ForLayers() {
		return Result{}, unsupported(string(compression))
	}
	if err != nil {
		return Result{}, err
	}
	c := newContent(ctx, plain, limits.MaxBytes)
	w := walk{limits: limits, sizes: newSizes()}
	err = w.run(c)
	if err == nil {
		err = c.drain()
	}
	if err != nil {
		return Result{}, &position{offset: c.size - int64(len(c.rest)), entry: w.headers, err: err}
	}
	return Result{
		Unpacked: image.Unpacked{
			DiffID:       digest.NewDigest(digest.SHA256, c.hash),
			UnpackedSize: w.sizes.total,
			Entries:      w.entries,
		},
		TarSize:     c.size,
		Compression: compression,
	}, nil
}

// blockSize is the unit of a tar, and the size of its shortest header.
const blockSize = 512

// walk goes through the entries of a tar.
type walk struct {
	limits  Limits
	sizes   *sizes
	headers int64 // what archive/tar returned, including global headers
	entries int64
}

// run reads c to the end marker of the tar, or to its end where there is no marker, which docker accepts too.
func (w *walk) run(c *content) error {
	tr := tar.NewReader(c)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		// A name that leads out of the root is no concern here: nothing is extracted.
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return w.tarError(err, c)
		}
		w.headers++
		if w.headers > w.limits.MaxEntries {
			return &fault{of: ErrTooManyEntries, why: image.Textf("it has more than %d entries", w.limits.MaxEntries)}
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		w.entries++
		if err := w.add(h); err != nil {
			return err
		}
	}
}

// add counts one entry.
func (w *walk) add(h *tar.Header) error {
	// Rooted before cleaning, so that a, ./a, /a and ../a are one path, as they are to an extractor that stays inside.
	name := path.Clean("/" + h.Name)
	if strings.HasPrefix(path.Base(name), ".wh.") {
		return nil // a whiteout hides a path of the layers below, never one of its own layer (OCI image spec, layer.md)
	}
	var size int64
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		size = h.Size
	case tar.TypeSymlink:
		size = int64(len(h.Linkname))
	}
	// A sparse file may claim any size without having the bytes, so content's own limit does not cover this.
	if size < 0 || size > w.limits.MaxBytes-w.sizes.total {
		return tooLarge(w.limits.MaxBytes)
	}
	w.sizes.set(name, size)
	return nil
}

// tarError gives an error of archive/tar its meaning.
func (w *walk) tarError(err error, c *content) error {
	if c.err != nil && c.err != io.EOF { //nolint:errorlint // set by content itself
		return c.err // the content failed, not the tar in it
	}
	// Less than one block is no tar at all: a text, a proxy's error in JSON.
	if errors.Is(err, io.ErrUnexpectedEOF) && c.size >= blockSize {
		return &fault{of: ErrTruncated, cause: err, why: image.Textf("the tar inside it ends too early")}
	}
	if w.headers > 0 {
		return &fault{of: ErrNotTar, cause: err, why: image.Textf("what follows its first entries is not a tar archive")}
	}
	return &fault{of: ErrNotTar, cause: err, why: image.Textf("it is not a tar archive")}
}
