package distribution

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// manifest answers an index or a manifest by tag or by digest.
func (h *Handler) manifest(w http.ResponseWriter, q request) error {
	ref := image.Reference{Repository: q.repo, Tag: q.what}
	if strings.Contains(q.what, ":") {
		d, err := readDigest(q.what, manifestUnknown)
		if err != nil {
			return err
		}
		ref = image.Reference{Repository: q.repo, Digest: d}
	} else if !isTag(q.what) {
		return refuse(http.StatusNotFound, manifestUnknown, "%.150q is neither a tag nor a digest", q.what)
	}
	m, err := h.served(q, ref)
	if found := err == nil; q.asks && h.mirror.Covers(q.repo) && (found || image.KindOf(err) == image.NotFound) {
		if answered, failed := h.mirrored(w, q, ref, m, found); answered || failed != nil {
			return failed
		}
	}
	if err != nil {
		return h.noManifest(q, ref, err)
	}
	if !m.Broken.Empty() {
		return refuse(http.StatusNotFound, manifestUnknown, "%s is stored and broken, so it is not served: %s", ref,
			m.Broken).with(detail{Digest: m.Digest})
	}
	err = h.stored(w, q, ref, m)
	if lost(err) && h.mirror.Covers(q.repo) { // as if it were not stored
		if answered, failed := h.mirrored(w, q, ref, shelf.Served{}, false); answered || failed != nil {
			return failed
		}
	}
	return err
}

// stored answers an index or a manifest that is stored.
func (h *Handler) stored(w http.ResponseWriter, q request, ref image.Reference, m shelf.Served) error {
	header := w.Header()
	header["Content-Type"] = []string{m.MediaType}
	name(header, m.Digest)
	keep(header, ref)
	if m.Size > smallDocument {
		err := h.file(w, q, m.Digest, m.Size, manifestUnknown)
		if err == nil {
			h.count(q, ref, m.Digest)
		}
		return err
	}
	raw, err := h.documents.read(h.blobs, m)
	if err != nil {
		return h.lost(q, m.Digest, manifestUnknown, err)
	}
	h.count(q, ref, m.Digest) // before the client has it, so that whoever looks afterwards finds it counted
	http.ServeContent(w, q.Request, "", time.Time{}, bytes.NewReader(raw))
	return nil
}

// name sets the headers that say which content this is. ServeContent reads the ETag.
func name(header http.Header, d image.Digest) {
	header["Docker-Content-Digest"] = []string{string(d)}
	header["Etag"] = []string{`"` + string(d) + `"`}
}

// keep says for how long what a reference names may be kept.
func keep(header http.Header, ref image.Reference) {
	if header["Cache-Control"] = forEver; ref.Digest == "" {
		header["Cache-Control"] = askAgain
	}
}

// detail is what programs are told beside a message.
type detail struct {
	Digest   image.Digest `json:"digest,omitempty"`
	Platform string       `json:"platform,omitempty"`
	Stored   []string     `json:"stored,omitempty"` // platforms
}

// noManifest says why there is none, as well as the shelf knows it.
func (h *Handler) noManifest(q request, ref image.Reference, err error) error {
	no := refuse(http.StatusNotFound, manifestUnknown, "%s is not stored here", ref)
	if !q.asks && h.mirror.Covers(q.repo) && image.KindOf(err) == image.NotFound {
		return refuse(http.StatusNotFound, manifestUnknown,
			"%s is not stored here, and for browsers and pages of other sites nothing is fetched", ref)
	}
	if errors.Is(err, errUploaded) {
		return refuse(http.StatusNotFound, manifestUnknown, "what is stored as %s was uploaded: it does not come from %s",
			ref, q.repo.Host())
	}
	if ref.Digest == "" || image.KindOf(err) != image.NotFound {
		return h.missing(q.Context(), err, q.repo, no)
	}
	u, err := h.serving.Unserved(q.Context(), ref)
	if err != nil {
		return h.missing(q.Context(), err, q.repo, no)
	}
	return unserved(ref, u)
}

// unserved words what the index says of a manifest that is not stored.
func unserved(ref image.Reference, u shelf.Unserved) *wireError {
	d := detail{Digest: ref.Digest, Platform: u.Platform.String()}
	for _, p := range u.Stored {
		d.Stored = append(d.Stored, p.String())
	}
	stored := "no platform of this index is stored"
	if len(d.Stored) > 0 {
		stored = "of this index is stored: " + strings.Join(d.Stored, ", ")
	}
	what := d.Platform
	switch {
	case u.Kind == image.EntryAttestation && what == "":
		what = "an attestation"
	case u.Kind == image.EntryAttestation:
		what = "the attestation of " + what
	case u.Kind == image.EntryOther || what == "":
		what = "something that the index lists"
	}
	return refuse(http.StatusNotFound, manifestUnknown, "%s of %s (%s) is not stored here; %s", what, ref.Repository,
		image.ShortDigest(ref.Digest), stored).with(d)
}

// readDigest reads a digest. One of another algorithm is well formed but cannot be stored here, so that it is unknown,
// in the code of what was asked for.
func readDigest(s, code string) (image.Digest, error) {
	d := image.Digest(s)
	switch err := d.Validate(); {
	case err == nil && d.Algorithm() == digest.SHA256:
		return d, nil
	case err == nil || errors.Is(err, digest.ErrDigestUnsupported):
		return "", refuse(http.StatusNotFound, code, "%.150s is not stored here: only sha256 digests are", s)
	}
	return "", refuse(http.StatusBadRequest, digestInvalid,
		"%.150q is not a digest: it must be sha256: and 64 hex digits", s)
}
