package imagepage

import (
	"bytes"
	"context"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/imagepage"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// What ?document= chooses.
const (
	documentIndex    = "index"
	documentManifest = "manifest"
)

// manifestSection shows the index or the platform's manifest in its original bytes, or answers with nothing
// but them (raw=1).
func (h *Handlers) manifestSection(c echo.Context, s *subject) error {
	asked := address.ParseManifest(s.page(address.SectionManifest), c.QueryParams())
	name := asked.Document
	digest := s.shown.Manifest
	about, attests := s.attestations.find(image.Digest(name))
	hasIndex := s.target.Digest != "" && s.target.Digest != digest
	switch {
	case name == "" || name == documentManifest:
		name = documentManifest
	case name == documentIndex && hasIndex:
		digest = s.target.Digest
	case attests:
		digest = about.Digest
	case name == documentIndex:
		return image.Errorf(image.NotFound, "%s names a manifest, without an index", s.label())
	default:
		return image.Errorf(image.Invalid, "there is no document %.40q", name).
			Suggest("The documents are index and manifest.")
	}
	doc, err := h.document(c.Request().Context(), digest, attests)
	if err != nil {
		return err
	}
	if asked.Raw {
		return rawDocument(c, doc, doc.Digest == s.Ref.Digest)
	}
	v := imagepage.ManifestView{
		Raw: doc.Raw, MediaType: doc.MediaType, Digest: doc.Digest, Link: s.digestLink(),
		Download: s.documentURL(name, true), Listed: s.listed(), Command: s.imagetools(doc.Digest),
	}
	v.Documents = s.documents(c.Request().Context(), digest)
	return h.renderImage(c, http.StatusOK, s, imagepage.ManifestSection(v))
}

// document reads an index, a manifest or, of an attestation, what there is to be shown of it: its bytes.
func (h *Handlers) document(ctx context.Context, d image.Digest, attests bool) (image.Document, error) {
	if !attests {
		return h.Images.Document(ctx, d)
	}
	a, err := h.Images.Attestation(ctx, d)
	return image.Document{MediaType: a.MediaType, Digest: a.Digest, Raw: a.Raw}, err
}

// documents returns the choice between the index, the manifest of the platform shown and what is stored about it; shown
// is the one that is open.
func (s *subject) documents(ctx context.Context, shown image.Digest) (tabs []ui.Tab) {
	if s.target.Digest != "" && s.target.Digest != s.shown.Manifest {
		tabs = append(tabs, ui.Tab{Label: text.T(ctx, "manifest.index"), URL: s.documentURL(documentIndex, false),
			Active: shown == s.target.Digest})
	}
	tabs = append(tabs, ui.Tab{
		Label: text.T(ctx, "manifest.manifest", "Platform", s.platform.String()), URL: s.documentURL(documentManifest, false),
		Active: shown == s.shown.Manifest,
	})
	for _, a := range s.attestations {
		if a.Of == s.shown.Manifest || a.Digest == shown {
			tabs = append(tabs, ui.Tab{Label: text.T(ctx, "manifest.attestation"), URL: s.documentURL(string(a.Digest), false),
				Active: shown == a.Digest})
		}
	}
	return tabs
}

// documentURL returns the address of a document, or of its bytes alone.
func (s *subject) documentURL(name string, raw bool) string {
	return address.Manifest{Of: s.page(address.SectionManifest), Document: name, Raw: raw}.String()
}

// rawDocument serves the exact bytes, to be saved. They may be kept for ever where the address names their
// digest; elsewhere they are asked for again and compared by ETag.
func rawDocument(c echo.Context, doc image.Document, permanent bool) error {
	tag := strconv.Quote(string(doc.Digest))
	header := c.Response().Header()
	header.Set("ETag", tag)
	header.Set("Docker-Content-Digest", string(doc.Digest))
	header.Set(echo.HeaderXContentTypeOptions, "nosniff")
	header.Set(echo.HeaderContentDisposition,
		mime.FormatMediaType("attachment",
			map[string]string{"filename": "sha256-" + image.ShortDigest(doc.Digest) + ".json"}))
	header.Set(echo.HeaderCacheControl, "private, no-cache")
	if permanent {
		header.Set(echo.HeaderCacheControl, "private, max-age=31536000, immutable")
	}
	header.Set(echo.HeaderContentType, doc.MediaType)
	http.ServeContent(c.Response(), c.Request(), "", time.Time{}, bytes.NewReader(doc.Raw))
	return nil
}

// listed returns what the index lists besides images.
func (s *subject) listed() []imagepage.ListedEntry {
	platforms := map[image.Digest]string{}
	for _, c := range s.choices {
		platforms[c.digest] = c.platform.String()
	}
	var listed []imagepage.ListedEntry
	for _, e := range s.target.Entries {
		if e.Kind == image.EntryAttestation || e.Kind == image.EntryOther {
			l := imagepage.ListedEntry{
				Digest: e.Digest, MediaType: e.MediaType, Bytes: e.Bytes, Attestation: e.Kind == image.EntryAttestation,
				Describes: platforms[e.Describes],
			}
			if a, stored := s.attestations.find(e.Digest); stored && l.Attestation {
				l.URL, l.Kinds = s.documentURL(string(a.Digest), false), appendKinds(nil, a)
			}
			listed = append(listed, l)
		}
	}
	return listed
}

// digestLink returns the pages of digests that documents about this image name.
func (s *subject) digestLink() func(digest string) string {
	pages := map[string]string{
		string(s.shown.ID):       s.url(address.SectionConfig),
		string(s.shown.Manifest): s.documentURL(documentManifest, false),
	}
	for _, c := range s.choices {
		if c.stored && c.image.Manifest != s.shown.Manifest {
			pages[string(c.digest)] = s.Base().At(address.SectionManifest).For(c.platform).String()
		}
	}
	if s.target.Digest != "" && s.target.Digest != s.shown.Manifest {
		pages[string(s.target.Digest)] = s.documentURL(documentIndex, false)
	}
	for _, r := range s.names.Digests {
		if pages[string(r.Digest)] == "" {
			pages[string(r.Digest)] = address.Of(r).String()
		}
	}
	for _, a := range s.attestations {
		pages[string(a.Digest)] = s.documentURL(string(a.Digest), false)
	}
	for _, l := range s.layers {
		pages[string(l.Digest)] = address.Layer(l.Digest)
		if pages[string(l.DiffID)] == "" {
			pages[string(l.DiffID)] = address.Layer(l.Digest)
		}
	}
	return func(digest string) string { return pages[digest] }
}

// imagetools returns the command that prints the same bytes.
func (s *subject) imagetools(d image.Digest) string {
	var repository image.Reference
	switch {
	case s.ID == "":
		repository = s.Ref.WithTag("")
	case len(s.names.Digests) > 0:
		repository = s.names.Digests[0]
	default:
		return ""
	}
	return "docker buildx imagetools inspect --raw " + repository.WithDigest(d).Familiar()
}
