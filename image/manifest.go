package image

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Descriptor names a blob by media type, digest and size (OCI image-spec, descriptor.md).
type Descriptor = ocispec.Descriptor

// Media types of docker's formats; those of OCI stand in image-spec.
const (
	MediaTypeDockerManifestList = "application/vnd.docker.distribution.manifest.list.v2+json"
	MediaTypeDockerManifest     = "application/vnd.docker.distribution.manifest.v2+json"
	MediaTypeDockerConfig       = "application/vnd.docker.container.image.v1+json"
	MediaTypeDockerSchema1      = "application/vnd.docker.distribution.manifest.v1+json"
	MediaTypeDockerSchema1Sig   = "application/vnd.docker.distribution.manifest.v1+prettyjws"
)

// Limits on what a registry may send. Registries themselves refuse manifests over 4 MiB (distribution-spec).
const (
	MaxManifestSize = 4 << 20 // bytes of an index or a manifest
	MaxConfigSize   = 8 << 20 // bytes of a config
	MaxBlobSize     = 1 << 40 // bytes of one layer
	MaxEntries      = 2000    // entries of one index
	MaxLayers       = 1000    // layers of one image; docker stops at 127
	MaxIndexDepth   = 4       // indexes in indexes
	MaxValues       = 100_000 // JSON values of a document or a config, each of which takes some 100 bytes of memory
)

// Document is an index or a manifest with its original bytes. Exactly one of Index and Manifest is set.
type Document struct {
	MediaType string
	Digest    Digest
	Raw       []byte
	Index     *Index
	Manifest  *Manifest
}

// Descriptor returns the descriptor that names the document.
func (d Document) Descriptor() Descriptor {
	return Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: int64(len(d.Raw))}
}

// Index lists one manifest per platform and, apart from them, what describes those manifests.
type Index struct {
	Entries     []Entry
	Annotations map[string]string
}

// EntryKind says what an index's entry is.
type EntryKind string

// The kinds of entries. Unknown ones are kept and shown but never pulled.
const (
	EntryImage       EntryKind = "image"
	EntryIndex       EntryKind = "index"
	EntryAttestation EntryKind = "attestation"
	EntryOther       EntryKind = "other"
)

// Entry is one line of an index.
type Entry struct {
	Descriptor
	Kind      EntryKind
	Platform  Platform // zero where the index does not say
	Describes Digest   // an attestation's subject
	// why it is of no use here, whatever it is; Kind is EntryOther then. It is refused alone: others are fine
	Problem *Error
}

// Manifest is one platform's config and layers, base layer first.
type Manifest struct {
	Config      Descriptor
	Layers      []Descriptor
	Annotations map[string]string
}

// Size returns the compressed bytes of the layers, what has to be downloaded apart from the config.
func (m *Manifest) Size() int64 {
	var n int64
	for _, l := range m.Layers {
		n += l.Size
	}
	return n
}

// wire holds the keys of both documents, so that a body whose keys contradict its media type is seen.
type wire struct {
	SchemaVersion int                `json:"schemaVersion"`
	MediaType     string             `json:"mediaType"`
	ArtifactType  string             `json:"artifactType"`
	Manifests     *[]json.RawMessage `json:"manifests"`
	Config        *Descriptor        `json:"config"`
	Layers        *[]Descriptor      `json:"layers"`
	FSLayers      json.RawMessage    `json:"fsLayers"`
	Annotations   map[string]string  `json:"annotations"`
}

// ParseDocument reads an index or a manifest, OCI or docker schema 2. contentType is what the registry
// said and may be empty. Errors: TooLarge, NotImage (schema 1, charts, plugins, other artifacts, encrypted layers),
// Corrupt (not JSON, or keys that contradict the media type: index and manifest must not be confused, see
// distribution-spec and GHSA-77vh-xpmg-72qh; or nested deeper than MaxNesting).
func ParseDocument(contentType string, raw []byte) (Document, error) {
	if err := CheckNesting(raw); err != nil {
		return Document{}, err
	}
	doc, err := ParseStoredDocument(contentType, raw)
	if err == nil && doc.Manifest != nil {
		err = doc.Manifest.readable()
	}
	if err != nil {
		return Document{}, err
	}
	return doc, nil
}

// readable refuses an image with layers that only the holder of a key can read: nothing of them can be proved, listed
// or run here.
func (m *Manifest) readable() error {
	for i, l := range m.Layers {
		if strings.HasSuffix(l.MediaType, "+encrypted") {
			return Errorf(NotImage, "layer %d is encrypted, as its media type %s says", i+1, Shorten(l.MediaType)).
				Suggest("Copy the image with a tool that has the key, such as skopeo copy --decryption-key, and upload that.")
		}
	}
	return nil
}

// ParseStoredDocument is ParseDocument for what came in before documents were bounded by their levels.
func ParseStoredDocument(contentType string, raw []byte) (Document, error) {
	w, mediaType, err := readWire(contentType, raw)
	if err != nil {
		return Document{}, err
	}
	doc := Document{MediaType: mediaType, Digest: DigestOf(raw), Raw: raw}
	switch mediaType {
	case ocispec.MediaTypeImageIndex, MediaTypeDockerManifestList:
		doc.Index, err = parseIndex(w)
	case ocispec.MediaTypeImageManifest, MediaTypeDockerManifest:
		doc.Manifest, err = parseManifest(w)
	default:
		err = Errorf(NotImage, "media type %q is neither an image nor an index", Shorten(mediaType))
	}
	if err != nil {
		return Document{}, err
	}
	return doc, nil
}

// readWire reads what all documents have in common, and settles which one it is.
func readWire(contentType string, raw []byte) (w wire, mediaType string, err error) {
	if len(raw) > MaxManifestSize {
		return w, "", Errorf(TooLarge, "the manifest is larger than %d bytes", MaxManifestSize)
	}
	if err := checkStored(raw); err != nil {
		return w, "", err
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return w, "", notJSON(contentType, raw, err)
	}
	mediaType, err = documentType(contentType, w)
	return w, mediaType, err
}

func notJSON(contentType string, raw []byte, err error) error {
	if head := bytes.TrimSpace(raw); strings.Contains(contentType, "html") || bytes.HasPrefix(head, []byte("<")) {
		return Errorf(Unavailable, "the registry answered with a web page instead of a manifest").Because(err).
			Suggest("Check the registry's address: a proxy or a sign-in page may stand in front of it.")
	}
	return Errorf(Corrupt, "the manifest is not valid JSON").Because(err).
		Suggest("Check the registry's address, or tell whoever runs the registry.")
}

// documentType settles the media type from the header, the field and the keys (image-spec allows the
// field to be absent).
func documentType(contentType string, w wire) (string, error) {
	isIndex, isManifest := w.Manifests != nil, w.Config != nil || w.Layers != nil
	if len(w.FSLayers) > 0 || w.SchemaVersion == 1 || w.MediaType == MediaTypeDockerSchema1 ||
		w.MediaType == MediaTypeDockerSchema1Sig {
		return "", Errorf(NotImage, "this is a docker schema 1 image, a format that docker itself removed").
			Suggest("Ask the author to push it again in the OCI format or as schema 2.")
	}
	if isIndex && isManifest {
		return "", Errorf(Corrupt, "the document claims to be an index and a manifest at once")
	}
	mediaType := w.MediaType
	header, _, _ := mime.ParseMediaType(contentType)
	if mediaType == "" && strings.HasPrefix(header, "application/vnd.") {
		mediaType = header
	}
	if mediaType == "" {
		switch {
		case isIndex:
			mediaType = ocispec.MediaTypeImageIndex
		case isManifest:
			mediaType = ocispec.MediaTypeImageManifest
		default:
			return "", Errorf(NotImage, "this is neither an image nor an index of images")
		}
	}
	indexType := mediaType == ocispec.MediaTypeImageIndex || mediaType == MediaTypeDockerManifestList
	if indexType && !isIndex || isManifestType(mediaType) && !isManifest {
		return "", Errorf(Corrupt, "the document's content contradicts its media type %q", Shorten(mediaType))
	}
	return mediaType, nil
}

func isManifestType(t string) bool {
	return t == ocispec.MediaTypeImageManifest || t == MediaTypeDockerManifest
}

func parseIndex(w wire) (*Index, error) {
	if len(*w.Manifests) > MaxEntries {
		return nil, Errorf(TooLarge, "the index lists %d manifests, more than %d", len(*w.Manifests), MaxEntries)
	}
	idx := &Index{Annotations: w.Annotations, Entries: make([]Entry, 0, len(*w.Manifests))}
	for i, raw := range *w.Manifests {
		idx.Entries = append(idx.Entries, parseEntry(i, raw))
	}
	idx.setArtifactsApart()
	return idx, nil
}

// parseEntry reads an entry. One that cannot be used has a Problem and, where it is not the digest of another
// algorithm, no digest.
func parseEntry(place int, raw json.RawMessage) Entry {
	var d Descriptor
	err := json.Unmarshal(raw, &d)
	if err == nil {
		err = checkDescriptor(d, MaxManifestSize)
	}
	if err == nil {
		return newEntry(d)
	}
	e := newEntry(d)
	e.Kind, e.Describes, e.Problem = EntryOther, "", Errorf(Corrupt, "entry %d of the index: %w", place+1, plainly(err))
	if d.Digest.Validate() != nil {
		e.Digest = ""
	}
	e.Size = min(max(e.Size, 0), MaxManifestSize)
	return e
}

// plainly makes an Error of one that people would not understand.
func plainly(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	return Errorf(Corrupt, "it is not a descriptor").Because(err)
}

// isArtifact reports whether a descriptor has the artifact type of something that is no image. Images can have one
// too: only their manifest tells.
func isArtifact(d Descriptor) bool { return d.ArtifactType != "" && !isConfigType(d.ArtifactType) }

// setArtifactsApart makes no image of an entry with an artifact type where another one is for the same platform
// without.
func (idx *Index) setArtifactsApart() {
	plain := map[Platform]bool{}
	for _, e := range idx.Entries {
		if e.Kind == EntryImage && !isArtifact(e.Descriptor) {
			plain[e.Platform] = true
		}
	}
	for i, e := range idx.Entries {
		if e.Kind == EntryImage && isArtifact(e.Descriptor) && plain[e.Platform] {
			idx.Entries[i].Kind = EntryOther
		}
	}
}

// newEntry sorts an entry into its kind. Attestations are recognised as BuildKit writes them:
// unknown/unknown with vnd.docker.reference.type (buildkit docs/attestations/attestation-storage.md).
func newEntry(d Descriptor) Entry {
	e := Entry{Descriptor: d, Kind: EntryOther}
	if d.Platform != nil {
		e.Platform = PlatformOf(*d.Platform)
	}
	unknown := d.Platform != nil && (d.Platform.OS == "unknown" || d.Platform.Architecture == "unknown")
	reference := d.Annotations["vnd.docker.reference.type"]
	switch {
	case reference == "attestation-manifest":
		e.Kind, e.Platform = EntryAttestation, Platform{}
		if subject, err := ParseDigest(d.Annotations["vnd.docker.reference.digest"]); err == nil {
			e.Describes = subject
		}
	case unknown || reference != "":
		e.Platform = Platform{}
	case d.MediaType == ocispec.MediaTypeImageIndex || d.MediaType == MediaTypeDockerManifestList:
		e.Kind = EntryIndex
	case isArtifact(d) && !e.Platform.Known():
	case d.MediaType == ocispec.MediaTypeImageManifest || d.MediaType == MediaTypeDockerManifest:
		e.Kind = EntryImage
	}
	return e
}

func parseManifest(w wire) (*Manifest, error) {
	if w.Config == nil {
		return nil, Errorf(Corrupt, "the manifest names no config")
	}
	if !isImageConfig(w.Config.MediaType, w.ArtifactType) {
		kind := w.ArtifactType
		if kind == "" {
			kind = w.Config.MediaType
		}
		return nil, Errorf(NotImage, "this is not a container image: its type is %s", Shorten(kind)).
			Suggest("Charts, models, signatures and other artifacts are fetched with their own tools, such as helm or oras.")
	}
	if err := checkDescriptor(*w.Config, MaxConfigSize); err != nil {
		return nil, Errorf(Corrupt, "the manifest's config: %w", err)
	}
	m := &Manifest{Config: *w.Config, Annotations: w.Annotations}
	if w.Layers != nil {
		m.Layers = *w.Layers
	}
	if len(m.Layers) > MaxLayers {
		return nil, Errorf(TooLarge, "the image has %d layers, more than %d", len(m.Layers), MaxLayers)
	}
	for i, l := range m.Layers {
		if err := checkDescriptor(l, MaxBlobSize); err != nil {
			return nil, Errorf(Corrupt, "layer %d of the manifest: %w", i+1, err)
		}
		if !isLayerType(l.MediaType) {
			return nil, Errorf(NotImage, "layer %d has the unsupported media type %s", i+1, Shorten(l.MediaType)).
				Suggest("Charts, models, signatures and other artifacts are fetched with their own tools, such as helm or oras.")
		}
	}
	return m, nil
}

// isImageConfig reports whether a manifest with such a config is an image's. The config's media type decides, whatever
// artifactType says beside it, which image manifests may have since OCI 1.1; only where the config's own type says
// nothing is artifactType asked.
func isImageConfig(config, artifactType string) bool {
	switch config {
	case ocispec.MediaTypeImageConfig, MediaTypeDockerConfig:
		return true
	}
	return isConfigType(config) && (artifactType == "" || isConfigType(artifactType))
}

// isConfigType follows dockerd (distribution/pull_v2.go): these config types are images.
func isConfigType(t string) bool {
	switch t {
	case ocispec.MediaTypeImageConfig, MediaTypeDockerConfig, "application/octet-stream", "application/json",
		"text/html", "":
		return true
	}
	return false
}

func isLayerType(t string) bool {
	return strings.HasPrefix(t, "application/vnd.oci.image.") || strings.HasPrefix(t, "application/vnd.docker.")
}

func checkDescriptor(d Descriptor, maxSize int64) error {
	if _, err := ParseDigest(string(d.Digest)); err != nil {
		return err
	}
	if d.Size < 0 {
		return Errorf(Corrupt, "size %d is negative", d.Size)
	}
	if d.Size > maxSize {
		return Errorf(TooLarge, "size %d is over the limit of %d bytes", d.Size, maxSize)
	}
	return nil
}
