package storage

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

// described returns what is stored about a source's images, as "architecture predicate predicate", in any order.
func (s *testShelf) described(source string, architectures ...string) []string {
	s.t.Helper()
	var manifests []image.Digest
	of := map[image.Digest]string{}
	for m := range s.Build(source).All() {
		if p := m.Descriptor.Platform; p != nil && slices.Contains(architectures, p.Architecture) {
			manifests = append(manifests, m.Digest())
			of[m.Digest()] = p.Architecture
		}
	}
	all, err := s.Images.Attestations(s.t.Context(), manifests...)
	if err != nil {
		s.t.Fatal(err)
	}
	var words []string
	for _, a := range all {
		line := of[a.Of]
		for _, p := range a.Predicates {
			line += " " + string(image.PredicateKindOf(p))
		}
		words = append(words, line)
		kept, err := s.Images.Attestation(s.t.Context(), a.Digest)
		if err != nil || kept.Digest != a.Digest || kept.MediaType != a.MediaType || kept.Size() != a.Size {
			s.t.Errorf("attestation %+v: %+v, %v", a, kept, err)
		}
	}
	slices.Sort(words)
	return words
}

func TestWhatDescribesAnImageIsStoredForTheChosenPlatformsAlone(t *testing.T) {
	s := newShelf(t)
	s.pull("app:1=told amd64")
	s.check([]string{"app:1=told amd64"})
	if got, want := s.described("told", "amd64", "arm64"), []string{"amd64 sbom provenance"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	s.pull("app:1=told arm64")
	s.check([]string{"app:1=told amd64 arm64"})
	if got, want := s.described("told", "amd64", "arm64"), []string{"amd64 sbom provenance", "arm64 sbom provenance"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAnAttestationIsAddedToAnImageThatIsStoredWithoutIt(t *testing.T) {
	s := newShelf(t)
	s.pull("app:1=told amd64 alone")
	if got := s.described("told", "amd64"); len(got) != 0 {
		t.Errorf("%q", got)
	}
	s.pull("app:1=told amd64")
	s.check([]string{"app:1=told amd64"})
	s.pull("app:1=told amd64 alone") // and is not lost again
	s.check([]string{"app:1=told amd64"})
}

// Two indexes can list one image and say different things about it: both are its own as long as it is stored.
func TestAnImageKeepsWhatEveryIndexSaysAboutIt(t *testing.T) {
	s, _ := newUndoShelf(t)
	s.pull("app:1=told amd64")
	s.pull("app:2=told-again amd64")
	both := []string{"amd64 sbom provenance", "amd64 sbom provenance"}
	if got := s.described("told", "amd64"); !slices.Equal(got, both) {
		t.Errorf("%q, want %q", got, both)
	}
	s.settled()
	before := s.dump(dumpQueries...)
	first := s.delete(false, "app:1")
	if got := s.described("told", "amd64"); !slices.Equal(got, both) {
		t.Errorf("without one of the indexes: %q, want %q", got, both)
	}
	second := s.delete(false, "app:2")
	if got := s.described("told", "amd64"); len(got) != 0 || len(s.blobRows()) != 0 {
		t.Errorf("without both indexes: %q, %d blobs", got, len(s.blobRows()))
	}
	s.undo(second.ID)
	s.undo(first.ID)
	s.same("after the undo", s.dump(dumpQueries...), before)
}

func (s *testShelf) blobRows() []string {
	s.t.Helper()
	rows, err := database.RowsOf(s.t.Context(), s.folder.db, database.ScanString, `SELECT digest FROM blobs`)
	if err != nil {
		s.t.Fatal(err)
	}
	return rows
}

func TestAttestationsAreSweptWithTheirImage(t *testing.T) {
	s, c := newUndoShelf(t)
	s.pull("app:1=told amd64 arm64")
	s.pull("redis:7=redis amd64")
	s.delete(false, "app:1")
	s.Janitor.Settle()
	waiting := diskBytes(s.files())
	c.move(2 * testWindow)
	s.Janitor.tagsChanged()
	s.check([]string{"redis:7=redis amd64"})
	if left := diskBytes(s.files()); left >= waiting {
		t.Errorf("%d bytes are left of %d", left, waiting)
	}
	c.move(48 * time.Hour)
	s.Janitor.sweepStrays(t.Context())
	s.check([]string{"redis:7=redis amd64"})
}

func TestStraysAreNotSweptThatAnAttestationNeeds(t *testing.T) {
	c := newClock()
	s := newShelfWith(t, Options{Now: c.now, StrayGrace: time.Minute})
	s.pull("app:1=told-again amd64")
	c.move(time.Hour)
	s.Janitor.sweepStrays(t.Context())
	s.check([]string{"app:1=told-again amd64"})
}

// Neither sizes nor platforms nor image IDs tell that there is an attestation.
func TestAttestationsAreNoImages(t *testing.T) {
	rows := func(words string) (string, *testShelf) {
		s := newShelf(t)
		s.pull(words)
		if err := s.Unpacker.AwaitUnpacked(t.Context()); err != nil {
			t.Fatal(err)
		}
		list, total, err := s.Lists.List(t.Context(), shelf.Query{Limit: 10})
		if err != nil || total != 1 {
			t.Fatalf("%d rows, %v", total, err)
		}
		list[0].Pulled = time.Time{}
		target, err := s.Images.Target(t.Context(), list[0].Reference)
		if err != nil || len(target.Images) != 2 {
			t.Errorf("%+v, %v", target, err)
		}
		return fmt.Sprintf("%+v", list[0]), s
	}
	with, s := rows("app:1=told amd64 arm64")
	if without, _ := rows("app:1=told amd64 arm64 alone"); with != without {
		t.Errorf("with what describes it\n%s\nwithout\n%s", with, without)
	}
	for m := range s.Build("told").All() {
		if m.Descriptor.Annotations[sample.AnnotationReferenceType] == "" {
			continue
		}
		for _, d := range []image.Digest{m.Digest(), m.Blobs[0].Descriptor.Digest} {
			if _, err := s.Images.ImageByID(t.Context(), d.Encoded()); image.KindOf(err) != image.NotFound {
				t.Errorf("%s is an image: %v", d, err)
			}
		}
		if _, err := s.Images.Document(t.Context(), m.Digest()); image.KindOf(err) != image.NotFound {
			t.Errorf("%s is a document: %v", m.Digest(), err)
		}
		if _, _, err := s.Images.Within(t.Context(), image.Reference{Repository: "docker.io/library/app", Digest: m.Digest()}); image.KindOf(err) != image.NotFound {
			t.Errorf("%s is an image of the index: %v", m.Digest(), err)
		}
	}
}

func TestAnAttestationIsServedWhereItsImageIs(t *testing.T) {
	s := newShelf(t)
	s.pull("app:1=told amd64")
	s.pull("redis:7=redis amd64")
	b := s.Build("told")
	about := map[string]sample.Built{}
	for m := range b.All() {
		for _, architecture := range []string{"amd64", "arm64"} {
			if of, _ := b.For("linux/" + architecture); m.Descriptor.Annotations[sample.AnnotationReferenceDigest] == string(of.Digest()) {
				about[architecture] = m
			}
		}
	}
	serves := func(repo image.Repository, a sample.Built) bool {
		t.Helper()
		m, err := s.Serving.Served(t.Context(), image.Reference{Repository: repo, Digest: a.Digest()})
		if err == nil && (m.Digest != a.Digest() || m.Size != a.Descriptor.Size || m.MediaType != a.Descriptor.MediaType) {
			t.Errorf("%+v", m)
		}
		for _, blob := range a.Blobs {
			if _, missing := s.Serving.ServedBlob(t.Context(), repo, blob.Descriptor.Digest); (missing == nil) != (err == nil) {
				t.Errorf("%s: the manifest %v, a blob %v", repo, err, missing)
			}
		}
		if _, asBlob := s.Serving.ServedBlob(t.Context(), repo, a.Digest()); image.KindOf(asBlob) != image.NotFound {
			t.Errorf("the manifest is a blob: %v", asBlob)
		}
		return err == nil
	}
	for range 2 { // the second time it is remembered
		if !serves("docker.io/library/app", about["amd64"]) || serves("docker.io/library/app", about["arm64"]) || serves("docker.io/library/redis", about["amd64"]) {
			t.Error("what describes amd64 is served with it, and nothing else")
		}
	}
	u, err := s.Serving.Unserved(t.Context(), image.Reference{Repository: "docker.io/library/app", Digest: about["arm64"].Digest()})
	if arm64 := (image.Platform{OS: "linux", Architecture: "arm64"}); err != nil || u.Kind != image.EntryAttestation || u.Platform != arm64 {
		t.Errorf("what describes arm64: %+v, %v", u, err)
	}
	err = s.folder.db.Tend(t.Context(), "", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `UPDATE images SET broken = 'on purpose'`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if serves("docker.io/library/app", about["amd64"]) {
		t.Error("what describes a broken image is served")
	}
}
