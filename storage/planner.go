package storage

import (
	"context"
	"database/sql"
	"errors"
	"maps"

	"github.com/stowage/stowage/image"
)

// planner works out one plan. Its items want roots and images to go; as long as the rules refuse one of them, the item
// is taken out and what stays because of that is looked at again, until nothing is refused any more.
type planner struct {
	ctx   context.Context
	q     querier
	held  map[image.Digest]bool // blobs that running pulls hold
	force bool
	prune bool
	plan  image.RemovalPlan

	items  []*wanted
	roots  []*rootPlan // in the order in which they came up
	byKey  map[rootKey]*rootPlan
	images []*imagePlan
	nodes  map[image.Digest]*node // what is stored under the roots
	index  []*node                // of them, the indexes

	refusing bool         // something was refused in this round
	based    bool         // the base rule was asked about everything that goes
	back     []*imagePlan // that stay after all, and the base rule was not asked about them yet

	outcome
}

// wanted is one item of a plan.
type wanted struct {
	item    image.RemovalItem
	kind    wantedKind
	refusal *image.Refusal
	root    *rootPlan    // what a reference names; nil for an image ID
	images  []*imagePlan // of wantedImages
}

type wantedKind int

const (
	wantedImages wantedKind = iota // images by themselves, by ID or platform
	wantedTag                      // one tag of a root
	wantedRoot                     // a root by its digest; in a prune, with its tags
)

func (w *wanted) alive() bool { return w.refusal == nil }

// rootPlan is a root that items name or that reaches images which they want.
type rootPlan struct {
	root
	tags    int // that point at it
	pinned  bool
	wanted  []*wanted // items for its tags or its digest
	images  []*imagePlan
	indexes []*node
	partly  bool // images under it are wanted by themselves

	untags  int // tags that items take away
	whole   int // items that take the digest, or in a prune everything
	dropped bool
}

// node is a manifest or an index under roots of the plan.
type node struct {
	digest  image.Digest
	roots   []*rootPlan
	outside bool       // a root that the plan has nothing to do with reaches it too
	image   *imagePlan // nil for an index
}

// imagePlan is an image under roots of the plan.
type imagePlan struct {
	*node
	Image

	wanted []*wanted // items that want it by itself
	asked  int       // of them, those that are not refused
	going  bool
}

// lost tells whether every root that reaches a node goes.
func (n *node) lost() bool {
	for _, r := range n.roots {
		if !r.dropped {
			return false
		}
	}
	return !n.outside
}

func (s *Store) newPlanner(ctx context.Context, q querier) *planner {
	return &planner{ctx: ctx, q: q, held: s.holds.all(), byKey: map[rootKey]*rootPlan{}, nodes: map[image.Digest]*node{}}
}

// planRemoval plans what was asked for by name.
func (s *Store) planRemoval(ctx context.Context, q querier, asked image.Removal) (*planner, error) {
	p := s.newPlanner(ctx, q)
	p.plan.Asked, p.force = asked, asked.Force
	seen, missing := map[image.RemovalItem]bool{}, (*image.Error)(nil)
	for _, item := range asked.Items {
		if seen[item] {
			continue
		}
		seen[item] = true
		w := &wanted{item: item}
		p.items = append(p.items, w)
		err := p.find(w, len(asked.Items))
		var e *image.Error
		if errors.As(err, &e) && e.Kind == image.NotFound {
			missing, err = e, nil
			w.refusal = &image.Refusal{Reason: image.RefusedMissing, Text: e.Text()}
		}
		if err != nil {
			return nil, err
		}
	}
	if missing != nil && p.allRefused(image.RefusedMissing) {
		return nil, missing
	}
	return p, p.work()
}

func (p *planner) allRefused(reason image.RefusalReason) bool {
	for _, w := range p.items {
		if w.alive() || w.refusal.Reason != reason {
			return false
		}
	}
	return true
}

// work goes from what items want to the plan.
func (p *planner) work() error {
	if err := p.load(); err != nil {
		return err
	}
	if err := p.decide(); err != nil {
		return err
	}
	return p.write()
}

// add makes a root part of the plan.
func (p *planner) add(rt root) (*rootPlan, error) {
	if have := p.byKey[rt.key()]; have != nil {
		return have, nil
	}
	r := &rootPlan{root: rt}
	err := p.q.QueryRowContext(p.ctx, `SELECT (SELECT count(*) FROM tags WHERE repository_id = ?1 AND digest = ?2),
		EXISTS (SELECT 1 FROM pins WHERE repository_id = ?1 AND digest = ?2)`, rt.repo, rt.digest).Scan(&r.tags, &r.pinned)
	p.have(r)
	return r, err
}

func (p *planner) have(r *rootPlan) {
	p.byKey[r.key()] = r
	p.roots = append(p.roots, r)
}

// find looks up what an item names. items is how many there are.
func (p *planner) find(w *wanted, items int) error {
	if w.item.ID != "" {
		return p.findID(w, items)
	}
	rt, err := findRoot(p.ctx, p.q, w.item.Reference)
	if err != nil {
		return err
	}
	if w.item.Platform != (image.Platform{}) {
		return p.findPlatform(w, rt, items)
	}
	if w.root, err = p.add(rt); err != nil {
		return err
	}
	w.root.wanted = append(w.root.wanted, w)
	if w.kind = wantedTag; w.item.Reference.Tag == "" {
		w.kind = wantedRoot
	}
	w.root.count(w, 1)
	return nil
}

// count notes that an item for a root, not for images, is there or, with -1, not there any more.
func (r *rootPlan) count(w *wanted, n int) {
	switch w.kind {
	case wantedTag:
		r.untags += n
	case wantedRoot:
		r.whole += n
	case wantedImages:
	}
}

func (p *planner) findID(w *wanted, items int) error {
	found, err := rowsOf(p.ctx, p.q, scanImage, `SELECT `+imageColumns+` FROM images i WHERE i.config_digest = ? ORDER BY i.manifest_digest`, w.item.ID)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return image.Errorf(image.NotFound, "no image %s is stored", image.ShortDigest(w.item.ID))
	}
	return p.findRoots(w, found, items)
}

func (p *planner) findPlatform(w *wanted, rt root, items int) error {
	images, err := reachableImages(p.ctx, p.q, rt.digest)
	if err != nil {
		return err
	}
	for _, i := range images {
		if i.Platform == w.item.Platform {
			if w.root, err = p.add(rt); err != nil {
				return err
			}
			return p.findRoots(w, []Image{i}, items)
		}
	}
	return image.Errorf(image.NotFound, "%s of %s is not stored", w.item.Platform, w.item.Reference.Familiar())
}

// findRoots makes every root that reaches the images part of the plan. Without force, an image that is referenced far
// more often than there are items is refused as soon as that is known.
func (p *planner) findRoots(w *wanted, images []Image, items int) error {
	most := -1
	if !p.force {
		most = countedUsers + items
	}
	for _, i := range images {
		roots, err := rootsOf(p.ctx, p.q, i.Manifest, most)
		if err != nil {
			return err
		}
		if len(roots) == most {
			refs := make([]image.Reference, namedBlockers)
			for i := range refs {
				refs[i] = roots[i].reference()
			}
			p.refuseReferenced(w, blockers{refs: refs, count: most})
			return nil
		}
		for _, rt := range roots {
			r, err := p.add(rt)
			if err != nil {
				return err
			}
			r.partly = true
		}
		n := p.node(i.Manifest)
		if n.image == nil {
			n.image = &imagePlan{node: n, Image: i}
			p.images = append(p.images, n.image)
		}
		n.image.wanted = append(n.image.wanted, w)
		n.image.asked++
		w.images = append(w.images, n.image)
	}
	return nil
}

func (p *planner) node(d image.Digest) *node {
	n := p.nodes[d]
	if n == nil {
		n = &node{digest: d}
		p.nodes[d] = n
	}
	return n
}

// load finds what is stored under the roots.
func (p *planner) load() error {
	under := map[image.Digest][]*rootPlan{} // several repositories can know one digest
	var tops []image.Digest
	for _, r := range p.roots {
		if under[r.digest] == nil {
			tops = append(tops, r.digest)
		}
		under[r.digest] = append(under[r.digest], r)
	}
	return eachBelow(p.ctx, p.q, tops, func(b below) {
		n := p.node(b.digest)
		if !b.isIndex && n.image == nil {
			n.image = &imagePlan{node: n, Image: b.image}
			p.images = append(p.images, n.image)
		}
		if b.isIndex && n.roots == nil {
			p.index = append(p.index, n)
		}
		for _, r := range under[b.top] {
			n.roots = append(n.roots, r)
			if b.isIndex {
				r.indexes = append(r.indexes, n)
			} else {
				r.images = append(r.images, n.image)
			}
		}
	})
}

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
	return eachAbove(p.ctx, p.q, asked, len(p.roots)+1, func(bottom image.Digest, at rootKey) {
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

// tagsLeft gives the first references by tag that a root keeps, and how many there are.
func (p *planner) tagsLeft(r *rootPlan, limit int) (refs []image.Reference, count int, err error) {
	if count = r.tags - r.untags; count == 0 || limit <= 0 {
		return nil, count, nil
	}
	gone := map[string]bool{}
	for _, w := range r.wanted {
		if w.alive() && w.kind == wantedTag {
			gone[w.item.Reference.Tag] = true
		}
	}
	err = eachRow(p.ctx, p.q, func(rows *sql.Rows) (bool, error) {
		ref := image.Reference{Repository: r.name}
		if err := rows.Scan(&ref.Tag); err != nil {
			return true, err
		}
		if !gone[ref.Tag] {
			refs = append(refs, ref)
		}
		return len(refs) == limit, nil
	}, `SELECT name FROM tags WHERE repository_id = ? AND digest = ? ORDER BY name`, r.repo, r.digest)
	return refs, count, err
}

// all gives what is held now.
func (h *holds) all() map[image.Digest]bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	held := make(map[image.Digest]bool, len(h.count))
	for d := range maps.Keys(h.count) {
		held[d] = true
	}
	return held
}

// findRoot finds the root that a reference names. NotFound where it is not stored.
func findRoot(ctx context.Context, q querier, ref image.Reference) (root, error) {
	d, err := targetDigest(ctx, q, ref)
	if err != nil {
		return root{}, err
	}
	out := root{name: ref.Repository, digest: d}
	err = q.QueryRowContext(ctx, `SELECT d.repository_id, d.by_digest FROM repository_digests d JOIN repositories r ON r.id = d.repository_id
		WHERE r.name = ? AND d.digest = ?`, ref.Repository, d).Scan(&out.repo, &out.byDigest)
	return out, err
}
