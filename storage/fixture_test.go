package storage

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/shelf"
)

// testShelf is a real store in a folder of its own, filled with small images by name.
type testShelf struct {
	*Store
	t       *testing.T
	dir     string
	options Options
	built   map[string]sample.Built // images and indexes that were put on it, by name
	layers  map[string]*sample.Layer
	source  map[string]sample.Source
}

// newShelf opens an empty shelf that knows these sources:
//
//	jammy       index: amd64 and arm64, on the base of its architecture
//	jammy-next  index: a new amd64, jammy's very arm64
//	postgres    index: amd64 and arm64, built on jammy's layers
//	redis       a manifest for amd64, with nothing in common with the others but the base
//	nested      index: redis and, in an index of its own, arm64 and arm/v7
//	odd         a manifest whose only layer is its own config's bytes
//	base        a manifest for amd64: the first layer of the others
//	copy        a manifest with the layers of jammy's amd64, and a config of its own
//	squashed    a manifest for amd64 that shares no layer and says that it is built on jammy
//	ci, old     manifests for amd64: with the label stage=ci, and created in 2020
//	undated     a manifest for amd64 that does not say when it was created
//	half        index: an amd64 with the label stage=ci and an arm64 created in 2020
//	told        index: amd64 and arm64, each with an attestation
//	told-again  index: told's very images, each with another attestation, in the newer form
//	strange     index: redis and an arm64 with one attestation for both, whose blobs are redis's own
func newShelf(t *testing.T) *testShelf { return newShelfWith(t, Options{}) }

// newShelfWith is newShelf with options of the store.
func newShelfWith(t *testing.T, o Options) *testShelf {
	t.Helper()
	o.Dir, o.DefaultPlatform = cmp.Or(o.Dir, t.TempDir()), image.Platform{OS: "linux", Architecture: "amd64"}
	s := &testShelf{t: t, dir: o.Dir, options: o, built: map[string]sample.Built{}, layers: map[string]*sample.Layer{}}
	s.open()
	store := s.Store
	t.Cleanup(func() {
		if s.Store != store {
			return // opened anew by the test, which closes it
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	arm := s.image("arm64", "base-arm64", "jammy-arm64")
	redis := s.image("amd64", "base-amd64", "redis")
	s.source = map[string]sample.Source{
		"jammy":      sample.Index{Entries: []sample.Source{s.image("amd64", "base-amd64", "jammy-amd64"), arm}},
		"jammy-next": sample.Index{Entries: []sample.Source{s.image("amd64", "base-amd64", "jammy-next-amd64"), arm}},
		"postgres": sample.Index{Entries: []sample.Source{
			s.image("amd64", "base-amd64", "jammy-amd64", "postgres-amd64"), s.image("arm64", "base-arm64", "jammy-arm64", "postgres-arm64"),
		}},
		"redis":  redis,
		"nested": sample.Index{Entries: []sample.Source{redis, sample.Index{Entries: []sample.Source{s.image("arm64", "deep-arm64"), s.image("arm", "deep-arm")}}}},
		"odd":    odd{s.image("amd64", "odd")},
		"base":   s.image("amd64", "base-amd64"),
	}
	alter := func(im sample.Image, f func(*sample.Image)) sample.Image {
		f(&im)
		return im
	}
	labelled := func(im *sample.Image) { im.Config.Labels = map[string]string{"stage": "ci"} }
	old := func(im *sample.Image) { im.Created = time.Date(2020, 2, 29, 0, 0, 0, 0, time.UTC) }
	s.source["copy"] = alter(s.image("amd64", "base-amd64", "jammy-amd64"), func(im *sample.Image) { im.Author = "somebody else" })
	s.source["squashed"] = alter(s.image("amd64", "squashed"), func(im *sample.Image) {
		im.Annotations = map[string]string{v1.AnnotationBaseImageDigest: string(s.build("jammy").Digest())}
	})
	s.source["ci"] = alter(s.image("amd64", "ci"), labelled)
	s.source["old"] = alter(s.image("amd64", "old"), old)
	s.source["undated"] = alter(s.image("amd64", "undated"), func(im *sample.Image) { im.Created = time.Time{} })
	s.source["half"] = sample.Index{Entries: []sample.Source{alter(s.image("amd64", "half-amd64"), labelled), alter(s.image("arm64", "half-arm64"), old)}}
	told := []sample.Source{s.image("amd64", "base-amd64", "told-amd64"), s.image("arm64", "base-arm64", "told-arm64")}
	s.source["told"] = sample.Index{Attest: true, Entries: told}
	s.source["told-again"] = sample.Index{Attest: true, Artifacts: true, Entries: told}
	s.source["strange"] = strange{[]sample.Source{redis, s.image("arm64", "strange")}}
	return s
}

// open opens the store on the shelf's folder.
func (s *testShelf) open() {
	s.t.Helper()
	store, err := Open(s.t.Context(), s.options)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Store = store
	store.keeper.mu.Lock()
	defer store.keeper.mu.Unlock()
	store.keeper.waits.delay = time.Millisecond // the tests wait for it often
}

// fill pulls in order, and pins what is to be: "pin ubuntu:22.04 why".
func (s *testShelf) fill(all []string) {
	s.t.Helper()
	for _, words := range all {
		pin, isPin := strings.CutPrefix(words, "pin ")
		if !isPin {
			s.pull(words)
			continue
		}
		name, note, _ := strings.Cut(pin, " ")
		if _, err := s.Pin(s.t.Context(), s.item(name, "").Reference, note, "mira"); err != nil {
			s.t.Fatal(err)
		}
	}
}

// image is an image for linux on an architecture, made of layers by name; equal names are one layer.
func (s *testShelf) image(architecture string, layers ...string) sample.Image {
	im := sample.Image{Platform: v1.Platform{OS: "linux", Architecture: architecture}, Created: sample.Epoch}
	for _, name := range layers {
		if s.layers[name] == nil {
			s.layers[name] = sample.NewLayer(sample.Gzip, sample.Data("usr/"+name, name, int64(2000+100*len(name))))
		}
		im.Steps = append(im.Steps, sample.Step{By: "COPY " + name, Layer: s.layers[name]})
	}
	return im
}

// odd makes an image's one layer the very blob that is its config: hostile, and well formed.
type odd struct{ from sample.Image }

func (o odd) Build() (sample.Built, error) {
	b, err := o.from.Build()
	if err != nil {
		return sample.Built{}, err
	}
	layer := b.Blobs[0].Descriptor
	layer.MediaType = v1.MediaTypeImageLayer
	b.Blobs[1] = sample.Blob{Descriptor: layer, Data: b.Blobs[0].Data}
	b.Body, err = json.Marshal(v1.Manifest{MediaType: v1.MediaTypeImageManifest, Config: b.Blobs[0].Descriptor, Layers: []v1.Descriptor{layer}})
	b.Descriptor.Digest, b.Descriptor.Size = image.DigestOf(b.Body), int64(len(b.Body))
	return b, err
}

// strange makes an index of images that one attestation describes: its config is the first image's, its statements are
// that image's manifest and layer. Hostile, and well formed.
type strange struct{ of []sample.Source }

func (x strange) Build() (sample.Built, error) {
	b, err := sample.Index{Entries: x.of}.Build()
	if err != nil {
		return b, err
	}
	first := b.Children[0]
	a := sample.Built{Blobs: []sample.Blob{first.Blobs[0], {Descriptor: first.Descriptor, Data: first.Body}, first.Blobs[1]}}
	man := v1.Manifest{MediaType: v1.MediaTypeImageManifest, Config: a.Blobs[0].Descriptor}
	for i := range a.Layers() {
		d := &a.Layers()[i].Descriptor
		*d = v1.Descriptor{MediaType: sample.MediaTypeInToto, Digest: d.Digest, Size: d.Size}
		man.Layers = append(man.Layers, *d)
	}
	if a.Body, err = json.Marshal(man); err != nil {
		return b, err
	}
	index := v1.Index{MediaType: v1.MediaTypeImageIndex}
	for _, c := range b.Children {
		a.Descriptor = v1.Descriptor{MediaType: v1.MediaTypeImageManifest, Digest: image.DigestOf(a.Body), Size: int64(len(a.Body)), Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"},
			Annotations: map[string]string{sample.AnnotationReferenceType: sample.AttestationManifest, sample.AnnotationReferenceDigest: string(c.Digest())}}
		b.Children = append(b.Children, a)
	}
	for _, c := range b.Children {
		index.Manifests = append(index.Manifests, c.Descriptor)
	}
	b.Body, err = json.Marshal(index)
	b.Descriptor.Digest, b.Descriptor.Size = image.DigestOf(b.Body), int64(len(b.Body))
	return b, err
}

// build gives what a source of that name is.
func (s *testShelf) build(name string) sample.Built {
	s.t.Helper()
	if b, ok := s.built[name]; ok {
		return b
	}
	b, err := s.source[name].Build()
	if err != nil {
		s.t.Fatal(err)
	}
	s.built[name] = b
	return b
}

// held is a reference with the source it stands on, in the words of the tables: "ubuntu:22.04=jammy amd64 arm64",
// or "ubuntu@=jammy amd64" for a digest without a tag; with "alone" without what describes the images.
type held struct {
	ref           image.Reference
	source        string
	architectures []string
	alone         bool
}

func (s *testShelf) read(words string) held {
	s.t.Helper()
	fields := strings.Fields(words)
	name, source, _ := strings.Cut(fields[0], "=")
	h := held{source: source, architectures: fields[1:], alone: slices.Contains(fields, "alone")}
	repository, byDigest := strings.CutSuffix(name, "@")
	ref, err := image.ParseRepositoryReference(repository)
	if err != nil {
		s.t.Fatal(err)
	}
	if h.ref = ref; byDigest {
		h.ref.Digest = s.build(source).Digest()
	}
	return h
}

// wants gives the manifest, with its config and layers, of each platform, and the indexes on the way to it.
func (h held) wants(b sample.Built) (indexes, images []sample.Built) {
	for m := range b.All() {
		if len(m.Children) > 0 {
			indexes = append(indexes, m)
		} else if slices.Contains(h.architectures, m.Descriptor.Platform.Architecture) {
			images = append(images, m)
		}
	}
	return indexes, images
}

// about gives the attestations of an image.
func (h held) about(b sample.Built, of image.Digest) (all []sample.Built) {
	for m := range b.All() {
		if !h.alone && m.Descriptor.Annotations[sample.AnnotationReferenceDigest] == string(of) {
			all = append(all, m)
		}
	}
	return all
}

// whole gives the indexes and images with what describes them.
func (h held) whole(b sample.Built) []sample.Built {
	indexes, images := h.wants(b)
	all := slices.Concat(indexes, images)
	for _, m := range images {
		all = append(all, h.about(b, m.Digest())...)
	}
	return all
}

// pull puts an image on the shelf as a finished pull does: blob files first, then Record.
func (s *testShelf) pull(words string) {
	s.t.Helper()
	s.record(words, func(*shelf.Pulled) {})
}

func (s *testShelf) record(words string, alter func(*shelf.Pulled)) {
	s.t.Helper()
	h := s.read(words)
	b := s.build(h.source)
	indexes, images := h.wants(b)
	before, err := s.Resolved(s.t.Context(), h.ref)
	if err != nil && image.KindOf(err) != image.NotFound {
		s.t.Fatal(err)
	}
	p := shelf.Pulled{Reference: h.ref, Before: before.Digest, Target: s.document(b), By: "mira"}
	for _, ix := range indexes {
		if doc := s.document(ix); doc.Digest != p.Target.Digest {
			p.Indexes = append(p.Indexes, doc)
		}
	}
	for _, m := range images {
		for _, blob := range m.Blobs {
			s.put(blob.Descriptor.Digest, blob.Data)
		}
		doc := s.document(m)
		config, err := image.ParseConfig(m.Blobs[0].Data, doc.Manifest)
		if err != nil {
			s.t.Fatal(err)
		}
		img := shelf.PulledImage{Document: doc, Config: config, Platform: config.Platform()}
		for _, a := range h.about(b, m.Digest()) {
			img.Attestations = append(img.Attestations, s.attestation(a))
		}
		p.Images = append(p.Images, img)
	}
	alter(&p)
	if _, err := s.Record(s.t.Context(), p); err != nil {
		s.t.Fatalf("record %s: %v", words, err)
	}
}

func (s *testShelf) document(b sample.Built) image.Document {
	s.t.Helper()
	s.put(b.Digest(), b.Body)
	doc, err := image.ParseStoredDocument(b.Descriptor.MediaType, b.Body) // also what an older version took
	if err != nil {
		s.t.Fatal(err)
	}
	return doc
}

func (s *testShelf) attestation(b sample.Built) image.Attestation {
	s.t.Helper()
	s.put(b.Digest(), b.Body)
	for _, blob := range b.Blobs {
		s.put(blob.Descriptor.Digest, blob.Data)
	}
	a, err := image.ParseAttestation(b.Descriptor.MediaType, b.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *testShelf) put(d image.Digest, data []byte) {
	s.t.Helper()
	if s.blobs.Has(d, int64(len(data))) {
		return
	}
	w, err := s.blobs.Writer(d, int64(len(data)))
	if err != nil {
		s.t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.Write(data); err != nil {
		s.t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		s.t.Fatal(err)
	}
}

// files gives the blob files on disk with their sizes.
func (s *testShelf) files() map[image.Digest]int64 {
	s.t.Helper()
	found := map[image.Digest]int64{}
	err := filepath.WalkDir(filepath.Join(s.dir, "blobs", "sha256"), func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			found[image.Digest("sha256:"+e.Name())] = info.Size()
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

// rows gives the list as the tables word it, sorted, with the reason where it is not a tag.
func (s *testShelf) rows() []string {
	s.t.Helper()
	list, _, err := s.List(s.t.Context(), ListQuery{Limit: 100})
	if err != nil {
		s.t.Fatal(err)
	}
	var rows []string
	for _, r := range list {
		name := r.Reference.Repository.Familiar() + "@"
		if r.Reference.Tag != "" {
			name = r.Reference.Familiar()
		}
		row := name + "=" + s.nameOf(r.Digest)
		for _, p := range r.Platforms {
			row += " " + p.Architecture
		}
		if r.Reason != ByTag {
			row += " (" + string(r.Reason) + ")"
		}
		rows = append(rows, row)
	}
	slices.Sort(rows)
	return rows
}

// nameOf gives the name of what has a digest: a source, "source/architecture" for an image by manifest or image ID,
// or a layer.
func (s *testShelf) nameOf(d image.Digest) string {
	for name, b := range s.built {
		if b.Digest() == d {
			return name
		}
	}
	for name, l := range s.layers {
		if c, err := l.Content(); err == nil && c.Digest == d {
			return name
		}
	}
	var names []string
	for name, b := range s.built {
		for m := range b.All() {
			if len(m.Blobs) > 0 && (m.Digest() == d || m.Blobs[0].Descriptor.Digest == d) {
				names = append(names, name+"/"+m.Descriptor.Platform.Architecture)
			}
		}
	}
	// An image of two indexes is named by the shorter one.
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	return append(names, string(d))[0]
}

// id gives the image ID of a source's image for an architecture.
func (s *testShelf) id(name, architecture string) image.Digest {
	s.t.Helper()
	for m := range s.build(name).All() {
		if p := m.Descriptor.Platform; p != nil && p.Architecture == architecture && len(m.Blobs) > 0 {
			return m.Blobs[0].Descriptor.Digest
		}
	}
	s.t.Fatalf("%s has no image for %s", name, architecture)
	return ""
}

// check holds the shelf against the rows that are expected: the list, the files on disk, the rows behind
// them, index.json and the sums.
func (s *testShelf) check(want []string) {
	s.t.Helper()
	s.Settle()
	slices.Sort(want)
	if got := s.rows(); !slices.Equal(got, want) {
		s.t.Errorf("rows\n got %q\nwant %q", got, want)
	}
	files, names, repositories := map[image.Digest]int64{}, []string{}, map[image.Repository]bool{}
	for _, words := range want {
		plain, _, _ := strings.Cut(words, " (")
		h := s.read(plain)
		b := s.build(h.source)
		for _, m := range h.whole(b) {
			files[m.Digest()] = m.Descriptor.Size
			for _, blob := range m.Blobs {
				files[blob.Descriptor.Digest] = blob.Descriptor.Size
			}
		}
		names = append(names, h.ref.String()+" "+string(b.Digest()))
		repositories[h.ref.Repository] = true
	}
	s.checkFiles(files)
	slices.Sort(names)
	if got := s.layoutNames(); !slices.Equal(got, names) {
		s.t.Errorf("index.json\n got %q\nwant %q", got, names)
	}
	var bytes int64
	for _, n := range files {
		bytes += n
	}
	totals, err := s.Totals(s.t.Context())
	if sums := (Totals{Images: len(want), Repositories: len(repositories), Blobs: len(files), Bytes: bytes}); err != nil || totals != sums {
		s.t.Errorf("totals %+v (%v), want %+v", totals, err, sums)
	}
}

// checkFiles holds the files on disk and the rows for blobs, manifests, images and layers against what is wanted.
func (s *testShelf) checkFiles(want map[image.Digest]int64) {
	s.t.Helper()
	on := s.files()
	for d := range want {
		if on[d] != want[d] {
			s.t.Errorf("blob %s (%s) has %d bytes on disk, want %d", d, s.nameOf(d), on[d], want[d])
		}
	}
	for d := range on {
		if _, ok := want[d]; !ok {
			s.t.Errorf("blob %s (%s) is still on disk", d, s.nameOf(d))
		}
	}
	for _, query := range []string{`SELECT digest FROM blobs`, `SELECT digest FROM manifests`, `SELECT digest FROM layers`, `SELECT manifest_digest FROM images`, `SELECT layer_digest FROM image_layers`,
		`SELECT digest FROM attestations`, `SELECT manifest_digest FROM image_attestations`, `SELECT attestation_digest FROM image_attestations`, `SELECT blob_digest FROM attestation_blobs`} {
		digests, err := rowsOf(s.t.Context(), s.Store.read, scanString, query)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, d := range digests {
			if _, ok := want[image.Digest(d)]; !ok {
				s.t.Errorf("%s: %s (%s) is still there", query, d, s.nameOf(image.Digest(d)))
			}
		}
		if strings.HasSuffix(query, "FROM blobs") && len(digests) != len(want) {
			s.t.Errorf("%d rows for blobs, want %d", len(digests), len(want))
		}
	}
}

// layoutNames gives index.json as "reference digest", sorted.
func (s *testShelf) layoutNames() []string {
	s.t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.dir, "index.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	var index v1.Index
	if err := json.Unmarshal(raw, &index); err != nil {
		s.t.Fatal(err)
	}
	names := []string{}
	for _, d := range index.Manifests {
		names = append(names, fmt.Sprintf("%s %s", d.Annotations[v1.AnnotationRefName], d.Digest))
	}
	slices.Sort(names)
	return names
}

// remove plans and carries the plan out as somebody who confirms it at once.
func (s *testShelf) remove(ctx context.Context, asked image.Removal) (image.RemovalPlan, error) {
	plan, err := s.PlanRemoval(ctx, asked)
	if err != nil {
		return plan, err
	}
	done, err := s.Remove(ctx, asked, plan.Fingerprint, "noa")
	return done.Plan, err
}
