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
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
	"github.com/stowage/stowage/test/rules"
)

// testShelf is a real store in a folder of its own, filled with small images by name.
type testShelf struct {
	*Store
	*rules.Sources
	t       *testing.T
	dir     string
	options Options
}

// newShelf opens an empty shelf that knows the sources of rules.NewSources.
func newShelf(t *testing.T) *testShelf { return newShelfWith(t, Options{}) }

// newShelfWith is newShelf with options of the store.
func newShelfWith(t *testing.T, o Options) *testShelf {
	t.Helper()
	o.Dir, o.DefaultPlatform = cmp.Or(o.Dir, t.TempDir()), image.Platform{OS: "linux", Architecture: "amd64"}
	s := &testShelf{Sources: rules.NewSources(t), t: t, dir: o.Dir, options: o}
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
	store.Janitor.mu.Lock()
	defer store.Janitor.mu.Unlock()
	store.Janitor.waits.delay = time.Millisecond // the tests wait for it often
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
		if _, err := s.Tags.Pin(s.t.Context(), s.Item(name, "").Reference, note, image.ActorNamed("mira")); err != nil {
			s.t.Fatal(err)
		}
	}
}

// pull puts an image on the shelf as a finished pull does: blob files first, then Record.
func (s *testShelf) pull(words string) {
	s.t.Helper()
	s.record(words, func(*shelf.Pulled) {})
}

// begin keeps a job that is worked on.
func (s *testShelf) begin(j job.Job) job.Lease {
	s.t.Helper()
	lease, err := s.Jobs.Begin(s.t.Context(), j)
	if err != nil {
		s.t.Fatal(err)
	}
	return lease
}

func (s *testShelf) record(words string, alter func(*shelf.Pulled)) {
	s.t.Helper()
	h := s.Read(words)
	b := s.Build(h.Source)
	indexes, images := h.Wants(b)
	before, err := s.Images.Resolved(s.t.Context(), h.Ref)
	if err != nil && image.KindOf(err) != image.NotFound {
		s.t.Fatal(err)
	}
	p := shelf.Pulled{Reference: h.Ref, Before: before.Digest, Target: s.document(b), By: image.ActorNamed("mira")}
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
		for _, a := range h.About(b, m.Digest()) {
			img.Attestations = append(img.Attestations, s.attestation(a))
		}
		p.Images = append(p.Images, img)
	}
	alter(&p)
	if _, err := s.Recorder.Record(s.t.Context(), p); err != nil {
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
	if s.folder.blobs.Has(d, int64(len(data))) {
		return
	}
	w, err := s.folder.blobs.Partials.Writer(d, int64(len(data)))
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

// files returns the blob files on disk with their sizes.
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

// rows returns the list as the tables word it, sorted, with the reason where it is not a tag.
func (s *testShelf) rows() []string {
	s.t.Helper()
	list, _, err := s.Lists.List(s.t.Context(), shelf.Query{Limit: 100})
	if err != nil {
		s.t.Fatal(err)
	}
	var rows []string
	for _, r := range list {
		name := r.Reference.Repository.Familiar() + "@"
		if r.Reference.Tag != "" {
			name = r.Reference.Familiar()
		}
		row := name + "=" + s.NameOf(r.Digest)
		for _, p := range r.Platforms {
			row += " " + p.Architecture
		}
		if r.Reason != shelf.ByTag {
			row += " (" + string(r.Reason) + ")"
		}
		rows = append(rows, row)
	}
	slices.Sort(rows)
	return rows
}

// check holds the shelf against the rows that are expected: the list, the files on disk, the rows behind
// them, index.json and the sums.
func (s *testShelf) check(want []string) {
	s.t.Helper()
	s.Janitor.Settle()
	slices.Sort(want)
	if got := s.rows(); !slices.Equal(got, want) {
		s.t.Errorf("rows\n got %q\nwant %q", got, want)
	}
	files, names, repositories := map[image.Digest]int64{}, []string{}, map[image.Repository]bool{}
	for _, words := range want {
		plain, _, _ := strings.Cut(words, " (")
		h := s.Read(plain)
		b := s.Build(h.Source)
		for _, m := range h.Whole(b) {
			files[m.Digest()] = m.Descriptor.Size
			for _, blob := range m.Blobs {
				files[blob.Descriptor.Digest] = blob.Descriptor.Size
			}
		}
		names = append(names, h.Ref.String()+" "+string(b.Digest()))
		repositories[h.Ref.Repository] = true
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
	totals, err := s.Lists.Totals(s.t.Context())
	if sums := (shelf.Totals{Images: len(want), Repositories: len(repositories), Blobs: len(files), Bytes: bytes}); err != nil || totals != sums {
		s.t.Errorf("totals %+v (%v), want %+v", totals, err, sums)
	}
}

// checkFiles holds the files on disk and the rows for blobs, manifests, images and layers against what is wanted.
func (s *testShelf) checkFiles(want map[image.Digest]int64) {
	s.t.Helper()
	on := s.files()
	for d := range want {
		if on[d] != want[d] {
			s.t.Errorf("blob %s (%s) has %d bytes on disk, want %d", d, s.NameOf(d), on[d], want[d])
		}
	}
	for d := range on {
		if _, ok := want[d]; !ok {
			s.t.Errorf("blob %s (%s) is still on disk", d, s.NameOf(d))
		}
	}
	for _, query := range []string{`SELECT digest FROM blobs`, `SELECT digest FROM manifests`, `SELECT digest FROM layers`, `SELECT manifest_digest FROM images`, `SELECT layer_digest FROM image_layers`,
		`SELECT digest FROM attestations`, `SELECT manifest_digest FROM image_attestations`, `SELECT attestation_digest FROM image_attestations`, `SELECT blob_digest FROM attestation_blobs`} {
		digests, err := database.RowsOf(s.t.Context(), s.folder.db, database.ScanString, query)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, d := range digests {
			if _, ok := want[image.Digest(d)]; !ok {
				s.t.Errorf("%s: %s (%s) is still there", query, d, s.NameOf(image.Digest(d)))
			}
		}
		if strings.HasSuffix(query, "FROM blobs") && len(digests) != len(want) {
			s.t.Errorf("%d rows for blobs, want %d", len(digests), len(want))
		}
	}
}

// layoutNames returns index.json as "reference digest", sorted.
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
func (s *testShelf) remove(ctx context.Context, asked shelf.Removal) (shelf.RemovalPlan, error) {
	plan, err := s.Removals.PlanRemoval(ctx, asked)
	if err != nil {
		return plan, err
	}
	done, err := s.Removals.Remove(ctx, asked, plan.Fingerprint, image.ActorNamed("noa"))
	return done.Plan, err
}
