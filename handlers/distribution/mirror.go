package distribution

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull/mirror"
	"github.com/stowage/stowage/shelf"
)

// The codes for what a registry behind the mirror says. The last two are nobody's standard.
const (
	denied          = "DENIED"
	tooManyRequests = "TOOMANYREQUESTS"
	unavailable     = "UNAVAILABLE"
)

// forRegistry reports whether a request is one to a registry that this server stands for: a mirrored one, or one that
// the client names.
func (h *Handler) forRegistry(q request) bool {
	return h.mirror.Covers(q.repo) || q.find.Get("ns") != ""
}

// served returns what is stored under a reference. What an archive calls by a registry's name is not that registry's,
// and is not there for who asks for it.
func (h *Handler) served(q request, ref image.Reference) (shelf.Served, error) {
	m, err := h.serving.Served(q.Context(), ref)
	if err != nil || ref.Tag == "" || !h.forRegistry(q) {
		return m, err
	}
	uploaded, err := h.serving.Uploaded(q.Context(), ref)
	if uploaded {
		return shelf.Served{}, (&image.Error{Kind: image.NotFound}).Because(errUploaded)
	}
	return m, err
}

// errUploaded is the cause of an error about a tag that an archive has set.
var errUploaded = errors.New("uploaded")

// mirrored answers an index or a manifest of a repository that is mirrored: what the shelf has, if that is what the
// registry has, and else what the registry has. found tells whether the shelf has something, m what.
func (h *Handler) mirrored(w http.ResponseWriter, q request, ref image.Reference, m shelf.Served,
	found bool) (answered bool, err error) {
	d := ref.Digest
	switch {
	case d != "" && found:
		if q.Method == http.MethodGet {
			if err := h.mirror.HandOutStored(q.Context(), q.repo, d, actor(q.Request)); err != nil {
				// it has its answer nevertheless
				h.log.Warn("a tag that a client asked for is not pulled", "digest", d, "repository", q.repo, "error", err)
			}
		}
		return false, nil
	case d == "":
		if d, err = h.mirror.Tag(q.Context(), ref, m.Digest); err != nil {
			return true, upstreamError(ref, manifestUnknown, err)
		}
		if found && d == m.Digest {
			return false, nil
		}
	}
	doc, err := h.mirror.Document(q.Context(), q.repo, d)
	if err != nil {
		return true, upstreamError(ref, manifestUnknown, err)
	}
	if q.Method == http.MethodGet {
		if err := h.mirror.HandOut(q.Context(), q.repo, doc, actor(q.Request)); err != nil {
			return true, upstreamError(ref, manifestUnknown, err)
		}
	}
	h.count(q, ref, doc.Digest)
	header := w.Header()
	header["Content-Type"] = []string{doc.MediaType}
	name(header, doc.Digest)
	keep(header, ref)
	http.ServeContent(w, q.Request, "", time.Time{}, bytes.NewReader(doc.Raw))
	return true, nil
}

// mirroredBlob answers a blob of an image that a client was led to and that is not stored yet: as it comes.
func (h *Handler) mirroredBlob(w http.ResponseWriter, q request, d image.Digest) (answered bool, err error) {
	letGo := h.blobs.Hold([]image.Digest{d}) // before it is looked for; until the pull holds it
	defer letGo()
	b, known, err := h.mirror.Blob(q.Context(), q.repo, d, actor(q.Request))
	if err != nil {
		return true, upstreamError(q.repo.At(d), blobUnknown, err)
	}
	if !known {
		return false, nil
	}
	blobHeader(w.Header(), d)
	if h.blobs.HasBlob(b) {
		if err := h.file(w, q, d, b.Size, blobUnknown); !lost(err) {
			return true, err
		}
	}
	return true, h.stream(w, q, b)
}

// stream answers with a blob of a mirrored repository as it comes from the registry.
func (h *Handler) stream(w http.ResponseWriter, q request, b image.Descriptor) error {
	blobHeader(w.Header(), b.Digest)
	if q.Method == http.MethodHead {
		w.Header()["Content-Length"] = []string{strconv.FormatInt(b.Size, 10)}
		w.Header()["Accept-Ranges"] = []string{"bytes"}
		return nil
	}
	deadline(w, b.Size, patience)
	s, err := h.mirror.Stream(q.Context(), q.repo, b, actor(q.Request))
	if err != nil {
		return upstreamError(q.repo.At(b.Digest), blobUnknown, err)
	}
	defer s.Close() //nolint:errcheck // it was only read from
	oneRange(q.Request)
	// Where the blob fails half-way, less is written than was announced, and the connection breaks.
	http.ServeContent(w, q.Request, "", time.Time{}, s)
	return nil
}

// patience is how much longer a blob may take that has to come first.
const patience = 20 * time.Minute

// upstreamError words what a registry said for clients, with a code for what it does not have. They are never asked to
// sign in: they would sign in here.
func upstreamError(ref image.Reference, missing string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	var known *image.Error
	if !errors.As(err, &known) || known.Kind == image.Internal {
		return err
	}
	say := known.Message
	if known.Suggestion != "" {
		say += ". " + known.Suggestion
	}
	switch known.Kind {
	case image.NotFound, image.NoPlatform, image.NotImage:
		return refuse(http.StatusNotFound, missing, "%s: %s", ref, say)
	case image.Unauthorized, image.Forbidden:
		return refuse(http.StatusForbidden, denied, "%s: %s", ref, say)
	case image.RateLimited:
		no := refuse(http.StatusTooManyRequests, tooManyRequests, "%s: %s", ref, say)
		rest := mirror.RestLimited
		if at := image.RetryTime(err); !at.IsZero() {
			rest = time.Until(at)
		}
		no.retry = max(1, int(rest.Seconds()))
		return no
	case image.Unavailable, image.DiskFull, image.TooLarge:
		return refuse(http.StatusServiceUnavailable, unavailable, "%s: %s", ref, say)
	case image.Corrupt:
		return refuse(http.StatusBadGateway, unavailable, "%s: %s", ref, say)
	}
	return refuse(http.StatusInternalServerError, unknown, "%s: %s", ref, say)
}

// product is how a client names itself first, as far as that may be shown.
var product = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,39}(/[A-Za-z0-9._+-]{1,24})?`)

// actor returns who asks, as pulls show it.
func actor(r *http.Request) image.Actor {
	if p, known := auth.Of(r.Context()); known && p.Via == auth.ViaToken {
		return p.Actor
	}
	by := "client " + strings.Trim(client(r), "[]")
	if name := product.FindString(r.UserAgent()); name != "" {
		by += " (" + name + ")"
	}
	return image.Actor{Kind: image.ActorAnonymous, Name: by}
}
