package pull

import (
	"slices"

	"github.com/stowage/stowage/image"
)

// list makes the job show a line for each tag, and gives the digests that tags were brought at by the same job
// before the server stopped.
func (r *run) list(tags []string) (brought map[string]image.Digest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	brought = make(map[string]image.Digest)
	for _, l := range r.job.Tags {
		if l.State == TagDone {
			brought[l.Tag] = l.Digest
		}
	}
	lines := make([]TagLine, len(tags))
	for i, t := range tags {
		lines[i] = TagLine{Tag: t, State: TagWaiting}
	}
	r.job.Tags, r.handed = lines, false
	return brought
}

// ownTags makes the lines free to be changed: those that were handed out stay as they are. r.mu is held.
func (r *run) ownTags() {
	if r.handed {
		r.job.Tags, r.handed = slices.Clone(r.job.Tags), false
	}
}

// beginTag makes a tag the one at work.
func (r *run) beginTag(i int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ownTags()
	r.job.Tags[i].State = TagPulling
	r.tag = i
}

// tagIs says what the tag at work points to.
func (r *run) tagIs(d image.Digest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ownTags()
	r.job.Tags[r.tag].Digest = d
}

// endTag settles the line of the tag at work, counts what it brought, and takes its layers away.
func (r *run) endTag(f func(*TagLine)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.countTag()
	for _, l := range r.layers {
		if s := l.snapshot(); s.State != AlreadyStored {
			r.job.Fetched += s.Bytes - s.Resumed
		}
	}
	r.moved = r.fetchedBytes()
	r.layers, r.configs = nil, nil
	r.ownTags()
	f(&r.job.Tags[r.tag])
	r.tag = -1
}

// leaveTag lets the tag at work wait again: the job ends before it. What it was about stays shown.
func (r *run) leaveTag() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.countTag()
	r.ownTags()
	r.job.Tags[r.tag].State = TagWaiting
	r.tag = -1
}

// countTag sums up the layers of the tag at work. r.mu is held.
func (r *run) countTag() {
	if r.tag < 0 || len(r.layers) == 0 {
		return
	}
	var bytes, size int64
	for _, l := range r.layers {
		bytes += l.snapshot().Bytes
		size += l.Size
	}
	if l := r.job.Tags[r.tag]; l.Bytes != bytes || l.Size != size {
		r.ownTags()
		r.job.Tags[r.tag].Bytes, r.job.Tags[r.tag].Size = bytes, size
	}
}

// tagLines gives the lines as they are now; they are not to be changed.
func (r *run) tagLines() []TagLine {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.handed = true
	return r.job.Tags
}
