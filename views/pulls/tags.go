package pulls

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// TagsPerPage is how many tags of a pull of all tags a page lists. A repository can have thousands.
const TagsPerPage = 100

// TagWindow is the page of a pull's tags that is in view.
type TagWindow struct {
	Page  int // from 1
	Pages int
	Total int
	Rows  []TagRow
}

// TagRow is a tag with its place in the job, which is its ID on the page.
type TagRow struct {
	Number int
	pull.TagLine
}

// TagsOf returns a page of a job's tags: those that failed or were skipped first, then the others in the order
// in which they are pulled. A page after the last is the last.
func TagsOf(j job.Job, page int) TagWindow {
	w := TagWindow{Total: len(allTags(j).Tags), Pages: max(1, (len(allTags(j).Tags)+TagsPerPage-1)/TagsPerPage)}
	w.Page = min(max(page, 1), w.Pages)
	first := (w.Page - 1) * TagsPerPage
	place := 0 // in the whole list
	for _, wanted := range []func(pull.TagState) bool{
		func(s pull.TagState) bool { return s == pull.TagFailed },
		func(s pull.TagState) bool { return s == pull.TagSkipped },
		func(s pull.TagState) bool { return s != pull.TagFailed && s != pull.TagSkipped },
	} {
		for i, t := range allTags(j).Tags {
			if len(w.Rows) == TagsPerPage {
				return w
			}
			if !wanted(t.State) {
				continue
			}
			if place >= first {
				w.Rows = append(w.Rows, TagRow{i, t})
			}
			place++
		}
	}
	return w
}

// TagChange is what of a TagWindow a browser does not have yet.
type TagChange struct {
	Whole bool // all of it
	Rows  []TagRow
}

// Since returns what changed after before was sent, of the same page of the same job: single rows, or all where
// other rows are in view now.
func (w TagWindow) Since(before TagWindow) TagChange {
	if w.Page != before.Page || w.Total != before.Total || len(w.Rows) != len(before.Rows) {
		return TagChange{Whole: true}
	}
	var c TagChange
	for i, row := range w.Rows {
		old := before.Rows[i]
		if row.Number != old.Number {
			return TagChange{Whole: true}
		}
		if row.State != old.State || row.Bytes != old.Bytes || row.Size != old.Size || row.Digest != old.Digest {
			c.Rows = append(c.Rows, row)
		}
	}
	return c
}

// address is that of what is in view.
func (v PullView) address() address.Pull { return address.Pull{ID: v.Job.ID, Lines: v.Tags.Page} }

// tagStates word and colour a tag's state.
var tagStates = map[pull.TagState]struct {
	text text.MessageID
	kind ui.Kind
}{
	pull.TagWaiting:  {"pull.layer_waiting", ui.KindNeutral},
	pull.TagPulling:  {"pull.state_pulling", ui.KindPrimary},
	pull.TagDone:     {"pull.state_done", ui.KindSuccess},
	pull.TagUpToDate: {"pullall.state_up_to_date", ui.KindNeutral},
	pull.TagSkipped:  {"pullall.state_skipped", ui.KindWarning},
	pull.TagFailed:   {"pull.state_failed", ui.KindError},
}

// tagState words and colours a tag's state. One that a pull which is over did not come to has none of its own.
func tagState(j job.Job, t pull.TagLine) (text text.MessageID, kind ui.Kind) {
	if j.State.Final() && !t.State.Final() {
		return "pullall.state_left", ui.KindNeutral
	}
	s := tagStates[t.State]
	return s.text, s.kind
}

// tagTally counts a job's tags by state.
type tagTally map[pull.TagState]int

// tagLeft counts the tags that a pull which is over did not come to the end of.
const tagLeft pull.TagState = "left"

func tallyTags(j job.Job) tagTally {
	t := make(tagTally, len(tagStates))
	for state, n := range allTags(j).Counts() {
		if j.State.Final() && !state.Final() {
			state = tagLeft
		}
		t[state] += n
	}
	return t
}

// finished counts the tags that nothing more happens to.
func (t tagTally) finished() int {
	return t[pull.TagDone] + t[pull.TagUpToDate] + t[pull.TagSkipped] + t[pull.TagFailed]
}

// text words the tally: "12 done · 3 up to date · 1 failed".
func (t tagTally) text(ctx context.Context) string {
	var parts []string
	for _, part := range []struct {
		state pull.TagState
		text  text.MessageID
	}{
		{pull.TagDone, "pullall.tally_done"}, {pull.TagUpToDate, "pullall.tally_up_to_date"},
		{pull.TagSkipped, "pullall.tally_skipped"},
		{pull.TagFailed, "pullall.tally_failed"}, {pull.TagPulling, "pullall.tally_pulling"},
		{pull.TagWaiting, "pullall.tally_waiting"},
		{tagLeft, "pullall.tally_left"},
	} {
		if n := t[part.state]; n > 0 {
			parts = append(parts, text.T(ctx, part.text, text.Count, n))
		}
	}
	return strings.Join(parts, " · ")
}

// progressOf returns how far a pull is: tags of all tags, else bytes.
func progressOf(j job.Job) (done, total int64) {
	if j.Kind() == job.PullAll {
		return int64(tallyTags(j).finished()), int64(allTags(j).Counts().All())
	}
	return j.Bytes()
}

// tagsProgressText words how far a pull of all tags is: tags, bytes, rate, time left.
func tagsProgressText(ctx context.Context, j job.Job) string {
	switch {
	case j.State == job.Queued:
		return text.T(ctx, "pull.queued_text")
	case len(allTags(j).Tags) == 0 && !j.State.Final():
		return text.T(ctx, "pullall.listing")
	}
	parts := []string{tagsDone(ctx, j)}
	switch done, total := j.Bytes(); {
	case total > done && allTags(j).Expected > 0:
		parts = append(parts, text.T(ctx, "pull.bytes_of", "Done", text.HumanSize(done), "Total", text.HumanSize(total)))
	case done > 0:
		parts = append(parts, text.T(ctx, "pull.downloaded", "Size", text.HumanSize(max(done, j.Progress.Moved))))
	}
	if j.Progress.Rate > 0 && j.State == job.Pulling {
		parts = append(parts, text.HumanRate(float64(j.Progress.Rate)))
	}
	if left := j.Left(); left > 0 {
		parts = append(parts, text.T(ctx, "pull.left", "Time", text.HumanDuration(ctx, left)))
	}
	return strings.Join(parts, " · ")
}

// tagsDone words how many tags are finished.
func tagsDone(ctx context.Context, j job.Job) string {
	return text.T(ctx, "pullall.tags_of", "Done", tallyTags(j).finished(), text.Count, len(allTags(j).Tags))
}

// allTagsDone returns the title and the colour of the outcome of a pull of all tags that came to its end.
func allTagsDone(ctx context.Context, j job.Job) (title string, kind ui.Kind) {
	t := tallyTags(j)
	switch {
	case t[pull.TagFailed] > 0:
		return text.T(ctx, "pullall.done_failed", text.Count, t[pull.TagFailed]), ui.KindWarning
	case t[pull.TagSkipped] > 0:
		return text.T(ctx, "pullall.done_skipped", text.Count, t[pull.TagSkipped]), ui.KindSuccess
	case !j.Outcome.Newer:
		return text.T(ctx, "pull.up_to_date_title"), ui.KindSuccess
	}
	return text.T(ctx, "pull.done_title"), ui.KindSuccess
}

// atWork lists the tags that are being pulled.
func atWork(j job.Job) (lines []pull.TagLine) {
	for _, t := range allTags(j).Tags {
		if t.State == pull.TagPulling {
			lines = append(lines, t)
		}
	}
	return lines
}

// layersAtWork lists the layers of the tag at work and counts those that were stored before: of a repository's
// tags, most share most. Of many layers it lists only those that move.
func layersAtWork(j job.Job) (groups []layerGroup, stored int) {
	all := j.Progress.Layers
	j.Progress.Layers = slices.DeleteFunc(slices.Clone(all),
		func(l job.Layer) bool { return l.State == job.AlreadyStored })
	groups = layerGroups(j)
	for i := range groups {
		groups[i].closed = groups[i].part && groups[i].title != "pull.group_active"
	}
	for _, l := range all {
		if l.State == job.AlreadyStored && !l.Attests {
			stored++
		}
	}
	return groups, stored
}

// tagBytes words how much of a tag is on disk.
func tagBytes(t pull.TagLine) string {
	switch {
	case t.Size == 0:
		return ""
	case t.State == pull.TagPulling && t.Bytes < t.Size:
		return text.HumanSize(t.Bytes) + " / " + text.HumanSize(t.Size)
	}
	return text.HumanSize(t.Size)
}

// rowReason shortens a reason to what a row has room for: it may be a registry's, and a page has many.
func rowReason(reason string) string {
	const most = 240
	shown, rest := text.Cut(reason, most)
	if rest > 0 {
		return shown + "…"
	}
	return shown
}

// stored reports whether a tag's image is on the shelf, as far as the pull knows.
func (r TagRow) stored() bool { return r.State == pull.TagDone || r.State == pull.TagUpToDate }

// id returns the row's ID on the page.
func (r TagRow) id() string { return "tag-" + strconv.Itoa(r.Number) }

// lastLines are so many of docker's lines as a page shows of a pull of all tags, which has some for each.
func lastLines(j job.Job) []string {
	const most = 4
	if j.Kind() == job.PullAll && len(j.Outcome.Lines) > most {
		return append([]string{"…"}, j.Outcome.Lines[len(j.Outcome.Lines)-most:]...)
	}
	return j.Outcome.Lines
}

// downloaded returns how many bytes came over the network for a pull, whatever became of them. Of an older record it is
// those of layers that were not stored, without what an earlier attempt had left. Pulls side by side share what they
// fetch, so each counts it.
func downloaded(j job.Job) (bytes int64, known bool) {
	if j.Progress.Moved > 0 && j.State.Final() {
		return j.Progress.Moved, true
	}
	if j.State != job.Done || j.Kind() == job.PullAll || len(j.Progress.Layers) == 0 {
		return 0, false
	}
	for _, l := range j.Progress.Layers {
		if l.State == job.Complete {
			bytes += max(0, l.Size-l.Resumed)
		}
	}
	return bytes, true
}

// tagsTitle names the tags of a repository that a pull is for.
func tagsTitle(ctx context.Context, repo image.Repository, match string) string {
	name := strings.Replace(text.T(ctx, "pullall.heading"), "#", repo.Familiar(), 1)
	if match == "" {
		return name
	}
	return text.T(ctx, "pullall.matching", "Name", name, "Match", text.Visible(match))
}

// tagsKept says what a pull of all tags that failed leaves for the next try.
func tagsKept(ctx context.Context, kind image.Kind) string {
	if kind == image.DiskFull {
		return text.T(ctx, "pullall.kept_full")
	}
	return text.T(ctx, "pullall.kept")
}
