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
	size, err := h.store.ServedBlob(q.Context(), q.repo, d)
	if image.KindOf(err) == image.NotFound && q.asks && h.mirror.Covers(q.repo) {
		if answered, failed := h.mirroredBlob(w, q, d); answered || failed != nil {
			return failed
		}
	}
	if err != nil {
		return h.missing(q.Context(), err, q.repo, refuse(http.StatusNotFound, blobUnknown, "no stored image of %s uses %s", q.repo, d).with(detail{Digest: d}))
	}
	header := w.Header()
	header["Content-Type"] = octets
	header["Cache-Control"] = forEver
	name(header, d)
	return h.file(w, q, d, size, blobUnknown)
}

var octets = []string{"application/octet-stream"}

// file answers with a blob's file, or with the range of it that the client asks for. The file itself goes to the
// ResponseWriter, so that the kernel can send it (sendfile).
func (h *Handler) file(w http.ResponseWriter, q request, d image.Digest, size int64, code string) error {
	f, err := h.store.OpenBlob(d)
	if err != nil {
		return h.lost(q, d, code, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("serve %s of %s: %w", d, q.repo, err)
	}
	if info.Size() != size {
		return h.lost(q, d, code, fmt.Errorf("the file has %d bytes instead of %d: %w", info.Size(), size, errDamaged))
	}
	oneRange(q.Request)
	deadline(w, size, 0)
	http.ServeContent(w, q.Request, "", time.Time{}, f)
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
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(grace + more + time.Duration(size/slowest)*time.Second))
}

func noDeadline(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // the connection is gone already where this fails
}

// errDamaged says that a file is not what was stored.
var errDamaged = errors.New("damaged on the disk")

// lost answers that a file is not there which should be, or is not what it was. A removal that overtook the request is
// no reason to alarm anybody.
func (h *Handler) lost(q request, d image.Digest, code string, err error) error {
	switch kind := image.KindOf(err); {
	case errors.Is(err, errDamaged), kind == image.NotFound, kind == image.Corrupt, kind == image.TooLarge:
	default:
		return fmt.Errorf("serve %s of %s: %w", d, q.repo, err)
	}
	if h.stillThere(q, d, code) {
		h.log.Error("a stored blob cannot be served", "digest", d, "repository", q.repo, "error", err)
	}
	return refuse(http.StatusNotFound, code, "%s of %s is damaged on this server: delete the image there and pull it again", d, q.repo).with(detail{Digest: d})
}

// stillThere looks again whether a repository has a digest.
func (h *Handler) stillThere(q request, d image.Digest, code string) bool {
	if code == blobUnknown {
		_, err := h.store.ServedBlob(q.Context(), q.repo, d)
		return err == nil
	}
	_, err := h.store.Served(q.Context(), image.Reference{Repository: q.repo, Digest: d})
	return err == nil
}
