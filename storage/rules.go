package storage

import (
	"strings"

	"github.com/stowage/stowage/image"
)

const (
	namedBlockers = 20 // references that a refusal has of those that stand in the way
	namedInText   = 5  // of them, those that its sentence names
)

// blockers are references that stand in the way of an item: the first of them, and how many there are.
type blockers struct {
	refs  []image.Reference
	count int
}

func (b *blockers) add(refs []image.Reference, count int) {
	b.refs = append(b.refs, refs[:min(len(refs), namedBlockers-len(b.refs))]...)
	b.count += count
}

// text names the blockers for a sentence, the first few of many.
func (b blockers) text() image.Text {
	names := make([]string, min(len(b.refs), namedInText))
	for i := range names {
		names[i] = b.refs[i].Familiar()
	}
	list := strings.Join(names, ", ")
	if more := b.count - len(names); more > 0 {
		return image.Textf("%s and %d more", list, more)
	}
	return image.Plain(list)
}

func (b blockers) refusal(reason image.RefusalReason, text image.Text) *image.Refusal {
	return &image.Refusal{Reason: reason, Text: text, By: b.refs, Count: b.count}
}

// name gives an item's name for a sentence.
func (w *wanted) name() image.Text {
	switch {
	case w.item.ID != "":
		return image.Textf("image %s", image.ShortDigest(w.item.ID))
	case w.item.Platform != image.Platform{}:
		return image.Textf("%s of %s", w.item.Platform, w.item.Reference.Familiar())
	case w.item.Reference.Digest != "":
		return image.Plain(w.item.Reference.Repository.Familiar() + "@" + image.ShortDigest(w.item.Reference.Digest))
	}
	return image.Plain(w.item.Reference.Familiar())
}

// refused says why nothing of a plan is carried out; nil where something is, or nothing was asked for.
func (p *planner) refused() error {
	if !p.plan.Refused() {
		return nil
	}
	first := p.items[0].refusal.Text
	if len(p.items) == 1 {
		return image.Errorf(image.Conflict, "nothing was deleted: %s", first)
	}
	return image.Errorf(image.Conflict, "nothing was deleted: the rules keep all %d things that were asked for, the first because %s", len(p.items), first)
}

// needed refuses to prune digests that a running pull is about to record.
func (p *planner) needed() error {
	if !p.prune || len(p.held) == 0 {
		return nil
	}
	for _, r := range p.roots {
		if r.dropped && p.held[r.digest] {
			for _, w := range p.behindRoot(r) {
				p.refuse(w, &image.Refusal{Reason: image.RefusedHeld, Text: image.Textf("a running pull needs %s", w.name())})
			}
		}
	}
	return nil
}

// pinned refuses to delete pinned digests, and images that they reach.
func (p *planner) pinned() error {
	for _, r := range p.roots {
		if !r.pinned {
			continue
		}
		var against []*wanted
		if r.dropped {
			against = p.behindRoot(r)
		}
		for _, i := range r.images {
			if i.asked > 0 {
				against = append(against, i.wanted...)
			}
		}
		if err := p.refusePinned(r, against); err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) refusePinned(r *rootPlan, against []*wanted) error {
	var pin *image.Pin
	for _, w := range against {
		if !w.alive() {
			continue
		}
		if pin == nil {
			pins, err := rowsOf(p.ctx, p.q, scanPin, `SELECT `+pinColumns+` FROM pins p JOIN repositories r ON r.id = p.repository_id
				WHERE p.repository_id = ? AND p.digest = ?`, r.repo, r.digest)
			if err != nil || len(pins) == 0 {
				return err
			}
			pin = &pins[0]
		}
		text := image.Textf("%s is pinned by %s", w.name(), pin.By)
		if pin.Note != "" {
			text = image.Textf("%s is pinned by %s: %s", w.name(), pin.By, pin.Note)
		}
		p.refuse(w, &image.Refusal{Reason: image.RefusedPinned, Text: text, By: []image.Reference{pin.Reference}, Count: 1, Pin: pin})
	}
	return nil
}

// referenced refuses to take away what other references, which stay, lead to. A prune goes by digests and takes their
// tags along.
func (p *planner) referenced() error {
	if p.prune {
		return nil
	}
	found := map[*wanted]blockers{}
	for _, w := range p.items {
		if !w.alive() {
			continue
		}
		b, err := p.stillReferenced(w)
		if err != nil {
			return err
		}
		found[w] = b
	}
	for _, w := range p.items { // after all were looked at, so that their order says nothing
		if b := found[w]; b.count > 0 {
			p.refuseReferenced(w, b)
		}
	}
	return nil
}

func (p *planner) refuseReferenced(w *wanted, b blockers) {
	var text image.Text
	switch {
	case w.item.ID != "":
		text = image.Textf("image %s is referenced by %s", image.ShortDigest(w.item.ID), b.text())
	case w.item.Platform != image.Platform{}:
		text = image.Textf("%s of %s is also used by %s", w.item.Platform, w.item.Reference.Familiar(), b.text())
	default:
		text = image.Textf("%s is tagged %s", image.ShortDigest(w.item.Reference.Digest), b.text())
	}
	p.refuse(w, b.refusal(image.RefusedReferenced, text))
}

// stillReferenced gives the references that stand in the way of an item.
func (p *planner) stillReferenced(w *wanted) (blockers, error) {
	switch {
	case w.item.ID != "":
		return p.idReferenced(w)
	case w.kind == wantedImages:
		return p.platformReferenced(w)
	case w.kind == wantedRoot && !w.root.byDigest && !w.root.dropped:
		// Docker forgets the wish for exactly this digest while a tag holds it; without such a wish the tags stand in the way.
		var b blockers
		err := p.addTagsLeft(&b, w.root, nil)
		return b, err
	}
	return blockers{}, nil
}

// addTagsLeft adds the tags that a root keeps, but for those in except.
func (p *planner) addTagsLeft(b *blockers, r *rootPlan, except map[image.Reference]bool) error {
	refs, count, err := p.tagsLeft(r, namedBlockers+len(except))
	if err != nil {
		return err
	}
	others := refs[:0]
	for _, ref := range refs {
		if except[ref] {
			count--
			continue
		}
		others = append(others, ref)
	}
	b.add(others, count)
	return nil
}

// idReferenced follows docker: an image ID stands for its one tag, in its one repository.
func (p *planner) idReferenced(w *wanted) (blockers, error) {
	var b blockers
	repositories := map[image.Repository]*rootPlan{} // with a root that has no tag
	tagged := map[image.Repository]bool{}
	var order []image.Repository
	seen := map[*rootPlan]bool{}
	for _, i := range w.images {
		for _, r := range i.roots {
			if seen[r] || p.byReference(r) {
				continue
			}
			seen[r] = true
			if r.tags > r.untags {
				tagged[r.name] = true
			}
			if repositories[r.name] == nil {
				repositories[r.name] = r
				order = append(order, r.name)
			}
			if err := p.addTagsLeft(&b, r, nil); err != nil {
				return blockers{}, err
			}
		}
	}
	if b.count < 2 && len(order) < 2 {
		return blockers{}, nil
	}
	for _, name := range order {
		if !tagged[name] {
			b.add([]image.Reference{repositories[name].reference()}, 1)
		}
	}
	return b, nil
}

// platformReferenced gives who else uses the image of a platform: other digests that list it and, where it is the last
// one of its digest, the other tags of that, since deleting it is deleting the digest.
func (p *planner) platformReferenced(w *wanted) (blockers, error) {
	var b blockers
	i := w.images[0]
	alsoAsked := map[*rootPlan]bool{} // for the same image
	for _, other := range i.wanted {
		if other.alive() && other.root != nil {
			alsoAsked[other.root] = true
		}
	}
	for _, r := range i.roots {
		switch {
		case p.byReference(r):
		case alsoAsked[r]:
			if !r.emptied() {
				continue
			}
			named := map[image.Reference]bool{}
			for _, i := range r.images {
				for _, other := range i.wanted {
					if other.alive() && other.root == r {
						named[other.item.Reference] = true
					}
				}
			}
			if err := p.addTagsLeft(&b, r, named); err != nil {
				return blockers{}, err
			}
		case r.tags > r.untags:
			if err := p.addTagsLeft(&b, r, nil); err != nil {
				return blockers{}, err
			}
		default:
			b.add([]image.Reference{r.reference()}, 1)
		}
	}
	return b, nil
}
