package storage

import (
	"github.com/stowage/stowage/image"
)

// byReference tells whether items take a root away with its references.
func (p *planner) byReference(r *rootPlan) bool {
	if p.prune || p.force {
		if r.whole > 0 {
			return true
		}
	}
	return r.untags == r.tags && r.untags+r.whole > 0
}

// emptied tells whether items take every image of a root away.
func (r *rootPlan) emptied() bool {
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

// decide works out what goes as far as the rules let it.
func (p *planner) decide() error {
	for _, r := range p.roots {
		r.dropped = p.byReference(r) || r.emptied()
	}
	if err := p.findOutside(); err != nil {
		return err
	}
	for _, i := range p.images {
		i.going = i.asked > 0 || i.lost()
	}
	if p.force {
		return nil
	}
	for p.refusing = true; p.refusing; {
		p.refusing = false
		for _, rule := range []func() error{p.needed, p.referenced, p.pinned, p.bases} {
			if err := rule(); err != nil {
				return err
			}
		}
	}
	return nil
}

// findOutside asks for which images and indexes that would go with the roots other roots are there.
func (p *planner) findOutside() error {
	var asked []image.Digest
	for _, r := range p.roots {
		for _, n := range r.nodes() {
			if n.roots[0] == r && n.lost() { // each once
				asked = append(asked, n.digest)
			}
		}
	}
	return eachAbove(p.ctx, p.q, sorted(asked), len(p.roots)+1, func(bottom image.Digest, at rootKey) {
		if p.byKey[at] == nil {
			p.nodes[bottom].outside = true
		}
	})
}

// nodes lists what is stored under a root.
func (r *rootPlan) nodes() []*node {
	all := make([]*node, 0, len(r.images)+len(r.indexes))
	for _, i := range r.images {
		all = append(all, i.node)
	}
	return append(all, r.indexes...)
}

// refuse takes an item out of the plan.
func (p *planner) refuse(w *wanted, refusal *image.Refusal) {
	if !w.alive() {
		return
	}
	w.refusal, p.refusing = refusal, true
	for _, i := range w.images {
		i.asked--
		for _, r := range i.roots { // not emptied any more
			p.reconsiderRoot(r)
		}
		p.reconsider(i)
	}
	if w.kind != wantedImages {
		w.root.count(w, -1)
		p.reconsiderRoot(w.root)
	}
}

// reconsiderRoot follows up on a root that loses less than it seemed.
func (p *planner) reconsiderRoot(r *rootPlan) {
	if !r.dropped || p.byReference(r) || r.emptied() {
		return
	}
	r.dropped = false
	for _, i := range r.images {
		p.reconsider(i)
	}
}

// reconsider follows up on an image that items or roots no longer take away.
func (p *planner) reconsider(i *imagePlan) {
	if !i.going || i.asked > 0 || i.lost() {
		return
	}
	i.going = false
	p.back = append(p.back, i)
}

// behind gives the items because of which an image goes.
func (p *planner) behind(i *imagePlan) []*wanted {
	all := append([]*wanted{}, i.wanted...)
	for _, r := range i.roots {
		all = append(all, p.behindRoot(r)...)
	}
	return all
}

// behindRoot gives the items because of which a root goes.
func (p *planner) behindRoot(r *rootPlan) []*wanted {
	if !r.dropped {
		return nil
	}
	if p.byReference(r) {
		return r.wanted
	}
	var all []*wanted
	for _, i := range r.images {
		all = append(all, i.wanted...)
	}
	return all
}
