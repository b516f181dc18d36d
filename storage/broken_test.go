package storage

import (
	"testing"
	"time"

	"github.com/stowage/stowage/image"
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

// kept gives a job as its record has it.
func (s *testShelf) kept(id int64) pull.Job {
	s.t.Helper()
	j, err := s.Job(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return j
}

func (s *testShelf) job(j pull.Job) int64 {
	s.t.Helper()
	j.Created = time.Unix(1, 0)
	id, err := s.CreateJob(s.t.Context(), pull.Job{Reference: j.Reference, State: pull.Pulling, Created: j.Created})
	if err != nil {
		s.t.Fatal(err)
	}
	j.ID = id
	if err := s.SaveJob(s.t.Context(), j); err != nil {
		s.t.Fatal(err)
	}
	return id
}

// Whether unpacking is quicker than the job's last save or slower, the record of a pull that brought a broken image says so.
func TestAPullOfWhatProvesBrokenIsKeptAsFailed(t *testing.T) {
	s, bad, good := brokenShelf(t)
	repository := tagRef(t, "bad:1").Repository
	jobs := map[string]pull.Job{
		"of one":      {Reference: tagRef(t, "bad:1"), State: pull.Done, Digest: bad},
		"by platform": {Reference: tagRef(t, "bad:1"), State: pull.Done, Digest: bad, Pulled: []image.Platform{{OS: "linux", Architecture: "amd64"}}},
		"of all": {Reference: image.Reference{Repository: repository}, AllTags: true, State: pull.Done, Tags: []pull.TagLine{
			{Tag: "1", State: pull.TagDone, Digest: bad}, {Tag: "2", State: pull.TagUpToDate, Digest: good}, {Tag: "3", State: pull.TagSkipped},
		}},
	}
	check := func(name string, id int64) {
		t.Helper()
		j := s.kept(id)
		if j.State != pull.Failed || !j.Broken || j.Problem == nil || j.Problem.Kind != image.Corrupt {
			t.Errorf("%s: %+v, %+v", name, j, j.Problem)
		}
		if name == "of all" && (j.Tags[0].State != pull.TagFailed || j.Tags[0].Problem == nil || j.Tags[1].State != pull.TagUpToDate || j.Tags[2].State != pull.TagSkipped) {
			t.Errorf("its tags are %+v", j.Tags)
		}
	}
	before := map[string]int64{}
	if _, err := s.write.ExecContext(t.Context(), `UPDATE images SET broken = '', unpacked = NULL; UPDATE layers SET state = 'pending', diff_id = '', problem = ''`); err != nil {
		t.Fatal(err)
	}
	for name, j := range jobs {
		before[name] = s.job(j)
	}
	sound := s.job(pull.Job{Reference: tagRef(t, "good:1"), State: pull.Done, Digest: good})
	other := s.job(pull.Job{Reference: tagRef(t, "bad:1"), State: pull.Done, Digest: bad, Pulled: []image.Platform{{OS: "linux", Architecture: "arm64"}}})
	if err := s.AwaitUnpacked(t.Context()); err != nil {
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
		if j := s.kept(id); j.State != pull.Done || j.Problem != nil {
			t.Errorf("a pull of something else is %+v", j)
		}
	}
}

func TestWhoeverWaitsForAnImageIsWokenWhenItIsProved(t *testing.T) {
	s, bad, good := brokenShelf(t)
	if err := s.AwaitProved(t.Context(), []image.Digest{bad, good}); err != nil {
		t.Fatal(err)
	}
	images, err := s.ImagesOf(t.Context(), s.configOf("redis", "amd64"), 1)
	if err != nil || len(images) != 1 || images[0].Unpacked < 0 {
		t.Errorf("%+v, %v", images, err)
	}
	if why, err := brokenAs(t.Context(), s.Store.read, bad, nil); err != nil || why == nil {
		t.Errorf("bad is not broken: %v, %v", why, err)
	}
}
