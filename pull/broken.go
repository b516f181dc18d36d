package pull

import (
	"slices"
	"strings"

	"github.com/stowage/stowage/image"
)

// Break returns a job that was done as one that failed, and reports whether it is one: unpacking, which comes after, has found
// that what it brought cannot be used. why returns what is wrong with the platforms of a digest, nil where that is nothing.
// What an upload brings is proved before.
func (j Job) Break(why func(d image.Digest, platforms []image.Platform) *image.Error) (Job, bool) {
	if j.State != Done || j.Upload != nil {
		return j, false
	}
	if !j.AllTags {
		err := why(j.Digest, j.Pulled)
		if err == nil {
			return j, false
		}
		j.State, j.Broken, j.Problem = Failed, true, problemOf(err)
		j.Lines = withoutStatus(j.Lines)
		return j, true
	}
	j.Tags = slices.Clone(j.Tags)
	broken := 0
	for i, t := range j.Tags {
		if t.State != TagDone && t.State != TagUpToDate {
			continue
		}
		if err := why(t.Digest, j.Pulled); err != nil {
			broken++
			j.Tags[i].State, j.Tags[i].Problem = TagFailed, problemOf(err)
		}
	}
	if broken == 0 {
		return j, false
	}
	j.State, j.Broken, j.Lines = Failed, true, withoutStatus(j.Lines)
	j.Problem = problemOf(image.Errorf(image.Corrupt, "%d of %d tags of %s turned out broken", broken, len(j.Tags), j.Reference.Repository.Familiar()).
		Suggest("Ask their author to push them again."))
	return j, true
}

// withoutStatus leaves out docker's last two lines, which say that all is well.
func withoutStatus(lines []string) []string {
	i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, statusLine) })
	if i < 0 {
		return lines
	}
	return slices.Clone(lines[:i])
}
