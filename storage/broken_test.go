package storage

import (
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/sample"
)

// brokenShelf has bad:1, whose layer is no tar, and good:1.
func brokenShelf(t *testing.T) (s *testShelf, bad, good image.Digest) {
	t.Helper()
	s = newShelf(t)
	s.Source["bad"] = sample.NotTar()
	s.pull("bad:1=bad amd64")
	s.pull("good:1=redis amd64")
	return s, s.document(s.Build("bad")).Digest, s.document(s.Build("redis")).Digest
}

// kept returns a job as its record has it.
func (s *testShelf) kept(id int64) job.Job {
	s.t.Helper()
	j, err := s.Jobs.Job(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return j
}

func (s *testShelf) job(j job.Job) int64 {
	s.t.Helper()
	j.Created = time.Unix(1, 0)
	lease := s.begin(job.Job{Detail: j.Detail, State: job.Pulling, Created: j.Created})
	j.ID = lease.ID
	if err := s.Jobs.Save(s.t.Context(), lease, j); err != nil {
		s.t.Fatal(err)
	}
	return j.ID
}

// Whether unpacking is quicker than the job's last save or slower, the record of a pull that brought a broken image says so.
func TestAPullOfWhatProvesBrokenIsKeptAsFailed(t *testing.T) {
	s, bad, good := brokenShelf(t)
	repository := tagRef(t, "bad:1").Repository
	jobs := map[string]job.Job{
		"of one":      {Detail: pull.Single{Ref: tagRef(t, "bad:1"), Digest: bad}, State: job.Done},
		"by platform": {Detail: pull.Single{Ref: tagRef(t, "bad:1"), Digest: bad}, State: job.Done, Outcome: job.Outcome{Pulled: []image.Platform{{OS: "linux", Architecture: "amd64"}}}},
		"of all": {State: job.Done, Detail: pull.AllTags{Ref: image.Reference{Repository: repository}, Tags: []pull.TagLine{
			{Tag: "1", State: pull.TagDone, Digest: bad}, {Tag: "2", State: pull.TagUpToDate, Digest: good}, {Tag: "3", State: pull.TagSkipped},
		}}},
	}
	check := func(name string, id int64) {
		t.Helper()
		j := s.kept(id)
		if j.State != job.Failed || !j.Outcome.Broken || j.Problem == nil || j.Problem.Kind != image.Corrupt {
			t.Errorf("%s: %+v, %+v", name, j, j.Problem)
		}
		all, _ := j.Detail.(pull.AllTags)
		if name == "of all" && (all.Tags[0].State != pull.TagFailed || all.Tags[0].Problem == nil || all.Tags[1].State != pull.TagUpToDate || all.Tags[2].State != pull.TagSkipped) {
			t.Errorf("its tags are %+v", all.Tags)
		}
	}
	before := map[string]int64{}
	if _, err := (writing{s.folder.db}).ExecContext(t.Context(), `UPDATE images SET broken = '', unpacked = NULL; UPDATE layers SET state = 'pending', diff_id = '', problem = ''`); err != nil {
		t.Fatal(err)
	}
	for name, j := range jobs {
		before[name] = s.job(j)
	}
	sound := s.job(job.Job{Detail: pull.Single{Ref: tagRef(t, "good:1"), Digest: good}, State: job.Done})
	other := s.job(job.Job{Detail: pull.Single{Ref: tagRef(t, "bad:1"), Digest: bad}, State: job.Done, Outcome: job.Outcome{Pulled: []image.Platform{{OS: "linux", Architecture: "arm64"}}}})
	if err := s.Unpacker.AwaitUnpacked(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, id := range before {
		check(name+", saved before", id)
		check(name, id)
	}
	for name, j := range jobs {
		check(name, s.job(j))
	}
	for _, id := range []int64{sound, other} {
		if j := s.kept(id); j.State != job.Done || j.Problem != nil {
			t.Errorf("a pull of something else is %+v", j)
		}
	}
}

func TestWhoeverWaitsForAnImageIsWokenWhenItIsProved(t *testing.T) {
	s, bad, good := brokenShelf(t)
	if err := s.Unpacker.AwaitProved(t.Context(), []image.Digest{bad, good}); err != nil {
		t.Fatal(err)
	}
	images, err := s.Images.ImagesOf(t.Context(), s.configOf("redis", "amd64"), 1)
	if err != nil || len(images) != 1 || images[0].Unpacked < 0 {
		t.Errorf("%+v, %v", images, err)
	}
	if why, err := brokenAs(t.Context(), s.folder.db, bad, nil); err != nil || why == nil {
		t.Errorf("bad is not broken: %v, %v", why, err)
	}
}
