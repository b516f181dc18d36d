package pull

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/shelf/docker"
)

func init() {
	job.Register[Single]()
	job.Register[AllTags]()
}

// Single is the pull of one reference.
type Single struct {
	Ref       image.Reference  `json:"reference"`
	Platforms []image.Platform `json:"platforms"` // as asked for; empty means nobody chose
	Digest    image.Digest     `json:"digest"`    // what the reference resolved to; empty until known

	target image.Digest // of the tag, where whoever asked has found it out
	asked  time.Time    // when that was
}

// Kind implements job.Detail.
func (Single) Kind() job.Kind { return job.Pull }

// Subject implements job.Detail.
func (s Single) Subject() image.Reference { return s.Ref }

// Log implements job.Detail.
func (s Single) Log() []any { return []any{"reference", s.Ref.String()} }

// Amount implements job.Detail: of the layers, how much is on disk, and how much there is in all.
func (Single) Amount(j job.Job) (a job.Amount) {
	a.Done, a.Total = j.Progress.LayerBytes()
	return a
}

// Same implements job.Detail.
func (s Single) Same(earlier job.Detail) bool {
	e, ok := earlier.(Single)
	return ok && e.Digest == s.Digest
}

// Break implements job.Breakable.
func (s Single) Break(j job.Job, why func(image.Digest, []image.Platform) *image.Error) (job.Job, bool) {
	err := why(s.Digest, j.Outcome.Pulled)
	if err == nil {
		return j, false
	}
	j.State, j.Outcome.Broken, j.Problem, j.Outcome.Lines = job.Failed, true, job.ProblemOf(err),
		docker.WithoutStatus(j.Outcome.Lines)
	return j, true
}

// AllTags is the pull of all tags of a repository.
type AllTags struct {
	Ref       image.Reference  `json:"reference"`      // with neither tag nor digest
	Platforms []image.Platform `json:"platforms"`      // as asked for; empty means nobody chose
	Match     string           `json:"match,omitzero"` // only the tags whose names contain this
	// in the order in which they are pulled; the layers are those of the tag at work. Not to be changed
	Tags []TagLine `json:"tags,omitzero"`
	// of a record that was read without Tags, as in a list of jobs; see Counts
	TagCounts TagCounts `json:"tag_counts,omitzero"`
	Fetched   int64     `json:"fetched,omitzero"` // bytes of layers that the tags that are over have brought
	// bytes to download in all as a Survey found out; 0 where there was none
	Expected int64 `json:"expected,omitzero"`
}

// Kind implements job.Detail.
func (AllTags) Kind() job.Kind { return job.PullAll }

// Subject implements job.Detail.
func (a AllTags) Subject() image.Reference { return a.Ref }

// Log implements job.Detail.
func (a AllTags) Log() []any { return []any{"reference", a.Ref.String()} }

// Amount implements job.Detail. It counts only what is downloaded, so that a layer of many tags counts once: done is
// what came, also of tags that failed, and total what a Survey expected, or else done and what is left of the tag at
// work; how much the waiting tags need is not known then. Both are 0 while nothing was to be fetched.
func (a AllTags) Amount(j job.Job) job.Amount {
	done, total := a.Fetched, a.Fetched
	for _, l := range j.Progress.Layers {
		if l.State != job.AlreadyStored {
			done += l.Bytes - l.Resumed
			total += l.Size - l.Resumed
		}
	}
	if j.State != job.Done { // else what was expected has come, or others brought it
		total = max(total, a.Expected)
	}
	more := a.Expected == 0 && slices.ContainsFunc(a.Tags, func(t TagLine) bool { return t.State == TagWaiting })
	return job.Amount{Done: done, Total: total, More: more}
}

// Same implements job.Detail. Mostly the lines are the very same.
func (a AllTags) Same(earlier job.Detail) bool {
	e, ok := earlier.(AllTags)
	return ok && len(a.Tags) == len(e.Tags) && (len(a.Tags) == 0 || &a.Tags[0] == &e.Tags[0] ||
		slices.Equal(a.Tags, e.Tags))
}

// Apart implements job.Long.
func (a AllTags) Apart() (short job.Detail, lines any) {
	if len(a.Tags) == 0 {
		return a, nil
	}
	lines = a.Tags
	a.TagCounts, a.Tags = a.Counts(), nil
	return a, lines
}

// With implements job.Long.
func (a AllTags) With(lines json.RawMessage) (job.Detail, error) {
	if err := json.Unmarshal(lines, &a.Tags); err != nil {
		return nil, fmt.Errorf("decode the tags of a pull: %w", err)
	}
	return a, nil
}

// Break implements job.Breakable.
func (a AllTags) Break(j job.Job, why func(image.Digest, []image.Platform) *image.Error) (job.Job, bool) {
	a.Tags = slices.Clone(a.Tags)
	broken := 0
	for i, t := range a.Tags {
		if t.State != TagDone && t.State != TagUpToDate {
			continue
		}
		if err := why(t.Digest, j.Outcome.Pulled); err != nil {
			broken++
			a.Tags[i].State, a.Tags[i].Problem = TagFailed, job.ProblemOf(err)
		}
	}
	if broken == 0 {
		return j, false
	}
	j.State, j.Outcome.Broken, j.Outcome.Lines, j.Detail = job.Failed, true, docker.WithoutStatus(j.Outcome.Lines), a
	j.Problem = job.ProblemOf(image.Errorf(image.Corrupt, "%d of %d tags of %s turned out broken", broken, len(a.Tags),
		a.Ref.Repository.Familiar()).
		Suggest("Ask their author to push them again."))
	return j, true
}

// Wanted returns the platforms that a job was asked to pull; none where nobody chose.
func Wanted(j job.Job) []image.Platform {
	switch d := j.Detail.(type) {
	case Single:
		return d.Platforms
	case AllTags:
		return d.Platforms
	}
	return nil
}

// DigestOf returns what the reference of a pull resolved to; empty until that is known, and of a pull of all tags.
func DigestOf(j job.Job) image.Digest {
	one, _ := j.Detail.(Single)
	return one.Digest
}

// TagState is where one tag of a pull of all tags stands.
type TagState string

// The states of a tag. All but the first two are final.
const (
	TagWaiting  TagState = "waiting"
	TagPulling  TagState = "pulling" // resolving it, or fetching
	TagDone     TagState = "done"
	TagUpToDate TagState = "up to date"
	TagSkipped  TagState = "skipped" // it has none of the chosen platforms, or is no image: that fails nothing
	TagFailed   TagState = "failed"
)

// Final reports whether nothing more will happen to the tag.
func (s TagState) Final() bool { return s != TagWaiting && s != TagPulling }

// TagLine is one tag of a pull of all tags.
type TagLine struct {
	Tag    string       `json:"tag"`
	State  TagState     `json:"state"`
	Digest image.Digest `json:"digest,omitzero"` // what it resolved to; empty until known
	Bytes  int64        `json:"bytes,omitzero"`  // of its layers that are on disk so far, stored before or fetched
	Size   int64        `json:"size,omitzero"`   // of its layers in all
	// Problem is why the tag was skipped or failed; of one that is done or up to date, which of the chosen
	// platforms it lacks (NoPlatform): those that it has were pulled.
	Problem *job.Problem `json:"problem,omitzero"`
}

// TagCounts is how many tags of a pull stand in each state.
type TagCounts map[TagState]int

// Counts counts the tags by their states, also of a record that was read without them.
func (a AllTags) Counts() TagCounts {
	if len(a.Tags) == 0 {
		return a.TagCounts
	}
	c := make(TagCounts)
	for _, t := range a.Tags {
		c[t.State]++
	}
	return c
}

// All adds the counts up.
func (c TagCounts) All() (n int) {
	for _, k := range c {
		n += k
	}
	return n
}
