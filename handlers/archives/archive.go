package archives

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/archive"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
)

// A client that takes a piece of an archive slower than slowest, after a grace, is given up: it would hold its
// connection for ever. A piece is small enough for one that is gone to be noticed, and large enough for the kernel to
// send it.
const (
	slowest = 16 << 10 // bytes a second
	grace   = time.Minute
	piece   = 4 << 20 // bytes
)

// Archive answers GET /archive?image=&platform=&format=&compress= with one archive of several images: image is
// repeated, each a tag, a digest, an image ID (sha256:…) or a bare name, which means all tags of a repository as docker
// save has it. ref is another name for image, which the list's tick boxes have.
func (h *Handlers) Archive(c echo.Context) error {
	return h.textError(c, func() error {
		asked, err := archiveOptions(c)
		if err != nil {
			return err
		}
		if asked.Things, err = address.ParseThings(c.QueryParams()); err != nil {
			return err
		}
		return h.archive(c, asked)
	})
}

// ImageArchive answers GET /images/…/archive with the archive of one tag, digest or image ID.
func (h *Handlers) ImageArchive(c echo.Context, a address.Image) error {
	return h.textError(c, func() error {
		asked, err := archiveOptions(c)
		if err != nil {
			return err
		}
		asked.Things = []address.Image{a.Base()}
		return h.archive(c, asked)
	})
}

// RepositoryArchive answers GET /images/REPOSITORY/archive with all tags of a repository, unless a repository has that
// very name. done tells whether it was for it to answer.
func (h *Handlers) RepositoryArchive(c echo.Context, a address.Image) (done bool, err error) {
	name, ok := strings.CutSuffix(string(a.Ref.Repository), "/"+string(address.SectionArchive))
	if !ok {
		return false, nil
	}
	of, err := image.ParseRepositoryReference(name) // docker.io/ubuntu is docker.io/library/ubuntu
	if err != nil {
		return false, nil //nolint:nilerr // it is no name: the page says so
	}
	ctx := c.Request().Context()
	if known, err := h.Images.RepositoryExists(ctx, a.Ref.Repository); err != nil || known {
		return false, err
	}
	// Where there is neither, a browser is offered to pull it, and curl is told.
	known, err := h.Images.RepositoryExists(ctx, of.Repository)
	if err != nil || !known && page.AcceptsPages(c) {
		return false, err
	}
	return true, h.ImageArchive(c, address.Of(of))
}

// textError answers with an error in words where no page is asked for: archives are mostly fetched by curl.
func (h *Handlers) textError(c echo.Context, answer func() error) error {
	err := answer()
	var known *image.Error
	if errors.As(err, &known) && known.Kind != image.Internal && !page.AcceptsPages(c) {
		return page.PlainError(c, page.Status(known.Kind), known)
	}
	return err
}

// archive sends what was asked for.
func (h *Handlers) archive(c echo.Context, asked request) error {
	packed, err := h.pack(c.Request().Context(), asked)
	if err != nil {
		return err
	}
	a := packed.archive
	// Held before anybody looks whether they are there, so that they are there to the end.
	digests := make([]image.Digest, 0, len(a.Blobs()))
	for _, d := range a.Blobs() {
		digests = append(digests, d.Digest)
	}
	defer h.Blobs.Hold(digests)()
	if err := h.wholeBlobs(a); err != nil {
		return err
	}
	header := c.Response().Header()
	header.Set(echo.HeaderContentType, asked.Compression.MediaType())
	header.Set(echo.HeaderContentDisposition,
		mime.FormatMediaType("attachment", map[string]string{"filename": packed.file}))
	header.Set(echo.HeaderXContentTypeOptions, "nosniff")
	header.Set(echo.HeaderCacheControl, "private, no-cache") // a platform that is stored later changes it
	ctx := c.Request().Context()
	stream := a.Stream(func(d image.Digest) (archive.Blob, error) {
		b, _, err := h.Blobs.OpenBlob(ctx, d)
		return b, err
	})
	defer stream.Close() //nolint:errcheck // it was only read
	if asked.Compression != archive.None {
		return h.sendCompressed(c, asked.Compression, packed, stream)
	}
	header.Set("ETag", strconv.Quote(string(a.Digest())))
	r := c.Request()
	if strings.Contains(r.Header.Get("Range"), ",") {
		r.Header.Del("Range") // the whole is an answer, too (RFC 9110, section 14.2)
	}
	w := &archiveWriter{Response: c.Response(), stream: stream}
	http.ServeContent(w, r, "", time.Time{}, stream)
	w.endWriting()
	if errors.Is(w.err, archive.ErrBlob) { // what else ends it is the client's doing, who knows how much was to come
		h.breakOff(c, w.err)
	}
	if at, err := stream.Seek(0, io.SeekCurrent); w.sent && w.err == nil && err == nil && at == a.Size() {
		h.countArchive(packed)
	}
	return nil
}

// countArchive counts what somebody has got to its last byte, in one go or continued.
func (h *Handlers) countArchive(p packedArchive) {
	for _, i := range p.downloads {
		h.Downloads.Downloaded(i.ref, i.target, i.images...)
	}
}

// wholeBlobs refuses an archive of which a blob is not on the disk as it should be.
func (h *Handlers) wholeBlobs(a *archive.Archive) error {
	for _, d := range a.Blobs() {
		if h.Blobs.HasBlob(d) {
			continue
		}
		h.Log.Error("a stored blob is not there to be archived", "digest", d.Digest, "size", d.Size)
		return image.Errorf(image.Conflict, "the blob %s is missing on this server's disk, or damaged", d.Digest).
			Suggest("Pull the image that it belongs to again.")
	}
	return nil
}

// breakOff ends an answer whose rest cannot be sent: nobody may take what came for the whole.
func (h *Handlers) breakOff(c echo.Context, err error) {
	log := h.Log.Info
	if errors.Is(err, archive.ErrBlob) {
		log = h.Log.Error
	}
	log("an archive broke off", "path", c.Request().URL.RequestURI(), "error", err,
		"request_id", c.Response().Header().Get(echo.HeaderXRequestID))
	panic(http.ErrAbortHandler)
}

// sendCompressed answers with the whole archive, compressed. How long that will be nobody knows, so there is no length
// and no part of it to be had.
func (h *Handlers) sendCompressed(c echo.Context, how archive.Compression, p packedArchive,
	stream *archive.Stream) error {
	c.Response().Header().Set("Accept-Ranges", "none")
	c.Response().WriteHeader(http.StatusOK)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	w := &archiveWriter{Response: c.Response(), stream: stream}
	packed, err := how.Writer(w.Response)
	if err == nil {
		if _, err = w.pieces(packed, p.archive.Size()); err == nil {
			err = packed.Close()
		}
		w.endWriting()
	}
	if err != nil {
		h.breakOff(c, err)
	}
	h.countArchive(p)
	return nil
}

// archiveWriter is the answer that an archive is written to, past what would copy it once more, in pieces that have a
// deadline each.
type archiveWriter struct {
	*echo.Response
	stream *archive.Stream
	err    error // of ReadFrom: http.ServeContent tells nobody
	sent   bool  // ReadFrom has been called
}

// ReadFrom implements io.ReaderFrom for http.ServeContent, which copies a part of the stream to the answer.
func (w *archiveWriter) ReadFrom(r io.Reader) (n int64, err error) {
	part, ok := r.(*io.LimitedReader)
	if !ok || part.R != io.Reader(w.stream) {
		return 0, fmt.Errorf("an archive's answer is read from %T", r)
	}
	n, err = w.pieces(w.Writer, part.N)
	w.sent = true
	w.err = err
	return n, err
}

// pieces writes the next n bytes of the stream.
func (w *archiveWriter) pieces(to io.Writer, n int64) (written int64, err error) {
	control := http.NewResponseController(w.Writer)
	for written < n {
		// A writer without deadlines, as in tests, has no connection to hold.
		_ = control.SetWriteDeadline(time.Now().Add(grace + piece/slowest*time.Second))
		k, err := w.stream.CopyN(to, min(piece, n-written))
		if written += k; err != nil {
			return written, err
		}
	}
	return written, nil
}

// endWriting lets the connection be used for the next request.
func (w *archiveWriter) endWriting() {
	// the connection is gone already where this fails
	_ = http.NewResponseController(w.Writer).SetWriteDeadline(time.Time{})
}
