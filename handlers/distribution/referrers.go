package distribution

import (
	"errors"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
)

// mostReferred bounds the manifests behind one answer, in bytes: their annotations are part of it, and clients take
// 4 MiB of an index.
const mostReferred = 2 << 20

// referrers lists what is stored of a repository and refers to a digest, stored or not. There is always an answer: a
// client that is told 404 would look for a tag of that name instead.
func (h *Handler) referrers(w http.ResponseWriter, q request) error {
	d := image.Digest(q.what)
	if err := d.Validate(); err != nil && !errors.Is(err, digest.ErrDigestUnsupported) {
		return refuse(http.StatusBadRequest, digestInvalid, "%.150q is not a digest", q.what)
	}
	found, more, err := h.serving.Referrers(q.Context(), q.repo, d, image.Digest(q.find.Get("last")), mostReferred)
	if err != nil {
		return err
	}
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{}}
	index.SchemaVersion = 2
	wanted := strings.ReplaceAll(q.find.Get("artifactType"), " ", "+") // a plus that somebody did not escape
	for _, r := range found {
		if wanted == "" || r.ArtifactType == wanted {
			index.Manifests = append(index.Manifests, r)
		}
	}
	if more {
		next(w, q, string(found[len(found)-1].Digest), "artifactType", wanted)
	}
	if wanted != "" {
		w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	return h.json(w, q, ocispec.MediaTypeImageIndex, index)
}
