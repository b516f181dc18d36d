package removal

import (
	"cmp"
	"slices"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// Found is a thing that was asked for, and what the shelf has of it.
type Found struct {
	Item    shelf.RemovalItem
	Root    Key          // what its reference names
	Images  []Image      // of an image ID, or the one of a platform
	Missing *image.Error // why there is nothing of the kind; else nil
}

// item is one item of a plan.
type item struct {
	Found
	kind    wantedKind
	refusal *shelf.Refusal
	root    *root  // what a reference names; nil for an image ID
	images  []*img // of wantedImages
}

type wantedKind int

const (
	wantedImages wantedKind = iota // images by themselves, by ID or platform
	wantedTag                      // one tag of a root
	wantedRoot                     // a root by its digest; in a prune, with its tags
)

func (w *item) alive() bool { return w.refusal == nil }

// name returns an item's name for a sentence.
func (w *item) name() image.Text {
	ref := w.Item.Reference
	switch {
	case w.Item.ID != "":
		return image.Textf("image %s", image.ShortDigest(w.Item.ID))
	case w.Item.Platform != image.Platform{}:
		return image.Textf("%s of %s", w.Item.Platform, ref.Familiar())
	case ref.Digest != "":
		return image.Plain(ref.Repository.Familiar() + "@" + image.ShortDigest(ref.Digest))
	}
	return image.Plain(ref.Familiar())
}

// goingWith counts the images that go with an item.
func (w *item) goingWith() (n int) {
	images := w.images
	if w.kind != wantedImages && w.root != nil && w.root.dropped {
		images = w.root.images
	}
	for _, i := range images {
		if w.alive() && i.going {
			n++
		}
	}
	return n
}

// count notes that an item for a root, not for images, is there or, with -1, not there any more.
func (r *root) count(w *item, n int) {
	switch w.kind {
	case wantedTag:
		r.untags += n
	case wantedRoot:
		r.whole += n
	case wantedImages:
	}
}

// want makes what was found the items of the plan, with every root that they touch.
func (d *decision) want(found []Found) error {
	named := map[Key]bool{}
	var roots []Key
	for _, f := range found {
		if f.Missing == nil && f.Item.ID == "" && !named[f.Root] {
			named[f.Root] = true
			roots = append(roots, f.Root)
		}
	}
	known := map[Key]Root{}
	enough := shelf.MaxPlanLines + len(found) // what is left is listed, and items take some away
	learn := func(r Root) { known[r.Key] = r }
	if err := d.q.Tags(roots, enough, learn); err != nil {
		return err
	}
	for _, f := range found {
		w := &item{Found: f}
		d.items = append(d.items, w)
		switch {
		case f.Missing != nil:
			w.refusal = &shelf.Refusal{Reason: shelf.RefusedMissing, Text: f.Missing.Text()}
			continue
		case f.Item.ID == "":
			w.root = d.add(known[f.Root])
		}
		if len(f.Images) > 0 {
			if err := d.wantImages(w, len(found), enough); err != nil {
				return err
			}
			continue
		}
		w.root.wanted = append(w.root.wanted, w)
		if w.kind = wantedTag; f.Item.Reference.Tag == "" {
			w.kind = wantedRoot
		}
		w.root.count(w, 1)
	}
	return nil
}

// wantImages makes every root that reaches an item's images part of the plan. Without force, an image that is
// referenced far more often than there are items is refused as soon as that is known.
func (d *decision) wantImages(w *item, items, enough int) error {
	limit := -1
	if !d.force {
		limit = countedUsers + items
	}
	for _, i := range w.Images {
		var above []Key
		err := d.q.Above([]image.Digest{i.Manifest}, limit, func(_ image.Digest, at Key) { above = append(above, at) })
		if err != nil {
			return err
		}
		var roots []Root
		if err := d.q.Tags(above, enough, func(r Root) { roots = append(roots, r) }); err != nil {
			return err
		}
		slices.SortFunc(roots, func(a, b Root) int {
			return cmp.Or(strings.Compare(string(a.Name), string(b.Name)), strings.Compare(string(a.Digest), string(b.Digest)))
		})
		if limit >= 0 && len(roots) >= limit {
			b := blockers{count: limit}
			for _, r := range roots[:namedBlockers] {
				b.refs = append(b.refs, r.Reference())
			}
			d.refuseReferenced(w, b)
			return nil
		}
		for _, r := range roots {
			d.add(r).partly = true
		}
		n := d.node(i.Manifest)
		if n.image == nil {
			n.image = &img{node: n, Image: i}
		}
		n.image.wanted = append(n.image.wanted, w)
		n.image.asked++
		w.images = append(w.images, n.image)
	}
	return nil
}
