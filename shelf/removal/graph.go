package removal

import (
	"slices"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// Key identifies a root: a digest that a repository knows.
type Key struct {
	Repository int64
	Digest     image.Digest
}

// Root is where reachability starts: a digest that a repository knows, with the tags that point at it.
type Root struct {
	Key
	Name     image.Repository
	ByDigest bool     // somebody asked for exactly this digest
	Pulled   int64    // when last, in milliseconds since 1970
	Tags     int      // that point at it
	Names    []string // the first of them, in their order
}

// Reference returns the root's reference by digest.
func (r Root) Reference() image.Reference {
	return image.Reference{Repository: r.Name, Digest: r.Digest}
}

// Image is what the rules know of one stored platform.
type Image struct {
	Manifest image.Digest
	ID       image.Digest
	Platform image.Platform
	Created  time.Time // zero where its config does not say
	Size     int64     // compressed bytes of its layers
	Layers   int
}

// Below is an index or an image that is stored under a digest.
type Below struct {
	Top, Digest image.Digest
	Index       bool
	Image       Image // where it is no index
}

// Part is a blob of an image beside its manifest and its config.
type Part struct {
	Manifest    image.Digest // the image's
	Attestation image.Digest // that describes the image and has the blob; empty of a layer
	Position    int          // within the attestation
	Blob        image.Digest
}

// Uses counts how often a blob is used, over the whole shelf.
type Uses struct {
	Blob                      image.Digest
	Size                      int64
	Layers, Configs, Attested int  // up to the number that was asked for
	Document                  bool // an index or a manifest is stored under its digest
}

// Questions are what the rules ask about a shelf, each about many things at once. Answers come in a fixed order, and
// all of them are of one moment.
type Questions interface {
	// Below asks what is stored under each of tops, themselves included: images in the order of the index, again for each
	// further platform that it lists them for. What is under one of tops comes together.
	Below(tops []image.Digest, each func(Below)) error
	// Above asks for the roots that reach each of bottoms: all, or at least limit of them where that is not negative.
	Above(bottoms []image.Digest, limit int, each func(bottom image.Digest, at Key)) error
	// Tags asks what roots are, and for the first tags of each, at least few of them; all where that is negative.
	Tags(roots []Key, few int, each func(Root)) error
	// Pins asks which of roots are pinned.
	Pins(roots []Key, each func(Key, shelf.Pin)) error
	// BuiltOn asks which images are built on each of bases: they have all of its layers and more, or name it or an index
	// that lists it as their base, for the same platform. When each has enough of a base's, further ones may be left out.
	BuiltOn(bases []image.Digest, each func(base, user image.Digest) (enough bool)) error
	// Parts asks for the layers of images in their order, and after all of them for what describes the images.
	Parts(manifests []image.Digest, each func(Part)) error
	// Describes asks how many images each of some attestations describes.
	Describes(attestations []image.Digest, each func(attestation image.Digest, images int)) error
	// Uses asks how often blobs are used, counting up to most.
	Uses(blobs []image.Digest, most int, each func(Uses)) error
	// Users asks for the manifests that have a blob, until each has enough.
	Users(blob image.Digest, each func(manifest image.Digest) (enough bool)) error
}

// chunk is how many things are asked about at once where the answers are worked on as they come.
const chunk = 500

// few is how many roots a plan may have so that looking further for others is bounded: an image that is everywhere must
// not hold up a deletion.
const few = 64

// root is a root that items name or that reaches images which they want.
type root struct {
	Root
	pin     *shelf.Pin
	wanted  []*item // items for its tags or its digest
	images  []*img
	indexes []*node
	partly  bool                              // images under it are wanted by themselves
	called  map[image.Digest][]image.Platform // of images, by their manifests, that it calls otherwise than their Platform

	untags  int // tags that items take away
	whole   int // items that take the digest, or in a prune everything
	dropped bool
}

// node is a manifest or an index under roots of the plan.
type node struct {
	digest  image.Digest
	roots   []*root
	outside []Key // roots that the plan has nothing to do with and that reach it, as far as they were looked for
	sought  bool  // all of them were, where the plan has many roots
	image   *img  // nil for an index
}

// img is an image under roots of the plan.
type img struct {
	*node
	Image

	wanted []*item // items that want it by itself
	asked  int     // of them, those that are not refused
	going  bool
	bases  []*img // of the plan, that it is built on
}

// call notes that the root calls an image so, beside what it calls it already.
func (r *root) call(i *img, p image.Platform, again bool) {
	if r.called == nil {
		r.called = map[image.Digest][]image.Platform{}
	}
	all := r.called[i.Manifest]
	if again && len(all) == 0 {
		all = []image.Platform{i.Platform}
	}
	r.called[i.Manifest] = append(all, p)
}

// platforms returns what the root calls an image.
func (r *root) platforms(i *img) []image.Platform {
	if all := r.called[i.Manifest]; len(all) > 0 {
		return all
	}
	return []image.Platform{i.Platform}
}

// lost reports whether every root that reaches a node goes.
func (n *node) lost() bool {
	for _, r := range n.roots {
		if !r.dropped {
			return false
		}
	}
	return len(n.outside) == 0
}

// nodes lists what is stored under a root.
func (r *root) nodes() []*node {
	all := make([]*node, 0, len(r.images)+len(r.indexes))
	for _, i := range r.images {
		all = append(all, i.node)
	}
	return append(all, r.indexes...)
}

// graph is the part of a shelf that a plan touches. Filling it is all that asks questions.
type graph struct {
	q     Questions
	force bool
	prune bool

	items  []*item
	roots  []*root // in the order in which they came up
	byKey  map[Key]*root
	images []*img
	nodes  map[image.Digest]*node // what is stored under the roots
	index  []*node                // of them, the indexes

	above  map[image.Digest][]Key  // the roots that reach what keeps something
	others map[Key]Root            // what those outside the plan are called
	built  map[*img][]image.Digest // images outside the plan that are built on one of it
}

func newGraph(q Questions) *graph {
	return &graph{
		q: q, byKey: map[Key]*root{}, nodes: map[image.Digest]*node{}, above: map[image.Digest][]Key{},
		others: map[Key]Root{}, built: map[*img][]image.Digest{},
	}
}

// add makes a root part of the plan.
func (g *graph) add(r Root) *root {
	have := g.byKey[r.Key]
	if have == nil {
		have = &root{Root: r}
		g.byKey[r.Key] = have
		g.roots = append(g.roots, have)
	}
	return have
}

func (g *graph) node(d image.Digest) *node {
	n := g.nodes[d]
	if n == nil {
		n = &node{digest: d}
		g.nodes[d] = n
	}
	return n
}

// keys returns the keys of roots.
func keys(roots []*root) []Key {
	all := make([]Key, len(roots))
	for i, r := range roots {
		all[i] = r.Key
	}
	return all
}

// sorted puts digests in the order in which looking many up is quickest.
func sorted(digests []image.Digest) []image.Digest {
	slices.Sort(digests)
	return digests
}

// load finds what is stored under the roots, and who pinned them.
func (g *graph) load() error {
	under := map[image.Digest][]*root{} // several repositories can know one digest
	var tops []image.Digest
	for _, r := range g.roots {
		if under[r.Digest] == nil {
			tops = append(tops, r.Digest)
		}
		under[r.Digest] = append(under[r.Digest], r)
	}
	err := g.q.Below(sorted(tops), func(b Below) {
		n := g.node(b.Digest)
		if !b.Index && n.image == nil {
			n.image = &img{node: n, Image: b.Image}
		}
		roots := under[b.Top]
		again := len(n.roots) > 0 && n.roots[len(n.roots)-1] == roots[len(roots)-1]
		for _, r := range roots {
			if !b.Index && (again || b.Image.Platform != n.image.Platform) {
				r.call(n.image, b.Image.Platform, again)
			}
			if again {
				continue
			}
			n.roots = append(n.roots, r)
			if b.Index {
				r.indexes = append(r.indexes, n)
			} else {
				r.images = append(r.images, n.image)
			}
		}
	})
	if err != nil {
		return err
	}
	for _, r := range g.roots { // in the order of the roots, each once
		for _, n := range r.nodes() {
			switch {
			case n.roots[0] != r:
			case n.image != nil:
				g.images = append(g.images, n.image)
			default:
				g.index = append(g.index, n)
			}
		}
	}
	return g.q.Pins(keys(g.roots), func(at Key, pin shelf.Pin) { g.byKey[at].pin = &pin })
}

// findOutside asks for the images and indexes that would go with the roots which other roots are there.
func (g *graph) findOutside() error {
	var asked []image.Digest
	for _, r := range g.roots {
		for _, n := range r.nodes() {
			if n.roots[0] == r && n.lost() { // each once
				asked = append(asked, n.digest)
				n.sought = true
			}
		}
	}
	return g.q.Above(sorted(asked), len(g.roots)+1, func(bottom image.Digest, at Key) {
		if g.byKey[at] == nil {
			n := g.nodes[bottom]
			n.outside = append(n.outside, at)
		}
	})
}

// findBuilt asks which images are built on those that would go, and by which references refusals can name them.
func (g *graph) findBuilt() error {
	var going []image.Digest
	for _, i := range g.images {
		if i.going {
			going = append(going, i.Manifest)
		}
	}
	limit := most(len(going))
	var users []image.Digest // that refusals may name, each once
	named := map[image.Digest]bool{}
	err := g.q.BuiltOn(sorted(going), func(base, user image.Digest) (enough bool) {
		of := g.nodes[base].image
		if n := g.nodes[user]; n != nil && n.image != nil {
			n.image.bases = append(n.image.bases, of)
		} else if len(g.built[of]) < limit {
			g.built[of] = append(g.built[of], user)
		} else {
			return true
		}
		if !named[user] {
			named[user] = true
			users = append(users, user)
		}
		return len(g.built[of]) >= limit
	})
	if err != nil {
		return err
	}
	return g.findUsers(users)
}

// findUsers asks for the roots that reach manifests, and what those are called. What was found before is not asked
// for again: the layers of a plan mostly have the same users.
func (g *graph) findUsers(manifests []image.Digest) error {
	var unknown []image.Digest
	var nameless []Key
	reached := func(m image.Digest, at Key) {
		g.above[m] = append(g.above[m], at)
		if r := g.byKey[at]; r != nil && len(r.Names) >= min(r.Tags, namedBlockers) {
			return
		}
		if _, known := g.others[at]; !known {
			g.others[at] = Root{}
			nameless = append(nameless, at)
		}
	}
	for _, m := range manifests {
		if _, known := g.above[m]; known {
			continue
		}
		g.above[m] = nil
		if n := g.nodes[m]; n != nil && n.sought && len(g.roots) > few {
			for _, at := range slices.Concat(keys(n.roots), n.outside) {
				reached(m, at)
			}
			continue
		}
		unknown = append(unknown, m)
	}
	size, limit := max(1, len(unknown)), -1
	if len(g.roots) <= few {
		size, limit = few, countedUsers+len(g.roots)+1
	}
	for some := range slices.Chunk(unknown, size) {
		if err := g.q.Above(some, limit, reached); err != nil {
			return err
		}
	}
	return g.q.Tags(nameless, namedBlockers, func(r Root) {
		if have := g.byKey[r.Key]; have != nil {
			have.Names = r.Names
		}
		g.others[r.Key] = r
	})
}

// users returns the references, not going themselves, that reach manifests, each once: the first few, tags before
// digests, and how many there are.
func (g *graph) users(manifests []image.Digest, few int) blockers {
	seen := map[Key]bool{}
	var refs []image.Reference
	count := 0
	for _, m := range manifests {
		for _, at := range g.above[m] {
			if seen[at] {
				continue
			}
			seen[at] = true
			some, n := tagsOf(g.others[at], namedBlockers), g.others[at].Tags
			named := g.others[at]
			if r := g.byKey[at]; r != nil {
				if r.dropped {
					continue
				}
				named = r.Root
				some, n = r.tagsLeft(namedBlockers)
			}
			if n == 0 {
				some, n = []image.Reference{named.Reference()}, 1
			}
			refs = append(refs, some...)
			count += n
		}
	}
	slices.SortFunc(refs, byTagsFirst)
	return blockers{refs: refs[:min(len(refs), few)], count: count}
}

// tagsOf returns the first references by tag of a root.
func tagsOf(r Root, limit int) []image.Reference {
	refs := make([]image.Reference, min(limit, len(r.Names)))
	for i := range refs {
		refs[i] = image.Reference{Repository: r.Name, Tag: r.Names[i]}
	}
	return refs
}

// tagsLeft returns the first references by tag that a root keeps, and how many there are.
func (r *root) tagsLeft(limit int) (refs []image.Reference, count int) {
	if count = r.Tags - r.untags; count == 0 || limit <= 0 {
		return nil, count
	}
	gone := map[string]bool{}
	for _, w := range r.wanted {
		if w.alive() && w.kind == wantedTag {
			gone[w.Item.Reference.Tag] = true
		}
	}
	for _, name := range r.Names {
		if len(refs) == limit {
			break
		}
		if !gone[name] {
			refs = append(refs, image.Reference{Repository: r.Name, Tag: name})
		}
	}
	return refs, count
}
