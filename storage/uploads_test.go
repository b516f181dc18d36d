package storage

import (
	"testing"

	"github.com/stowage/stowage/archive"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/migrations"
	"github.com/stowage/stowage/shelf"
)

// upload puts an image on the shelf as an archive does.
func (s *testShelf) upload(words string) {
	s.t.Helper()
	id := s.begin(job.Job{State: job.Pulling, Detail: archive.Upload{}}).ID
	s.record(words, func(p *shelf.Pulled) { p.Uploaded, p.JobID = true, id })
}

// uploaded tells of which of some names the shelf says that they were uploaded.
func (s *testShelf) uploaded(names ...string) (of []string) {
	s.t.Helper()
	for _, name := range names {
		ref, err := image.ParseRepositoryReference(name)
		if err != nil {
			s.t.Fatal(err)
		}
		is, err := s.Serving.Uploaded(s.t.Context(), ref)
		if err != nil {
			s.t.Fatal(err)
		}
		if is {
			of = append(of, name)
		}
	}
	return of
}

func TestATagSaysWhetherAnUploadHasSetIt(t *testing.T) {
	s := newShelf(t)
	digest := "ubuntu@" + string(s.Build("jammy").Digest())
	want := func(step string, names ...string) {
		t.Helper()
		for range 2 { // what was found is remembered
			if got := s.uploaded("ubuntu", "ubuntu:22.04", "ubuntu:latest", digest, "redis", "redis:7", "debian"); len(got) != len(names) {
				t.Errorf("%s: uploaded are %v, want %v", step, got, names)
			}
		}
	}
	s.pull("redis:7=redis amd64")
	want("pulled")
	s.upload("ubuntu:22.04=jammy amd64")
	want("uploaded", "ubuntu", "ubuntu:22.04", digest)
	s.pull("ubuntu:latest=jammy amd64")
	want("another tag pulled", "ubuntu", "ubuntu:22.04", digest)
	s.upload("ubuntu:latest=jammy amd64")
	want("what the registry said stays its word", "ubuntu", "ubuntu:22.04", digest)
	s.pull("ubuntu:22.04=jammy amd64")
	want("the registry says the same")
	s.upload("ubuntu:22.04=jammy-next amd64")
	want("moved by an upload", "ubuntu", "ubuntu:22.04")
	s.pull("ubuntu:22.04=jammy amd64")
	want("moved back by a pull")
	events, err := s.Tags.TagHistory(t.Context(), "docker.io/library/ubuntu", "22.04")
	if err != nil || len(events) != 3 || events[0].Event != shelf.TagMoved || events[0].Uploaded || events[1].Event != shelf.TagMoved || !events[1].Uploaded || !events[2].Uploaded {
		t.Errorf("history: %+v, %v", events, err)
	}
}

func TestADeletedUploadComesBackAsOne(t *testing.T) {
	s := newShelfWith(t, Options{UndoWindow: 1e12})
	for _, names := range [][]string{{"ubuntu:22.04"}, {"ubuntu:22.04", "ubuntu:latest"}} { // the whole digest, and a tag of it
		s.upload("ubuntu:22.04=jammy amd64")
		for _, other := range names[1:] {
			s.pull(other + "=jammy amd64")
		}
		if _, err := s.remove(t.Context(), shelf.Remove(s.Item("ubuntu:22.04", ""))); err != nil {
			t.Fatal(err)
		}
		if got := s.uploaded("ubuntu:22.04"); len(got) != 0 {
			t.Errorf("deleted: %v", got)
		}
		removals, err := s.Removals.Removals(t.Context())
		if err != nil || len(removals) == 0 {
			t.Fatal(removals, err)
		}
		if _, err := s.Removals.Undo(t.Context(), removals[0].ID, image.ActorNamed("mira")); err != nil {
			t.Fatal(err)
		}
		if got := s.uploaded("ubuntu:22.04", "ubuntu:latest"); len(got) != 1 {
			t.Errorf("undone: %v", got)
		}
	}
}

func TestUploadsOfAnOlderVersionAreFoundInTheHistory(t *testing.T) {
	s := newShelf(t)
	s.upload("ubuntu:22.04=jammy amd64")
	s.upload("ubuntu:latest=jammy amd64")
	s.pull("ubuntu:latest=jammy-next amd64")
	s.pull("redis:7=redis amd64")
	raw, err := migrations.FS.ReadFile("0013_uploaded.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{`DROP INDEX tags_uploaded`, `ALTER TABLE tags DROP COLUMN uploaded`, string(raw)} {
		if _, err := (writing{s.folder.db}).ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.uploaded("ubuntu:22.04", "ubuntu:latest", "redis:7"); len(got) != 1 || got[0] != "ubuntu:22.04" {
		t.Errorf("uploaded: %v", got)
	}
}
