package pull

import (
	"slices"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
)

// tagLines are the lines of a pull of all tags at work. The worker's alone, but for count.
type tagLines struct {
	run *job.Run
	at  int // the line of the tag at work, guarded by the run; -1 where there is none
}

// change changes the lines; those that were handed out stay as they are.
func (t *tagLines) change(f func(all *AllTags)) {
	t.run.ChangeDetail(func(d job.Detail, shared bool) job.Detail {
		all, _ := d.(AllTags)
		if shared {
			all.Tags = slices.Clone(all.Tags)
		}
		f(&all)
		return all
	})
}

// list makes the job show a line for each tag, and returns the digests that tags were brought at by the same job
// before the server stopped.
func (t *tagLines) list(tags []string) (brought map[string]image.Digest) {
	brought = make(map[string]image.Digest)
	lines := make([]TagLine, len(tags))
	for i, tag := range tags {
		lines[i] = TagLine{Tag: tag, State: TagWaiting}
	}
	t.change(func(all *AllTags) {
		for _, l := range all.Tags {
			if l.State == TagDone {
				brought[l.Tag] = l.Digest
			}
		}
		all.Tags = lines
	})
	return brought
}

// begin makes a tag the one at work.
func (t *tagLines) begin(i int) {
	t.change(func(all *AllTags) {
		all.Tags[i].State = TagPulling
		t.at = i
	})
}

// pointsTo says what the tag at work points to.
func (t *tagLines) pointsTo(d image.Digest) {
	t.change(func(all *AllTags) { all.Tags[t.at].Digest = d })
}

// end settles the line of the tag at work, counts what it brought, and takes its layers away.
func (t *tagLines) end(f func(*TagLine)) {
	shown, _ := t.run.Shown()
	layers := make([]job.Layer, len(shown))
	for i, l := range shown {
		layers[i] = l.Snapshot()
	}
	t.change(func(all *AllTags) {
		line := &all.Tags[t.at]
		line.count(layers)
		for _, l := range layers {
			if l.State != job.AlreadyStored {
				all.Fetched += l.Bytes - l.Resumed
			}
		}
		f(line)
		t.at = -1
	})
	t.run.Show(nil)
}

// leave lets the tag at work wait again: the job ends before it. What it was about stays shown.
func (t *tagLines) leave() {
	shown, _ := t.run.Shown()
	layers := make([]job.Layer, len(shown))
	for i, l := range shown {
		layers[i] = l.Snapshot()
	}
	t.change(func(all *AllTags) {
		all.Tags[t.at].count(layers)
		all.Tags[t.at].State = TagWaiting
		t.at = -1
	})
}

// count sums up the layers of the tag at work in a job that is about to be handed out.
func (t *tagLines) count(j *job.Job) {
	all, _ := j.Detail.(AllTags)
	if t.at < 0 || len(j.Progress.Layers) == 0 {
		return
	}
	line := all.Tags[t.at]
	if line.count(j.Progress.Layers); line != all.Tags[t.at] {
		all.Tags = slices.Clone(all.Tags)
		all.Tags[t.at] = line
		j.Detail = all
	}
}

// count sums up the layers of the tag.
func (l *TagLine) count(layers []job.Layer) {
	if len(layers) == 0 {
		return
	}
	l.Bytes, l.Size = 0, 0
	for _, y := range layers {
		l.Bytes += y.Bytes
		l.Size += y.Size
	}
}

// now returns the lines as they are now; they are not to be changed.
func (t *tagLines) now() []TagLine {
	all, _ := t.run.Snapshot().Detail.(AllTags)
	return all.Tags
}
