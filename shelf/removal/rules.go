package removal

import (
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// decision works out what goes. Items want roots and images to go; as long as the rules refuse one of them, the item is
// taken out and what stays because of that is looked at again, until nothing is refused any more.
type decision struct {
	*graph
	held map[image.Digest]bool // blobs that running pulls hold

	refusing bool   // something was refused in this round
	based    bool   // the base rule was asked about everything that goes
	back     []*img // that stay after all, and the base rule was not asked about them yet
}

// byReference reports whether items take a root away with its references.
func (d *decision) byReference(r *root) bool {
	if (d.prune || d.force) && r.whole > 0 {
		return true
	}
	return r.untags == r.Tags && r.untags+r.whole > 0
}

// emptied reports whether items take every image of a root away.
func (r *root) emptied() bool {
	if !r.partly || len(r.images) == 0 {
		return false
	}
	for _, i := range r.images {
		if i.asked == 0 {
			return false
		}
	}
	return true
}

// begin marks what goes if the rules refuse nothing.
func (d *decision) begin() error {
	for _, r := range d.roots {
		r.dropped = d.byReference(r) || r.emptied()
	}
	if err := d.findOutside(); err != nil {
		return err
	}
	for _, i := range d.images {
		i.going = i.asked > 0 || i.lost()
	}
	return nil
}

// decide works out what goes as far as the rules let it.
func (d *decision) decide() {
	if d.force {
		return
	}
	for d.refusing = true; d.refusing; {
		d.refusing = false
		for _, rule := range []func(){d.needed, d.referenced, d.pinned, d.bases} {
			rule()
		}
	}
}

// refuse takes an item out of the plan.
func (d *decision) refuse(w *item, refusal *shelf.Refusal) {
	if !w.alive() {
		return
	}
	w.refusal, d.refusing = refusal, true
	for _, i := range w.images {
		i.asked--
		for _, r := range i.roots { // not emptied any more
			d.reconsiderRoot(r)
		}
		d.reconsider(i)
	}
	if w.kind != wantedImages {
		w.root.count(w, -1)
		d.reconsiderRoot(w.root)
	}
}

// reconsiderRoot follows up on a root that loses less than it seemed.
func (d *decision) reconsiderRoot(r *root) {
	if !r.dropped || d.byReference(r) || r.emptied() {
		return
	}
	r.dropped = false
	for _, i := range r.images {
		d.reconsider(i)
	}
}

// reconsider follows up on an image that items or roots no longer take away.
func (d *decision) reconsider(i *img) {
	if !i.going || i.asked > 0 || i.lost() {
		return
	}
	i.going = false
	d.back = append(d.back, i)
}

// behind returns the items because of which an image goes.
func (d *decision) behind(i *img) []*item {
	all := append([]*item{}, i.wanted...)
	for _, r := range i.roots {
		all = append(all, d.behindRoot(r)...)
	}
	return all
}

// behindRoot returns the items because of which a root goes.
func (d *decision) behindRoot(r *root) []*item {
	if !r.dropped {
		return nil
	}
	if d.byReference(r) {
		return r.wanted
	}
	var all []*item
	for _, i := range r.images {
		all = append(all, i.wanted...)
	}
	return all
}

// needed refuses to prune digests that a running pull is about to record.
func (d *decision) needed() {
	if !d.prune || len(d.held) == 0 {
		return
	}
	for _, r := range d.roots {
		if !r.dropped || !d.held[r.Digest] {
			continue
		}
		for _, w := range d.behindRoot(r) {
			d.refuse(w, &shelf.Refusal{Reason: shelf.RefusedHeld, Text: image.Textf("a running pull needs %s", w.name())})
		}
	}
}

// pinned refuses to delete pinned digests, and images that they reach.
func (d *decision) pinned() {
	for _, r := range d.roots {
		if r.pin == nil {
			continue
		}
		var against []*item
		if r.dropped {
			against = d.behindRoot(r)
		}
		for _, i := range r.images {
			if i.asked > 0 {
				against = append(against, i.wanted...)
			}
		}
		for _, w := range against {
			text := image.Textf("%s is pinned by %s", w.name(), r.pin.By)
			if r.pin.Note != "" {
				text = image.Textf("%s is pinned by %s: %s", w.name(), r.pin.By, r.pin.Note)
			}
			by := []image.Reference{r.pin.Reference}
			d.refuse(w, &shelf.Refusal{Reason: shelf.RefusedPinned, Text: text, By: by, Count: 1, Pin: r.pin})
		}
	}
}

// referenced refuses to take away what other references, which stay, lead to. A prune goes by digests and takes their
// tags along.
func (d *decision) referenced() {
	if d.prune {
		return
	}
	found := map[*item]blockers{}
	for _, w := range d.items {
		if w.alive() {
			found[w] = d.stillReferenced(w)
		}
	}
	for _, w := range d.items { // after all were looked at, so that their order says nothing
		if b := found[w]; b.count > 0 {
			d.refuseReferenced(w, b)
		}
	}
}

func (d *decision) refuseReferenced(w *item, b blockers) {
	var text image.Text
	switch {
	case w.Item.ID != "":
		text = image.Textf("image %s is referenced by %s", image.ShortDigest(w.Item.ID), b.text())
	case w.Item.Platform != image.Platform{}:
		text = image.Textf("%s of %s is also used by %s", w.Item.Platform, w.Item.Reference.Familiar(), b.text())
	default:
		text = image.Textf("%s is tagged %s", image.ShortDigest(w.Item.Reference.Digest), b.text())
	}
	d.refuse(w, b.refusal(shelf.RefusedReferenced, text))
}

// stillReferenced returns the references that stand in the way of an item.
func (d *decision) stillReferenced(w *item) (b blockers) {
	switch {
	case w.Item.ID != "":
		return d.idReferenced(w)
	case w.kind == wantedImages:
		return d.platformReferenced(w)
	case w.kind == wantedRoot && !w.root.ByDigest && !w.root.dropped:
		// Docker forgets the wish for exactly this digest while a tag holds it; without such a wish the tags stand in the
		// way.
		b.addTagsLeft(w.root, nil)
	}
	return b
}

// idReferenced follows docker: an image ID stands for its one tag, in its one repository.
func (d *decision) idReferenced(w *item) (b blockers) {
	repositories := map[image.Repository]*root{} // with a root that has no tag
	tagged := map[image.Repository]bool{}
	var order []image.Repository
	seen := map[*root]bool{}
	for _, i := range w.images {
		for _, r := range i.roots {
			if seen[r] || d.byReference(r) {
				continue
			}
			seen[r] = true
			if r.Tags > r.untags {
				tagged[r.Name] = true
			}
			if repositories[r.Name] == nil {
				repositories[r.Name] = r
				order = append(order, r.Name)
			}
			b.addTagsLeft(r, nil)
		}
	}
	if b.count < 2 && len(order) < 2 {
		return blockers{}
	}
	for _, name := range order {
		if !tagged[name] {
			b.add([]image.Reference{repositories[name].Reference()}, 1)
		}
	}
	return b
}

// platformReferenced returns who else uses the image of a platform: other digests that list it and, where it is the
// last one of its digest, the other tags of that, since deleting it is deleting the digest.
func (d *decision) platformReferenced(w *item) (b blockers) {
	i := w.images[0]
	alsoAsked := map[*root]bool{} // for the same image
	for _, other := range i.wanted {
		if other.alive() && other.root != nil {
			alsoAsked[other.root] = true
		}
	}
	for _, r := range i.roots {
		switch {
		case d.byReference(r):
		case alsoAsked[r]:
			if r.emptied() {
				b.addTagsLeft(r, r.named())
			}
		case r.Tags > r.untags:
			b.addTagsLeft(r, nil)
		default:
			b.add([]image.Reference{r.Reference()}, 1)
		}
	}
	return b
}

// named returns the references by which items ask for platforms of a root.
func (r *root) named() map[image.Reference]bool {
	named := map[image.Reference]bool{}
	for _, i := range r.images {
		for _, w := range i.wanted {
			if w.alive() && w.root == r {
				named[w.Item.Reference] = true
			}
		}
	}
	return named
}
