package distribution

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/stowage/stowage/image"
)

// A client that takes an answer slower than slowest, after a grace, is given up: it would hold its connection and the
// file for ever.
const (
	slowest = 16 << 10 // bytes a second
	grace   = time.Minute
)

// blob answers a config or a layer by digest.
func (h *Handler) blob(w http.ResponseWriter, q request) error {
	d, err := readDigest(q.what, blobUnknown)
	if err != nil {
		return err
	}
	size, err := h.serving.ServedBlob(q.Context(), q.repo, d)
	if image.KindOf(err) == image.NotFound && q.asks && h.mirror.Covers(q.repo) {
		if answered, failed := h.mirroredBlob(w, q, d); answered || failed != nil {
			return failed
		}
	}
	if err != nil {
		return h.missing(q.Context(), err, q.repo,
			refuse(http.StatusNotFound, blobUnknown, "no stored image of %s uses %s", q.repo, d).with(detail{Digest: d}))
	}
	blobHeader(w.Header(), d)
	err = h.file(w, q, d, size, blobUnknown)
	if lost(err) && h.mirror.Covers(q.repo) { // as if it were not stored
		return h.stream(w, q, image.Descriptor{Digest: d, Size: size})
	}
	return err
}

var octets = []string{"application/octet-stream"}

func blobHeader(header http.Header, d image.Digest) {
	header["Content-Type"] = octets
	header["Cache-Control"] = forEver
	name(header, d)
}

// file answers with a blob's file, or with the range of it that the client asks for. The file itself goes to the
// ResponseWriter, so that the kernel can send it (sendfile). One that is not proved since the start is proved on the
// way, or before a range of it is sent; where it turns out damaged the connection is cut.
func (h *Handler) file(w http.ResponseWriter, q request, d image.Digest, size int64, code string) error {
	oneRange(q.Request)
	if q.Method == http.MethodGet && q.Header.Get("Range") != "" {
		if _, err := h.blobs.ProveBlob(q.Context(), image.Descriptor{Digest: d, Size: size}, nil); err != nil {
			return fmt.Errorf("serve %s of %s: %w", d, q.repo, err)
		}
	}
	f, has, err := h.blobs.OpenBlob(q.Context(), d)
	if err != nil {
		return h.lost(q, d, code, err)
	}
	defer f.Close()
	if has != size {
		return h.lost(q, d, code, fmt.Errorf("the file has %d bytes instead of %d: %w", has, size, errDamaged))
	}
	deadline(w, size, 0)
	http.ServeContent(w, q.Request, "", time.Time{}, f)
	if read, ok := f.(interface{ Err() error }); ok && read.Err() != nil {
		h.log.Warn("a blob's answer was cut", "digest", d, "repository", q.repo, "error", read.Err())
		panic(http.ErrAbortHandler) // the client must not take what it got for the whole
	}
	return nil
}

// oneRange leaves several ranges out: nobody fetches an image so, and the whole is an answer, too (RFC 9110,
// section 14.2).
func oneRange(r *http.Request) {
	if strings.Contains(r.Header.Get("Range"), ",") {
		r.Header.Del("Range")
	}
}

// deadline is when a client must have taken an answer.
func deadline(w http.ResponseWriter, size int64, more time.Duration) {
	// A writer without deadlines, as in tests, has no connection to hold.
	_ = http.NewResponseController(w).
		SetWriteDeadline(time.Now().Add(grace + more + time.Duration(size/slowest)*time.Second))
}

func noDeadline(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // the connection is gone already where this fails
}

// errDamaged says that a file is not what was stored.
var errDamaged = errors.New("damaged on the disk")

// lost answers that a file is not there which should be, or is not what it was. A removal that overtook the request is
// no reason to alarm anybody.
func (h *Handler) lost(q request, d image.Digest, code string, err error) error {
	kind := image.KindOf(err)
	switch {
	case errors.Is(err, errDamaged), kind == image.NotFound, kind == image.Corrupt, kind == image.TooLarge,
		kind == image.Damaged:
	default:
		return fmt.Errorf("serve %s of %s: %w", d, q.repo, err)
	}
	if kind != image.Damaged && h.stillThere(q, d, code) { // else it is known
		h.blobs.LostBlob(d) // which says so in the log
	}
	no := refuse(http.StatusNotFound, code,
		"%s of %s is damaged on this server: pull the image there again, which mends it", d, q.repo).with(detail{Digest: d})
	no.lost = true
	return no
}

// lost reports whether an error is that a blob of the shelf cannot be served, before anything was answered.
func lost(err error) bool {
	var wire *wireError
	return errors.As(err, &wire) && wire.lost
}

// stillThere looks again whether a repository has a digest.
func (h *Handler) stillThere(q request, d image.Digest, code string) bool {
	if code == blobUnknown {
		_, err := h.serving.ServedBlob(q.Context(), q.repo, d)
		return err == nil
	}
	_, err := h.serving.Served(q.Context(), image.Reference{Repository: q.repo, Digest: d})
	return err == nil
}
