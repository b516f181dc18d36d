package distribution

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull/mirror"
	"github.com/stowage/stowage/shelf"
)

// Serving says what may be served under the names of the API.
type Serving interface {
	Referrers(
		ctx context.Context, repo image.Repository, subject, after image.Digest, most int64,
	) (found []image.Descriptor, more bool, err error)
	Served(ctx context.Context, ref image.Reference) (shelf.Served, error)
	ServedBlob(ctx context.Context, repo image.Repository, d image.Digest) (size int64, err error)
	ServedRepositories(ctx context.Context, host string, after image.Repository, limit int) ([]image.Repository, error)
	ServedTags(ctx context.Context, repo image.Repository, after string, limit int, uploads bool) ([]string, error)
	Unserved(ctx context.Context, ref image.Reference) (shelf.Unserved, error)
	Uploaded(ctx context.Context, ref image.Reference) (bool, error)
}

// Blobs has the bytes.
type Blobs interface {
	HasBlob(d image.Descriptor) bool
	Hold(digests []image.Digest) (release func())
	LostBlob(d image.Digest)
	OpenBlob(ctx context.Context, d image.Digest) (io.ReadSeekCloser, int64, error)
	ProveBlob(ctx context.Context, d image.Descriptor, read func(n int)) (whole bool, err error)
	ReadBlob(d image.Digest, limit int64) ([]byte, error)
}

// Images knows which repositories there are.
type Images interface {
	RepositoryExists(ctx context.Context, repo image.Repository) (bool, error)
}

// Downloads counts what clients were given.
type Downloads interface {
	Downloaded(ref image.Reference, d image.Digest, images ...image.Digest)
}

// Options configure a Handler. Mirror and Logger are not required.
type Options struct {
	Serving   Serving
	Blobs     Blobs
	Images    Images
	Downloads Downloads
	Mirror    *mirror.Mirror // fetches what is missing; may be nil
	Logger    *slog.Logger
}

// Handler answers everything under /v2/. It wants the server's own ResponseWriter, or one that hands ReadFrom on:
// blobs go from their file to the socket without passing through the process. Safe for concurrent use.
type Handler struct {
	serving   Serving
	blobs     Blobs
	images    Images
	downloads Downloads
	mirror    *mirror.Mirror
	log       *slog.Logger
	names     names
	documents documents
	asked     askedTags
}

// New makes a Handler.
func New(o Options) *Handler {
	h := &Handler{serving: o.Serving, blobs: o.Blobs, images: o.Images, downloads: o.Downloads,
		mirror: o.Mirror, log: o.Logger, names: newNames(), documents: newDocuments(),
		asked: newAskedTags()}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	return h
}

// request is one request for something of a repository.
type request struct {
	*http.Request
	name string           // the repository as the client names it
	repo image.Repository // as the shelf does
	what string           // the last part of the address: a tag, a digest
	asks bool             // what is missing may be asked of registries
	find url.Values       // the query
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.answer(w, r, true) }

// Stored answers as the Handler does, from what is stored alone: no registry is asked.
func (h *Handler) Stored() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.answer(w, r, false) })
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, asks bool) {
	header := w.Header()
	header["Docker-Distribution-Api-Version"] = apiVersion
	// A blob is whatever an image's author put there, and pages live on the same origin.
	header["X-Content-Type-Options"] = nosniff
	header["Content-Security-Policy"] = sandbox
	header["Cross-Origin-Resource-Policy"] = sameOrigin
	deadline(w, image.MaxManifestSize, 0) // nothing but a blob is larger
	defer noDeadline(w)
	if err := h.serve(w, r, asks); err != nil {
		h.fail(w, r, err)
	}
}

// Header values that every answer has, made once. Nobody may change them.
var (
	apiVersion = []string{"registry/2.0"} // docker asks for it before it believes that this is a registry
	nosniff    = []string{"nosniff"}
	sandbox    = []string{"default-src 'none'; sandbox"}
	sameOrigin = []string{"same-origin"}
	forEver    = []string{"public, max-age=31536000, immutable"}
	askAgain   = []string{"no-cache"}
)

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, asks bool) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return refuse(http.StatusMethodNotAllowed, unsupported,
			"this registry is read-only: images come onto the shelf by its pages, or as archives: docker save IMAGE | curl -T - http://THIS-SERVER/archives")
	}
	address, _ := strings.CutPrefix(r.URL.Path, "/v2")
	address = strings.TrimPrefix(address, "/")
	q := request{Request: r, asks: asks}
	if r.URL.RawQuery != "" {
		q.find = r.URL.Query() // what cannot be read of it is left out
	}
	switch address {
	case "":
		return h.ping(w, q)
	case "_catalog":
		return h.catalog(w, q)
	}
	serve, err := h.route(&q, address)
	if err != nil {
		return err
	}
	if ns := q.find.Get("ns"); ns != "" {
		w.Header().Set("OCI-Namespace", ns)
	}
	return serve(w, q)
}

// route reads the address of something in a repository: its name, which has slashes, then what kind of thing it is,
// and which.
func (h *Handler) route(q *request, address string) (func(http.ResponseWriter, request) error, error) {
	rest, what := cutLast(address)
	name, kind := cutLast(rest)
	var serve func(http.ResponseWriter, request) error
	switch kind {
	case "manifests":
		serve = h.manifest
	case "blobs":
		serve = h.blob
	case "referrers":
		serve = h.referrers
	case "tags":
		if what == "list" {
			serve = h.tags
		}
	}
	if serve == nil || name == "" || what == "" {
		return nil, refuse(http.StatusNotFound, unsupported, "the registry API has no such address")
	}
	var err error
	q.name, q.what = name, what
	q.repo, err = h.names.repository(name, q.find.Get("ns"))
	return serve, err
}

// cutLast cuts a path at its last slash.
func cutLast(path string) (before, last string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

// ping answers that this is a registry, and that nobody has to sign in.
func (h *Handler) ping(w http.ResponseWriter, q request) error {
	return h.json(w, q, "application/json", struct{}{})
}

// missing words the error of a look-up in a repository: what is missing there, or the whole repository.
func (h *Handler) missing(ctx context.Context, err error, repo image.Repository, otherwise *wireError) error {
	if image.KindOf(err) != image.NotFound {
		return err
	}
	known, err := h.images.RepositoryExists(ctx, repo)
	if err != nil {
		return err
	}
	if !known {
		return unknownName(repo)
	}
	return otherwise
}

func unknownName(repo image.Repository) *wireError {
	return refuse(http.StatusNotFound, nameUnknown, "nothing of %s is stored here", repo)
}

// fail answers an error in the words of the specification. What is not meant for clients is logged.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	var wire *wireError
	if !errors.As(err, &wire) {
		if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
			return // nobody waits for it
		}
		h.log.Error("request to the registry API failed", "path", r.URL.Path, "error", err)
		wire = ownFault(err)
	}
	wire.write(w)
}

// ownFault words what is wrong with this server, as far as that may be shown.
func ownFault(err error) *wireError {
	var known *image.Error
	if errors.As(err, &known) && known.Kind == image.Damaged {
		return refuse(http.StatusInternalServerError, unknown, "%s on this server: whoever runs it has to mend it",
			known.Message)
	}
	return refuse(http.StatusInternalServerError, unknown, "internal error: the server's log says more")
}
