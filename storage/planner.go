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
	return &planner{ctx: ctx, q: q, held: s.holds.all(), byKey: map[rootKey]*rootPlan{}, nodes: map[image.Digest]*node{}, outcome: outcome{kept: map[image.Digest][]keeperOf{}}}
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
	err := eachBelow(p.ctx, p.q, sorted(tops), func(b below) {
		n := p.node(b.digest)
		if !b.isIndex && n.image == nil {
			n.image = &imagePlan{node: n, Image: b.image}
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
	for _, r := range p.roots { // in the order of the roots, each once
		for _, n := range r.nodes() {
			switch {
			case n.roots[0] != r:
			case n.image != nil:
				p.images = append(p.images, n.image)
			default:
				p.index = append(p.index, n)
			}
		}
	}
	return err
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
