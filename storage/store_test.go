package storage

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/image/layer"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

func TestASecondServerOnTheSameFolderIsRefused(t *testing.T) {
	s := newShelf(t)
	_, err := Open(t.Context(), Options{Dir: s.dir})
	if image.KindOf(err) != image.Conflict || !strings.Contains(err.Error(), s.dir) {
		t.Fatalf("the second server got %v", err)
	}
}

func TestADatabaseFromANewerStowageIsRefused(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", filepath.Join(dir, database.Name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, database.EndedName)); err != nil { // that one would leave its own
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Dir: dir}); image.KindOf(err) != image.Invalid {
		t.Fatalf("opening it gave %v", err)
	}
}

func TestPullingASecondPlatformAddsIt(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	s.check([]string{"ubuntu:22.04=jammy amd64"})
	s.pull("ubuntu:22.04=jammy arm64")
	s.check([]string{"ubuntu:22.04=jammy amd64 arm64"})
}

func TestATagThatMovedLeavesItsOldDigestDangling(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	s.pull("ubuntu:22.04=jammy-next amd64")
	s.check([]string{"ubuntu:22.04=jammy-next amd64", "ubuntu@=jammy amd64 (dangling)"})

	history, err := s.Tags.TagHistory(t.Context(), "docker.io/library/ubuntu", "22.04")
	if err != nil || len(history) != 2 {
		t.Fatalf("history %+v, %v", history, err)
	}
	moved, first := history[0], history[1]
	if moved.Event != shelf.TagMoved || moved.Old != s.Build("jammy").Digest() || moved.New != s.Build("jammy-next").Digest() || moved.By != "mira" || !moved.OldStored {
		t.Errorf("moved: %+v", moved)
	}
	if first.Event != shelf.TagPulled || first.Old != "" || first.New != s.Build("jammy").Digest() {
		t.Errorf("first: %+v", first)
	}
}

func TestAnImagePulledByDigestHasNoTagAndIsNotDangling(t *testing.T) {
	s := newShelf(t)
	s.pull("postgres@=postgres amd64")
	s.check([]string{"postgres@=postgres amd64 (by digest)"})
	s.pull("postgres:15=postgres amd64") // now it has one
	s.check([]string{"postgres:15=postgres amd64"})
	s.pull("postgres:15=redis amd64") // and lost it: somebody still asked for the digest
	s.check([]string{"postgres:15=redis amd64", "postgres@=postgres amd64 (by digest)"})
}

func TestRecordTellsWhatChanged(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	jammy := s.Build("jammy").Digest()
	again := func(words string) shelf.Change {
		h := s.Read(words)
		b := s.Build(h.Source)
		_, images := h.Wants(b)
		p := shelf.Pulled{Reference: h.Ref, Before: jammy, Target: s.document(b), By: image.ActorNamed("noa")}
		for _, m := range images {
			doc := s.document(m)
			for _, blob := range m.Blobs {
				s.put(blob.Descriptor.Digest, blob.Data)
			}
			config, err := image.ParseConfig(m.Blobs[0].Data, doc.Manifest)
			if err != nil {
				t.Fatal(err)
			}
			p.Images = append(p.Images, shelf.PulledImage{Document: doc, Config: config, Platform: config.Platform()})
		}
		change, err := s.Recorder.Record(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		return change
	}
	for _, c := range []struct {
		words string
		want  shelf.Change
	}{
		{"ubuntu:22.04=jammy amd64", shelf.Change{Previous: jammy}},
		{"ubuntu:22.04=jammy arm64", shelf.Change{Previous: jammy, Newer: true}},
		{"ubuntu:22.04=jammy-next amd64", shelf.Change{Previous: jammy, Newer: true}},
		{"ubuntu:latest=jammy amd64", shelf.Change{Newer: true}},
		{"ubuntu@=jammy amd64", shelf.Change{Newer: true}},
		{"ubuntu@=jammy amd64", shelf.Change{}},
	} {
		if got := again(c.words); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.words, got, c.want)
		}
	}
}

func TestAPullThatLookedBeforeTheTagMovedDoesNotMoveItBack(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy-next amd64")
	s.pull("ubuntu:22.04=jammy-next arm64")
	doc := s.document(s.Build("jammy"))
	_, err := s.Recorder.Record(t.Context(), shelf.Pulled{Reference: tagRef(t, "ubuntu:22.04"), Before: "", Target: doc})
	if !errors.Is(err, shelf.ErrMoved) {
		t.Fatalf("recording the older digest gave %v", err)
	}
	s.Janitor.Settle()
	if rows := s.rows(); !slices.Equal(rows, []string{"ubuntu:22.04=jammy-next amd64 arm64"}) {
		t.Errorf("rows %q", rows)
	}
}

func TestARowIsNeverWrittenBeforeItsBlob(t *testing.T) {
	s := newShelf(t)
	b := s.Build("redis")
	doc := s.document(b)
	config, err := image.ParseConfig(b.Blobs[0].Data, doc.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Recorder.Record(t.Context(), shelf.Pulled{Reference: tagRef(t, "redis:7"), Target: doc, Images: []shelf.PulledImage{{Document: doc, Config: config}}})
	if err == nil || !strings.Contains(err.Error(), "not on disk") {
		t.Fatalf("recording an image without its layers gave %v", err)
	}
	s.Janitor.Settle()
	if rows := s.rows(); len(rows) != 0 {
		t.Errorf("rows %q", rows)
	}
	if n, err := database.RowsOf(t.Context(), s.folder.db, database.ScanString, `SELECT digest FROM blobs`); err != nil || len(n) != 0 {
		t.Errorf("blobs %q, %v", n, err)
	}
}

func TestUnpackingProvesDiffIDsAndCountsAsDockerDoes(t *testing.T) {
	s := newShelf(t)
	s.pull("postgres:15=postgres amd64")
	if err := s.Unpacker.AwaitUnpacked(t.Context()); err != nil {
		t.Fatal(err)
	}
	target, err := s.Images.Target(t.Context(), tagRef(t, "postgres:15"))
	if err != nil {
		t.Fatal(err)
	}
	layers, err := s.Images.ImageLayers(t.Context(), target.Images[0].Manifest)
	if err != nil || len(layers) != 3 {
		t.Fatalf("layers %+v, %v", layers, err)
	}
	var sum int64
	for i, name := range []string{"base-amd64", "jammy-amd64", "postgres-amd64"} {
		content, err := s.Layers[name].Content()
		if err != nil {
			t.Fatal(err)
		}
		l := layers[i]
		if l.Digest != content.Digest || l.DiffID != content.DiffID || l.Unpacked != int64(2000+100*len(name)) || l.CreatedBy != "COPY "+name || l.Entries < 1 {
			t.Errorf("layer %s: %+v", name, l)
		}
		sum += l.Unpacked
	}
	if target.Images[0].Unpacked != sum || !target.Images[0].Broken.Empty() {
		t.Errorf("image %+v, want %d bytes unpacked", target.Images[0], sum)
	}
	rows, _, err := s.Lists.List(t.Context(), shelf.Query{Limit: 1})
	if err != nil || rows[0].Unpacked != sum {
		t.Errorf("the list says %+v, %v", rows, err)
	}
}

func TestALayerThatIsNotWhatItClaimsMarksItsImageBroken(t *testing.T) {
	bomb, err := sample.Bomb(64 << 20)
	if err != nil {
		t.Fatal(err)
	}
	for name, source := range map[string]sample.Source{
		"wrong diff ID": sample.WrongDiffID(), "not gzip": sample.NotGzip(), "not a tar": sample.NotTar(), "truncated": sample.Truncated(), "bomb": bomb,
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			s.Unpacker.limits = func(int64) layer.Limits { // the real ones take a second to reach
				return layer.Limits{MaxBytes: 32 << 20, MaxEntries: 1000, MaxWindow: 8 << 20}
			}
			s.Source["bad"] = source
			s.pull("bad:1=bad amd64")
			if err := s.Unpacker.AwaitUnpacked(t.Context()); err != nil {
				t.Fatal(err)
			}
			target, err := s.Images.Target(t.Context(), tagRef(t, "bad:1"))
			if err != nil {
				t.Fatal(err)
			}
			if i := target.Images[0]; i.Broken.Empty() || i.Unpacked != -1 {
				t.Errorf("image %+v is not broken", i)
			}
			stored, err := s.Images.Resolved(t.Context(), tagRef(t, "bad:1"))
			if err != nil || len(stored.Images) != 0 {
				t.Errorf("a broken image counts as stored: %+v, %v", stored, err)
			}
			rows, _, err := s.Lists.List(t.Context(), shelf.Query{Limit: 1})
			if err != nil || rows[0].Broken.Empty() {
				t.Errorf("the list does not say so: %+v, %v", rows, err)
			}
		})
	}
}

func TestAKnownLayerWithAnotherDiffIDRefusesTheImage(t *testing.T) {
	s := newShelf(t)
	s.pull("redis:7=redis amd64")
	if err := s.Unpacker.AwaitUnpacked(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := s.Build("redis")
	doc := s.document(b)
	config, err := image.ParseConfig(b.Blobs[0].Data, doc.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	config.RootFS.DiffIDs = slices.Clone(config.RootFS.DiffIDs)
	slices.Reverse(config.RootFS.DiffIDs)
	liar := s.NewImage("amd64", "base-amd64", "redis")
	liar.Created = liar.Created.Add(time.Second) // another config, so another manifest
	s.Source["liar"] = liar
	other := s.Build("liar")
	for _, blob := range other.Blobs {
		s.put(blob.Descriptor.Digest, blob.Data)
	}
	otherDoc := s.document(other)
	_, err = s.Recorder.Record(t.Context(), shelf.Pulled{Reference: tagRef(t, "liar:1"), Target: otherDoc, Images: []shelf.PulledImage{{Document: otherDoc, Config: config}}})
	if image.KindOf(err) != image.Corrupt {
		t.Fatalf("recording it gave %v", err)
	}
	s.Janitor.Settle()
	if rows := s.rows(); !slices.Equal(rows, []string{"redis:7=redis amd64"}) {
		t.Errorf("rows %q", rows)
	}
}

func TestStraysOlderThanTheGracePeriodAreSwept(t *testing.T) {
	s := newShelf(t)
	s.pull("redis:7=redis amd64")
	old, young, held := []byte("old"), []byte("young"), []byte("held")
	for _, b := range [][]byte{old, young, held} {
		s.put(image.DigestOf(b), b)
	}
	release := s.Blobs.Hold([]image.Digest{image.DigestOf(held)})
	defer release()
	past := time.Now().Add(-48 * time.Hour)
	for d := range s.files() {
		if d != image.DigestOf(young) {
			if err := os.Chtimes(filepath.Join(s.dir, "blobs", "sha256", d.Encoded()), past, past); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.Janitor.sweepStrays(context.WithoutCancel(t.Context()))
	files := s.files()
	if _, ok := files[image.DigestOf(old)]; ok {
		t.Error("an old stray is still there")
	}
	for _, b := range [][]byte{young, held} {
		if _, ok := files[image.DigestOf(b)]; !ok {
			t.Errorf("%s was swept", b)
		}
	}
	for _, blob := range s.Build("redis").Blobs {
		if _, ok := files[blob.Descriptor.Digest]; !ok {
			t.Errorf("blob %s of a stored image was swept", blob.Descriptor.Digest)
		}
	}
}

func TestTheShelfIsTheSameAfterReopening(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64 arm64")
	s.pull("ubuntu:latest=jammy amd64")
	before := s.rows()
	j := job.Job{Detail: pull.Single{Ref: tagRef(t, "ubuntu:22.04")}, State: job.Pulling, By: []string{"mira"}, Created: time.Now().UTC()}
	lease := s.begin(j)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), Options{Dir: s.dir})
	if err != nil {
		t.Fatal(err)
	}
	s.Store = again
	if after := s.rows(); !slices.Equal(before, after) {
		t.Errorf("rows before %q, after %q", before, after)
	}
	jobs, err := s.Jobs.Unfinished(t.Context())
	if err != nil || len(jobs) != 1 || jobs[0].ID != lease.ID || jobs[0].Reference() != j.Reference() {
		t.Errorf("unfinished jobs %+v, %v", jobs, err)
	}
	if err := s.Jobs.Save(t.Context(), lease, jobs[0]); err == nil {
		t.Error("a claim outlived its process")
	}
	if lease, ok, err := s.Jobs.Claim(t.Context(), func(waiting []job.Turn) (int64, bool) { return waiting[0].ID, true }); err != nil || !ok {
		t.Fatalf("the job of an earlier process cannot be claimed: %v", err)
	} else if jobs[0].State = job.Done; s.Jobs.Save(t.Context(), lease, jobs[0]) != nil {
		t.Error("the job cannot be saved by who claimed it")
	}
	if jobs, err := s.Jobs.Unfinished(t.Context()); err != nil || len(jobs) != 0 {
		t.Errorf("unfinished jobs %+v, %v", jobs, err)
	}
	if kept, total, err := s.Jobs.Jobs(t.Context(), 0, 10); err != nil || total != 1 || kept[0].State != job.Done {
		t.Errorf("jobs %+v of %d, %v", kept, total, err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestAListOfPullsCountsTagsAndLeavesTheirLinesOut(t *testing.T) {
	s := newShelf(t)
	all := pull.AllTags{Ref: image.Reference{Repository: tagRef(t, "ubuntu:22.04").Repository}, Tags: []pull.TagLine{
		{Tag: "latest", State: pull.TagDone}, {Tag: "22.04", State: pull.TagDone}, {Tag: "broken", State: pull.TagFailed},
	}}
	lease := s.begin(job.Job{State: job.Pulling, Detail: all})
	if err := s.Jobs.Save(t.Context(), lease, job.Job{ID: lease.ID, State: job.Done, Detail: all}); err != nil {
		t.Fatal(err)
	}
	listed, _, err := s.Jobs.Jobs(t.Context(), 0, 10)
	if err != nil || len(listed) != 1 {
		t.Fatalf("%d pulls listed, %v", len(listed), err)
	}
	short, _ := listed[0].Detail.(pull.AllTags)
	if c := short.Counts(); len(short.Tags) != 0 || c[pull.TagDone] != 2 || c[pull.TagFailed] != 1 || c.All() != 3 {
		t.Errorf("the list has %d lines and counts %v", len(short.Tags), c)
	}
	whole, err := s.Jobs.Job(t.Context(), lease.ID)
	if kept, _ := whole.Detail.(pull.AllTags); err != nil || !slices.Equal(kept.Tags, all.Tags) {
		t.Errorf("the pull itself has the lines %v, %v", kept.Tags, err)
	}
}

func TestTheNumberOfTheNewestChangeOutlivesTheServer(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before := s.folder.db.Changes()
	s.open()
	defer s.Close()
	if after := s.folder.db.Changes(); before == 0 || after < before {
		t.Errorf("after the start it is %d, before it was %d", after, before)
	}
}
