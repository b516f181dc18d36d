package storage

import (
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf/removal"
)

// batch is what one transaction takes of a plan.
type batch struct {
	roots     []removal.Key // that go
	tags      []batchTag    // that go
	split     []batchTag    // of them, those whose roots go later
	untags    []removal.Untag
	forgotten []removal.Key  // digests that nobody asks for any more
	images    []image.Digest // under roots that go, and those that go by themselves
	indexes   []image.Digest // under roots that go
	taken     []removal.Taken

	expected map[removal.Key]removal.Root // what the plan thinks of each root that the batch touches
	unpinned []removal.Key                // of them, those that go or lose a platform
}

// batchTag is a tag as the statements read it: its repository, its name and the digest that it points to.
type batchTag [3]any

// expect notes what a root should be like before the batch, which may touch it more than once.
func (b *batch) expect(r removal.Root) {
	if _, known := b.expected[r.Key]; !known {
		b.expected[r.Key] = r
	}
}

// once leaves each digest once, in the order in which they came up.
func once(all []image.Digest) []image.Digest {
	seen := make(map[image.Digest]bool, len(all))
	kept := all[:0]
	for _, d := range all {
		if !seen[d] {
			seen[d] = true
			kept = append(kept, d)
		}
	}
	return kept
}

// rest is what of a plan is still to be carried out.
type rest struct {
	removal.Plan
	gone   map[removal.Key]int  // tags that earlier batches took, of roots that are not gone
	forgot map[removal.Key]bool // roots that nobody asks for since an earlier batch
}

func newRest(p removal.Plan) *rest {
	return &rest{Plan: p, gone: map[removal.Key]int{}, forgot: map[removal.Key]bool{}}
}

func (r *rest) empty() bool {
	return len(r.Untagged)+len(r.Forgotten)+len(r.Images)+len(r.Dropped) == 0
}

// About how many rows are written for each thing that a batch takes.
const (
	rowsOfTag   = 4
	rowsOfLayer = 3
	rowsOfImage = 6
)

// now is what the plan thinks of a root after the batches before.
func (r *rest) now(root removal.Root) removal.Root {
	root.Tags -= r.gone[root.Key]
	root.ByDigest = root.ByDigest && !r.forgot[root.Key]
	return root
}

// next takes a batch of about so many rows, or of one thing where that has more. Thousands of tags of one digest are
// taken apart.
func (r *rest) next(rows int) *batch {
	b := &batch{expected: map[removal.Key]removal.Root{}}
	for rows > 0 && !r.empty() {
		switch {
		case len(r.Untagged) > 0:
			u := r.Untagged[0]
			r.Untagged = r.Untagged[1:]
			b.expect(r.now(u.Root))
			b.untags = append(b.untags, u)
			b.tags = append(b.tags, batchTag{u.Root.Repository, u.Tag, u.Root.Digest})
			r.gone[u.Root.Key]++
			rows -= rowsOfTag
		case len(r.Forgotten) > 0:
			f := r.Forgotten[0]
			r.Forgotten = r.Forgotten[1:]
			b.expect(r.now(f))
			b.forgotten = append(b.forgotten, f.Key)
			r.forgot[f.Key] = true
			rows--
		case len(r.Dropped) > 0:
			rows -= r.drop(b, rows)
		default: // the manifest of one may have been a root
			rows -= r.take(b)
		}
	}
	b.images, b.indexes = once(b.images), once(b.indexes)
	return b
}

// take moves an image that goes by itself into a batch.
func (r *rest) take(b *batch) (rows int) {
	t := r.Images[0]
	r.Images = r.Images[1:]
	for _, root := range t.Roots { // of those that stay
		b.expect(r.now(root))
		b.unpinned = append(b.unpinned, root.Key)
	}
	b.images = append(b.images, t.Manifest)
	b.taken = append(b.taken, t)
	return rowsOfImage + rowsOfLayer*t.Layers + len(t.Roots)
}

// drop moves a root that goes into a batch, or as many of its tags as there is room for.
func (r *rest) drop(b *batch, room int) (rows int) {
	d := r.Dropped[0]
	names := d.Names[r.gone[d.Key]:]
	b.expect(r.now(d.Root))
	b.unpinned = append(b.unpinned, d.Key)
	some := names[:min(len(names), max(1, room/rowsOfTag))]
	for _, name := range some {
		b.tags = append(b.tags, batchTag{d.Repository, name, d.Digest})
	}
	if len(some) < len(names) {
		b.split = append(b.split, b.tags[len(b.tags)-len(some):]...)
		r.gone[d.Key] += len(some)
		return max(room, len(some)*rowsOfTag)
	}
	r.Dropped = r.Dropped[1:]
	delete(r.gone, d.Key)
	b.roots = append(b.roots, d.Key)
	b.images = append(b.images, d.Images...)
	b.indexes = append(b.indexes, d.Indexes...)
	return rowsOfImage + rowsOfTag*len(names) + rowsOfLayer*d.Layers + len(d.Indexes)
}
