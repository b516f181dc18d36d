package removal_test

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/shelf/removal"
	"github.com/stowage/stowage/test/rules"
)

// memory is a shelf in memory: it answers the rules' questions by looking at everything it has.
type memory struct {
	*rules.Sources
	t            *testing.T
	repositories []image.Repository // by their numbers
	roots        map[removal.Key]*known
	documents    map[image.Digest]*document
	attestations map[image.Digest]*attestation
	sizes        map[image.Digest]int64
}

// known is a digest that a repository knows.
type known struct {
	byDigest bool
	tags     map[string]bool
	pin      *shelf.Pin
}

// document is an index, or a manifest with its image.
type document struct {
	index        *image.Index
	image        removal.Image
	layers       []image.Digest
	base         image.Digest // by its annotation
	labels       map[string]string
	attestations []image.Digest
}

type attestation struct {
	blobs  []image.Digest
	images []image.Digest
}

func newMemory(t *testing.T, words []string) *memory {
	m := &memory{
		Sources: rules.NewSources(t), t: t, roots: map[removal.Key]*known{}, documents: map[image.Digest]*document{},
		attestations: map[image.Digest]*attestation{}, sizes: map[image.Digest]int64{},
	}
	for _, w := range words {
		if pin, ok := strings.CutPrefix(w, "pin "); ok {
			name, note, _ := strings.Cut(pin, " ")
			m.pin(m.Item(name, "").Reference, note)
		} else {
			m.pull(m.Read(w))
		}
	}
	return m
}

func (m *memory) pull(h rules.Held) {
	b := m.Build(h.Source)
	indexes, images := h.Wants(b)
	for _, of := range append(indexes, b) {
		m.document(of)
	}
	for _, of := range images {
		doc := m.document(of)
		for _, a := range h.About(b, of.Digest()) {
			m.attest(doc, of.Digest(), a)
		}
	}
	id := m.repository(h.Ref.Repository)
	at := removal.Key{Repository: id, Digest: b.Digest()}
	if m.roots[at] == nil {
		m.roots[at] = &known{tags: map[string]bool{}}
	}
	if h.Ref.Tag == "" {
		m.roots[at].byDigest = true
		return
	}
	for other, k := range m.roots {
		if other.Repository == id {
			delete(k.tags, h.Ref.Tag)
		}
	}
	m.roots[at].tags[h.Ref.Tag] = true
}

// repository returns the number of a repository.
func (m *memory) repository(name image.Repository) int64 {
	i := slices.Index(m.repositories, name)
	if i < 0 {
		i = len(m.repositories)
		m.repositories = append(m.repositories, name)
	}
	return int64(i)
}

func (m *memory) document(b sample.Built) *document {
	parsed, err := image.ParseStoredDocument(b.Descriptor.MediaType, b.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	m.sizes[parsed.Digest] = int64(len(b.Body))
	if m.documents[parsed.Digest] != nil {
		return m.documents[parsed.Digest]
	}
	doc := &document{index: parsed.Index}
	m.documents[parsed.Digest] = doc
	if parsed.Index != nil {
		return doc
	}
	config, err := image.ParseConfig(b.Blobs[0].Data, parsed.Manifest)
	if err != nil {
		m.t.Fatal(err)
	}
	doc.image = removal.Image{
		Manifest: parsed.Digest, ID: parsed.Manifest.Config.Digest, Platform: config.Platform(),
		Size: parsed.Manifest.Size(), Layers: len(parsed.Manifest.Layers),
	}
	if config.Created != nil {
		doc.image.Created = *config.Created
	}
	doc.labels = config.Config.Labels
	doc.base = image.Digest(parsed.Manifest.Annotations[v1.AnnotationBaseImageDigest])
	m.sizes[doc.image.ID] = parsed.Manifest.Config.Size
	for _, l := range parsed.Manifest.Layers {
		m.sizes[l.Digest] = l.Size
		doc.layers = append(doc.layers, l.Digest)
	}
	return doc
}

// attest adds what describes an image.
func (m *memory) attest(doc *document, manifest image.Digest, b sample.Built) {
	parsed, err := image.ParseAttestation(b.Descriptor.MediaType, b.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	a := m.attestations[parsed.Digest]
	if a == nil {
		a = &attestation{}
		m.attestations[parsed.Digest] = a
		for _, d := range append([]image.Descriptor{parsed.Descriptor()}, parsed.Blobs()...) {
			m.sizes[d.Digest] = d.Size
			a.blobs = append(a.blobs, d.Digest)
		}
	}
	if !slices.Contains(doc.attestations, parsed.Digest) {
		doc.attestations = append(doc.attestations, parsed.Digest)
		a.images = append(a.images, manifest)
	}
}

// find returns the root that a reference names; nil where it is not stored.
func (m *memory) find(ref image.Reference) (removal.Key, *known) {
	for at, k := range m.roots {
		if m.repositories[at.Repository] == ref.Repository && (ref.Digest == at.Digest || ref.Digest == "" && k.tags[ref.Tag]) {
			return at, k
		}
	}
	return removal.Key{}, nil
}

func (m *memory) pin(ref image.Reference, note string) {
	at, k := m.find(ref)
	ref = image.Reference{Repository: ref.Repository, Digest: at.Digest}
	k.pin = &shelf.Pin{Reference: ref, Note: note, By: "mira"}
}

// found looks up what is asked for.
func (m *memory) found(asked shelf.Removal) (all []removal.Found) {
	seen := map[shelf.RemovalItem]bool{}
	for _, item := range asked.Items {
		if !seen[item] {
			all = append(all, m.foundItem(item))
		}
		seen[item] = true
	}
	return all
}

func (m *memory) foundItem(item shelf.RemovalItem) removal.Found {
	f := removal.Found{Item: item, Missing: image.Errorf(image.NotFound, "it is not stored")}
	if item.ID != "" {
		for _, i := range m.images() {
			if i.ID == item.ID {
				f.Images, f.Missing = append(f.Images, i), nil
			}
		}
		return f
	}
	at, k := m.find(item.Reference)
	f.Root = at
	if k != nil && item.Platform == (image.Platform{}) {
		f.Missing = nil
	}
	for _, b := range m.below(at.Digest) {
		if !b.Index && b.Image.Platform == item.Platform && k != nil {
			f.Images, f.Missing = []removal.Image{b.Image}, nil
		}
	}
	return f
}

// images returns all images, in the order of their manifests.
func (m *memory) images() (all []removal.Image) {
	for _, d := range slices.Sorted(maps.Keys(m.documents)) {
		if doc := m.documents[d]; doc.index == nil {
			all = append(all, doc.image)
		}
	}
	return all
}

// keys returns all roots by the names of their repositories and their digests.
func (m *memory) keys() []removal.Key {
	return slices.SortedFunc(maps.Keys(m.roots), func(a, b removal.Key) int {
		byName := strings.Compare(string(m.repositories[a.Repository]), string(m.repositories[b.Repository]))
		return cmp.Or(byName, strings.Compare(string(a.Digest), string(b.Digest)))
	})
}

func (m *memory) root(at removal.Key, few int) removal.Root {
	k := m.roots[at]
	r := removal.Root{Key: at, Name: m.repositories[at.Repository], ByDigest: k.byDigest, Tags: len(k.tags)}
	if r.Names = slices.Sorted(maps.Keys(k.tags)); few >= 0 {
		r.Names = r.Names[:min(few, len(r.Names))]
	}
	return r
}

// below returns what is stored under a digest: indexes, and images in the order of the index.
func (m *memory) below(top image.Digest) (all []removal.Below) {
	doc := m.documents[top]
	if doc == nil {
		return nil
	}
	all = append(all, removal.Below{Top: top, Digest: top, Index: doc.index != nil, Image: doc.image})
	if doc.index == nil {
		return all
	}
	for _, e := range doc.index.Entries {
		if e.Kind != image.EntryImage && e.Kind != image.EntryIndex {
			continue
		}
		for _, b := range m.below(e.Digest) {
			b.Top = top
			if !slices.ContainsFunc(all, func(have removal.Below) bool { return have.Digest == b.Digest }) {
				all = append(all, b)
			}
		}
	}
	return all
}

// above returns a manifest or an index, and the indexes that list it.
func (m *memory) above(bottom image.Digest) (all []image.Digest) {
	for _, d := range slices.Sorted(maps.Keys(m.documents)) {
		if slices.ContainsFunc(m.below(d), func(b removal.Below) bool { return b.Digest == bottom }) {
			all = append(all, d)
		}
	}
	return all
}

// Below implements removal.Questions.
func (m *memory) Below(tops []image.Digest, each func(removal.Below)) error {
	for _, top := range tops {
		for _, b := range m.below(top) {
			each(b)
		}
	}
	return nil
}

// Above implements removal.Questions.
func (m *memory) Above(bottoms []image.Digest, _ int, each func(bottom image.Digest, at removal.Key)) error {
	for _, bottom := range bottoms {
		above := m.above(bottom)
		for _, at := range m.keys() {
			if slices.Contains(above, at.Digest) {
				each(bottom, at)
			}
		}
	}
	return nil
}

// Tags implements removal.Questions.
func (m *memory) Tags(roots []removal.Key, few int, each func(removal.Root)) error {
	for _, at := range roots {
		each(m.root(at, few))
	}
	return nil
}

// Pins implements removal.Questions.
func (m *memory) Pins(roots []removal.Key, each func(removal.Key, shelf.Pin)) error {
	for _, at := range roots {
		if k := m.roots[at]; k.pin != nil {
			each(at, *k.pin)
		}
	}
	return nil
}

// BuiltOn implements removal.Questions.
func (m *memory) BuiltOn(bases []image.Digest, each func(base, user image.Digest) (enough bool)) error {
	for _, base := range bases {
		b, above := m.documents[base], m.above(base)
		for _, i := range m.images() {
			user := m.documents[i.Manifest]
			same := i.Platform == b.image.Platform
			byLayers := same && len(user.layers) > len(b.layers) && slices.Equal(user.layers[:len(b.layers)], b.layers)
			byName := i.Manifest != base && slices.Contains(above, user.base) && (same || user.base == base)
			if (byLayers || byName) && each(base, i.Manifest) {
				break
			}
		}
	}
	return nil
}

// Parts implements removal.Questions.
func (m *memory) Parts(manifests []image.Digest, each func(removal.Part)) error {
	for _, d := range manifests {
		for _, l := range m.documents[d].layers {
			each(removal.Part{Manifest: d, Blob: l})
		}
	}
	for _, d := range manifests {
		for _, a := range m.documents[d].attestations {
			for i, blob := range m.attestations[a].blobs {
				each(removal.Part{Manifest: d, Attestation: a, Position: i, Blob: blob})
			}
		}
	}
	return nil
}

// Describes implements removal.Questions.
func (m *memory) Describes(attestations []image.Digest, each func(attestation image.Digest, images int)) error {
	for _, a := range attestations {
		each(a, len(m.attestations[a].images))
	}
	return nil
}

// Uses implements removal.Questions.
func (m *memory) Uses(blobs []image.Digest, _ int, each func(removal.Uses)) error {
	for _, d := range blobs {
		u := removal.Uses{Blob: d, Size: m.sizes[d], Document: m.documents[d] != nil}
		for _, i := range m.images() {
			u.Layers += count(m.documents[i.Manifest].layers, d)
			u.Configs += count([]image.Digest{i.ID}, d)
		}
		for _, a := range m.attestations {
			u.Attested += count(a.blobs, d)
		}
		each(u)
	}
	return nil
}

func count(all []image.Digest, d image.Digest) (n int) {
	for _, one := range all {
		if one == d {
			n++
		}
	}
	return n
}

// Users implements removal.Questions.
func (m *memory) Users(blob image.Digest, each func(manifest image.Digest) (enough bool)) error {
	for _, d := range slices.Sorted(maps.Keys(m.documents)) {
		if slices.Contains(m.blobsOf(d), blob) && each(d) {
			break
		}
	}
	return nil
}

// blobsOf returns the blobs that an index or an image needs, itself included.
func (m *memory) blobsOf(d image.Digest) []image.Digest {
	doc := m.documents[d]
	all := []image.Digest{d}
	if doc.index == nil {
		all = append(append(all, doc.image.ID), doc.layers...)
	}
	for _, a := range doc.attestations {
		all = append(all, m.attestations[a].blobs...)
	}
	return all
}

// bytes sums up the blobs that the roots lead to.
func (m *memory) bytes() (n int64) {
	needed := map[image.Digest]bool{}
	for at := range m.roots {
		for _, b := range m.below(at.Digest) {
			for _, d := range m.blobsOf(b.Digest) {
				needed[d] = true
			}
		}
	}
	for d := range needed {
		n += m.sizes[d]
	}
	return n
}

// carryOut does what a plan says.
func (m *memory) carryOut(p removal.Plan) {
	for _, u := range p.Untagged {
		delete(m.roots[u.Root.Key].tags, u.Tag)
	}
	for _, f := range p.Forgotten {
		m.roots[f.Key].byDigest = false
	}
	for _, d := range p.Dropped {
		delete(m.roots, d.Key)
	}
	for _, i := range p.Images {
		delete(m.documents, i.Manifest)
	}
}

// rows returns the list as the tables word it, sorted.
func (m *memory) rows() (rows []string) {
	for _, at := range m.keys() {
		r := m.root(at, -1)
		of := "=" + m.NameOf(at.Digest)
		for _, b := range m.below(at.Digest) {
			if !b.Index {
				of += " " + b.Image.Platform.Architecture
			}
		}
		for _, name := range r.Names {
			rows = append(rows, image.Reference{Repository: r.Name, Tag: name}.Familiar()+of)
		}
		switch {
		case r.Tags > 0:
		case r.ByDigest:
			rows = append(rows, r.Name.Familiar()+"@"+of+" (by digest)")
		default:
			rows = append(rows, r.Name.Familiar()+"@"+of+" (dangling)")
		}
	}
	slices.Sort(rows)
	return rows
}
