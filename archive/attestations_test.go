package archive_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage"
)

// attestedIndex is an index for two platforms, with what describes each of them.
func attestedIndex(t *testing.T, artifacts bool) sample.Built {
	t.Helper()
	arm := small()
	arm.Platform = linux("arm64")
	arm.Steps = []sample.Step{{By: "COPY arm /", Layer: sample.NewLayer(sample.Gzip, sample.Text("arm", "arm\n"))}}
	return built(t, sample.Index{Entries: []sample.Source{small(), arm}, Attest: true, Artifacts: artifacts})
}

// about returns what describes a platform of an index.
func about(t *testing.T, index sample.Built, platform string) sample.Built {
	t.Helper()
	of, _ := index.For(platform)
	for m := range index.All() {
		if m.Descriptor.Annotations[sample.AnnotationReferenceDigest] == string(of.Digest()) {
			return m
		}
	}
	t.Fatalf("nothing describes %s", platform)
	return sample.Built{}
}

// attested returns the digests of what is stored about a platform's image.
func (b *bed) attested(index sample.Built, platform string) (found []image.Digest) {
	b.t.Helper()
	of, _ := index.For(platform)
	all, err := b.store.Images.Attestations(b.t.Context(), of.Digest())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, a := range all {
		found = append(found, a.Digest)
	}
	return found
}

// holds reports whether the shelf has a blob's file.
func (b *bed) holds(d v1.Descriptor) bool { return b.store.Blobs.HasBlob(d) }

func TestAnUploadStoresWhatDescribesItsImages(t *testing.T) {
	for name, artifacts := range map[string]bool{"with configs": false, "as artifacts": true} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			index := attestedIndex(t, artifacts)
			job := b.stores(layout(t, nil, named{index, []string{"docker.io/library/app:1"}}), "")
			if want := []string{"Loaded image: app:1"}; !slices.Equal(job.Outcome.Lines, want) {
				t.Errorf("%q", job.Outcome.Lines)
			}
			for _, platform := range []string{"linux/amd64", "linux/arm64"} {
				a := about(t, index, platform)
				if found := b.attested(index, platform); !slices.Equal(found, []image.Digest{a.Digest()}) {
					t.Errorf("about %s: %v", platform, found)
				}
				for _, blob := range a.Blobs {
					if !b.holds(blob.Descriptor) {
						t.Errorf("%s of %s is not stored", blob.Descriptor.Digest, platform)
					}
				}
			}
		})
	}
}

// An archive that was made without them is added to by one that has them, as a pull adds them.
func TestAnUploadAddsWhatDescribesAStoredImage(t *testing.T) {
	b := newBed(t)
	index := attestedIndex(t, false)
	a := about(t, index, "linux/amd64")
	job := b.stores(layout(t, func(d digest.Digest) bool { return d == a.Digest() }, named{index, []string{"app:1"}}), "")
	if want := "linux/amd64: attestation " + string(a.Digest()) +
		" passed over: the archive does not hold it"; !slices.Contains(job.Outcome.Lines, want) {
		t.Errorf("%q", job.Outcome.Lines)
	}
	if found := b.attested(index, "linux/amd64"); found != nil {
		t.Fatalf("%v", found)
	}
	b.stores(layout(t, nil, named{index, []string{"app:1"}}), "")
	if found := b.attested(index, "linux/amd64"); !slices.Equal(found, []image.Digest{a.Digest()}) {
		t.Errorf("%v", found)
	}
}

// describedBy is an index of one image and the attestations that documents are, in an archive with their parts.
// announced may change how the index lists them.
func describedBy(t *testing.T, parts []sample.Blob, announced func(*v1.Descriptor), documents ...[]byte) []entry {
	t.Helper()
	img := built(t, small())
	d := img.Descriptor
	d.Platform = &v1.Platform{OS: "linux", Architecture: "amd64"}
	index := v1.Index{MediaType: v1.MediaTypeImageIndex, Manifests: []v1.Descriptor{d}}
	index.SchemaVersion = 2
	var all []sample.Blob
	for _, raw := range documents {
		d := v1.Descriptor{
			MediaType: v1.MediaTypeImageManifest, Digest: digest.FromBytes(raw), Size: int64(len(raw)),
			Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"},
			Annotations: map[string]string{sample.AnnotationReferenceType: sample.AttestationManifest,
				sample.AnnotationReferenceDigest: string(img.Digest())},
		}
		all = append(all, sample.Blob{Descriptor: d, Data: raw})
		if announced != nil {
			announced(&d)
		}
		index.Manifests = append(index.Manifests, d)
	}
	raw, err := json.Marshal(index)
	if err != nil {
		t.Fatal(err)
	}
	top := sample.Built{Descriptor: v1.Descriptor{MediaType: v1.MediaTypeImageIndex, Digest: digest.FromBytes(raw),
		Size: int64(len(raw))}, Body: raw, Children: []sample.Built{img}}
	entries := layout(t, nil, named{top, []string{"app:1"}})
	written := map[digest.Digest]bool{}
	for _, blob := range append(all, parts...) {
		if !written[blob.Descriptor.Digest] {
			written[blob.Descriptor.Digest] = true
			entries = append(entries, file("blobs/sha256/"+blob.Descriptor.Digest.Encoded(), blob.Data))
		}
	}
	return entries
}

// statement is a part of an attestation.
func statement(mediaType, text string) sample.Blob {
	raw := []byte(text)
	return sample.Blob{Descriptor: v1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(raw),
		Size: int64(len(raw))}, Data: raw}
}

// attestation is the manifest of one.
func attestation(t *testing.T, note string, config sample.Blob, statements ...v1.Descriptor) []byte {
	t.Helper()
	m := v1.Manifest{MediaType: v1.MediaTypeImageManifest, Config: config.Descriptor, Layers: statements,
		Annotations: map[string]string{"note": note}}
	m.SchemaVersion = 2
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestAnAttestationThatIsWrongIsPassedOverAndItsImageIsStored(t *testing.T) {
	const inToto = "application/vnd.in-toto+json"
	config, one, layer := statement(v1.MediaTypeImageConfig, `{"os":"unknown"}`), statement(inToto, `{"n":1}`),
		statement(v1.MediaTypeImageLayer, "layer")
	parts := []sample.Blob{config, one, layer}
	sized := func(d v1.Descriptor, size int64) v1.Descriptor {
		d.Size = size
		return d
	}
	good := attestation(t, "", config, one.Descriptor)
	var many [][]byte
	for i := range image.MaxAttestations + 3 {
		many = append(many, attestation(t, fmt.Sprint(i), config, one.Descriptor))
	}
	for name, tt := range map[string]struct {
		entries []entry
		stored  int
		passed  []string // what each line says
	}{
		"a good one":               {describedBy(t, parts, nil, good), 1, nil},
		"one that is listed twice": {describedBy(t, parts, nil, good, good), 1, nil},
		"no JSON": {describedBy(t, parts, nil, []byte("attestation")), 0,
			[]string{"not valid JSON"}},
		"a layer of files": {describedBy(t, parts, nil, attestation(t, "", config, layer.Descriptor)), 0,
			[]string{"unsupported media type"}},
		"a part that is missing": {describedBy(t, []sample.Blob{config}, nil, good), 0,
			[]string{"does not hold its part"}},
		"no config": {describedBy(t, []sample.Blob{one}, nil, good), 0,
			[]string{"does not hold its part"}},
		"a part of another size": {describedBy(t, parts, nil,
			attestation(t, "", config, sized(one.Descriptor, 6))), 0,
			[]string{"has 7 bytes, and the archive says that it has 6"}},
		"another size in the index": {describedBy(t, parts, func(d *v1.Descriptor) { d.Size++ }, good), 0,
			[]string{"announced"}},
		"a large manifest": {describedBy(t, parts, nil,
			append(bytes.Clone(good), bytes.Repeat([]byte(" "), image.MaxAttestationManifest)...)), 0, []string{"larger than"}},
		"a large one that is said to be small": {describedBy(t, parts, func(d *v1.Descriptor) { d.Size = 100 },
			append(bytes.Clone(good), bytes.Repeat([]byte(" "), image.MaxAttestationManifest)...)), 0, []string{"at most"}},
		"a large statement": {describedBy(t, parts, nil,
			attestation(t, "", config, sized(one.Descriptor, image.MaxStatementSize+1))), 0, []string{"over the limit"}},
		"many statements": {describedBy(t, parts, nil,
			attestation(t, "", config, slices.Repeat([]v1.Descriptor{one.Descriptor}, image.MaxStatements+1)...)), 0,
			[]string{"65 statements"}},
		"many": {describedBy(t, parts, nil, many...), image.MaxAttestations, []string{"more than 4"}},
		"a good one beside a bad": {describedBy(t, parts, nil, []byte("{}"), good), 1,
			[]string{"contradicts its media type"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			job := b.stores(tt.entries, "")
			target := b.target("app:1")
			if len(target.Images) != 1 || uploadOf(job).Partly != 0 {
				t.Fatalf("%+v", target)
			}
			found, err := b.store.Images.Attestations(t.Context(), target.Images[0].Manifest)
			if err != nil || len(found) != tt.stored {
				t.Errorf("%d are stored, %v", len(found), err)
			}
			lines := job.Outcome.Lines[1:]
			if job.Outcome.Lines[0] != "Loaded image: app:1" || len(lines) != len(tt.passed) {
				t.Fatalf("%q", job.Outcome.Lines)
			}
			for i, line := range lines {
				if !strings.HasPrefix(line, "linux/amd64: attestation sha256:") || !strings.Contains(line, tt.passed[i]) {
					t.Errorf("%q does not say %q", line, tt.passed[i])
				}
			}
			if tt.stored == 0 && b.holds(one.Descriptor) {
				t.Error("a statement of what was passed over is stored")
			}
		})
	}
}

func TestAnAttestationWithOtherBytesRefusesTheArchive(t *testing.T) {
	index := attestedIndex(t, false)
	a := about(t, index, "linux/arm64")
	for name, d := range map[string]digest.Digest{"its manifest": a.Digest(),
		"a statement": a.Layers()[0].Descriptor.Digest} {
		t.Run(name, func(t *testing.T) {
			entries := replaced(t, layout(t, nil, named{index, []string{"app:1"}}), "blobs/sha256/"+d.Encoded(), damaged)
			newBed(t).refused(tarOf(t, entries...), "", image.Corrupt, "is not what its name says")
		})
	}
}

// deletes deletes a tag and what only that needs.
func (b *bed) deletes(name string) shelf.Removed {
	b.t.Helper()
	ref, err := image.ParseReference(name)
	if err != nil {
		b.t.Fatal(err)
	}
	asked := shelf.Remove(shelf.RemovalItem{Reference: ref})
	plan, err := b.store.Removals.PlanRemoval(b.t.Context(), asked)
	if err != nil {
		b.t.Fatal(err)
	}
	done, err := b.store.Removals.Remove(b.t.Context(), asked, plan.Fingerprint, image.ActorNamed("noa"))
	if err != nil {
		b.t.Fatal(err)
	}
	return done
}

func TestWhatDescribesAnUploadedImageGoesAndComesBackWithIt(t *testing.T) {
	b := newBedWith(t, storage.Options{UndoWindow: time.Hour})
	index := attestedIndex(t, false)
	before := b.blobs()
	b.stores(layout(t, nil, named{index, []string{"app:1"}}), "")
	stored := b.blobs()
	done := b.deletes("app:1")
	if found := b.attested(index, "linux/amd64"); found != nil {
		t.Errorf("after the deletion: %v", found)
	}
	if _, err := b.store.Removals.Undo(t.Context(), done.ID, image.ActorNamed("noa")); err != nil {
		t.Fatal(err)
	}
	if found := b.attested(index, "linux/amd64"); len(found) != 1 || b.blobs() != stored {
		t.Errorf("after the undo: %v; %d files, %d before", found, b.blobs(), stored)
	}
	b.deletes("app:1")
	if _, _, err := b.store.Janitor.Sweep(t.Context(), image.ActorNamed("mira")); err != nil {
		t.Fatal(err)
	}
	if left := b.blobs(); left != before {
		t.Errorf("%d files are left", left-before)
	}
	for _, line := range strings.Split(b.left(), "\n") {
		if table, n, _ := strings.Cut(line,
			" "); slices.Contains([]string{"attestations", "attestation_blobs", "image_attestations", "blobs", "images"},
			table) && n != "0" && n != "" {
			t.Errorf("left: %s", line)
		}
	}
}
