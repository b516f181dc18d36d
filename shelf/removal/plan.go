package removal

import (
	"slices"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// Plan is what a removal does: as it is shown, and whole, for carrying it out. What goes below the roots and images
// here is what nothing else needs.
type Plan struct {
	Shown     shelf.RemovalPlan
	Dropped   []Drop // roots that go with all their tags
	Untagged  []Untag
	Forgotten []Root  // digests that nobody asks for any more but that tags still hold
	Images    []Taken // images that go by themselves
}

// Drop is a root that goes, with what is stored under it.
type Drop struct {
	Root
	Images, Indexes []image.Digest
	Layers          int // of the images
}

// Untag is a tag that goes from a root that stays.
type Untag struct {
	Root Root
	Tag  string
}

// Taken is an image that goes although roots that stay list it: every one that does.
type Taken struct {
	Manifest image.Digest
	Layers   int
	Roots    []Root
}

// Remove plans what was asked for by name. held are the blobs that running pulls hold. The error is of kind NotFound
// where nothing is stored of what was asked for.
func Remove(q Questions, asked shelf.Removal, found []Found, held map[image.Digest]bool) (Plan, error) {
	d := &decision{graph: newGraph(q), held: held}
	d.force = asked.Force
	if err := d.want(found); err != nil {
		return Plan{}, err
	}
	if missing := nothing(found); missing != nil {
		return Plan{}, missing
	}
	return d.plan(shelf.RemovalPlan{Asked: asked})
}

// nothing returns why nothing was found; nil where something was.
func nothing(found []Found) error {
	for _, f := range found {
		if f.Missing == nil {
			return nil
		}
	}
	if len(found) == 0 {
		return nil
	}
	return found[len(found)-1].Missing
}

// Prune plans a prune of what was chosen.
func Prune(q Questions, asked shelf.Prune, c Chosen, held map[image.Digest]bool) (Plan, error) {
	d := &decision{graph: newGraph(q), held: held}
	d.prune = true
	shown := shelf.RemovalPlan{Prune: &asked}
	if err := d.choose(asked, c, &shown); err != nil {
		return Plan{}, err
	}
	return d.plan(shown)
}

// plan goes from what items want to the plan.
func (d *decision) plan(shown shelf.RemovalPlan) (Plan, error) {
	if err := d.load(); err != nil {
		return Plan{}, err
	}
	if err := d.begin(); err != nil {
		return Plan{}, err
	}
	if !d.force {
		if err := d.findBuilt(); err != nil {
			return Plan{}, err
		}
	}
	d.decide()
	w := writer{graph: d.graph, fingerprint: newFingerprint(), held: d.held, plan: Plan{Shown: shown}}
	err := w.write()
	return w.plan, err
}

// Refused returns why nothing of a plan is carried out; nil where something is, or nothing was asked for.
func (p Plan) Refused() error {
	if !p.Shown.Refused() {
		return nil
	}
	first := p.Shown.Items[0].Refusal.Text
	if n := p.Shown.Totals.Items; n > 1 {
		return image.Errorf(image.Conflict,
			"nothing was deleted: the rules keep all %d things that were asked for, the first because %s", n, first)
	}
	return image.Errorf(image.Conflict, "nothing was deleted: %s", first)
}

// writer writes what was decided as a plan.
type writer struct {
	*graph
	fingerprint
	held  map[image.Digest]bool
	plan  Plan
	going []*img
}

// appendCapped adds to a list of the plan while it has room.
func appendCapped[T any](list *[]T, v T) {
	if len(*list) < shelf.MaxPlanLines {
		*list = append(*list, v)
	}
}

// write says what goes with the roots and images and what stays for whom.
func (w *writer) write() error {
	shown := &w.plan.Shown
	w.line("prune %t force %t", w.prune, w.force)
	for _, i := range w.items {
		appendCapped(&shown.Items, shelf.PlanItem{Item: i.Item, Refusal: i.refusal, Images: i.goingWith()})
		w.line("item %q %s %s", i.Item.Reference, i.Item.ID, i.Item.Platform)
		shown.Totals.Items++
		if !i.alive() {
			shown.Totals.Refused++
			w.line("refused %s", i.refusal.Reason)
		}
	}
	for _, step := range []func() error{w.writeDropped, w.writeRemaining, w.writeImages, w.writeBlobs} {
		if err := step(); err != nil {
			return err
		}
	}
	w.line("freed %d", shown.Totals.Freed)
	shown.Fingerprint = w.digest()
	return nil
}

func (w *writer) untagged(ref image.Reference) {
	w.plan.Shown.Totals.Untagged++
	appendCapped(&w.plan.Shown.Untagged, ref)
	w.line("untagged %s", ref)
}

// writeDropped says which references go with the roots. As in docker, the digest reference goes with the last tag.
func (w *writer) writeDropped() error {
	var some []Key
	for _, r := range w.roots {
		if r.dropped && len(r.Names) < r.Tags {
			some = append(some, r.Key)
		}
	}
	err := w.q.Tags(some, -1, func(r Root) { w.byKey[r.Key].Names = r.Names })
	if err != nil {
		return err
	}
	for _, r := range w.roots {
		if !r.dropped {
			continue
		}
		for _, name := range r.Names {
			w.untagged(image.Reference{Repository: r.Name, Tag: name})
		}
		if r.ByDigest || r.Tags == 0 {
			w.untagged(r.Reference())
		}
		drop := Drop{Root: r.Root}
		for _, i := range r.images {
			drop.Images = append(drop.Images, i.Manifest)
			drop.Layers += i.Layers
		}
		for _, n := range r.indexes {
			drop.Indexes = append(drop.Indexes, n.digest)
		}
		w.plan.Dropped = append(w.plan.Dropped, drop)
	}
	return nil
}

// writeRemaining says what the roots that stay lose.
func (w *writer) writeRemaining() error {
	for _, r := range w.roots {
		if r.dropped {
			continue
		}
		changed := r.partly && slices.ContainsFunc(r.images, func(i *img) bool { return i.going })
		for _, i := range r.wanted {
			switch {
			case !i.alive():
				continue
			case i.kind == wantedTag:
				w.plan.Untagged = append(w.plan.Untagged, Untag{r.Root, i.Item.Reference.Tag})
				w.untagged(i.Item.Reference)
			default:
				w.plan.Forgotten = append(w.plan.Forgotten, r.Root)
				w.untagged(r.Reference())
			}
			changed = true
		}
		if changed {
			w.writeRemains(r)
		}
	}
	return nil
}

// writeRemains notes the references of a root that stay, and the platforms that stay stored under it.
func (w *writer) writeRemains(r *root) {
	shown := &w.plan.Shown
	refs, count := r.tagsLeft(shelf.MaxPlanLines - len(shown.Remains))
	if count == 0 {
		refs, count = []image.Reference{r.Reference()}, 1
	}
	var platforms []image.Platform
	for _, i := range r.images {
		if !i.going {
			platforms = append(platforms, r.platforms(i)...)
		}
	}
	shown.Totals.Remains += count
	for _, ref := range refs {
		appendCapped(&shown.Remains, shelf.PlanRemains{Reference: ref, Platforms: platforms})
	}
	w.line("remains %s %s %d %s", r.Name, r.Digest, count, platforms)
}

// writeImages says which images go. An image of a digest that goes and that stays for another one is noted.
func (w *writer) writeImages() error {
	shown := &w.plan.Shown
	for _, i := range w.images {
		if !i.going {
			continue
		}
		w.going = append(w.going, i)
		shown.Totals.Images++
		appendCapped(&shown.Deleted, shelf.PlanImage{Manifest: i.Manifest, ID: i.ID, Platform: i.Platform, Size: i.Size})
		w.line("deleted %s", i.Manifest)
		taken := Taken{Manifest: i.Manifest, Layers: i.Layers}
		for _, r := range i.roots {
			if !r.dropped {
				taken.Roots = append(taken.Roots, r.Root)
			}
		}
		if len(taken.Roots) > 0 {
			w.plan.Images = append(w.plan.Images, taken)
		}
	}
	var staying []*img
	for _, i := range w.images {
		if i.going || !slices.ContainsFunc(i.roots, func(r *root) bool { return r.dropped }) {
			continue
		}
		w.line("stays %s", i.Manifest)
		if len(staying) < shelf.MaxPlanLines {
			staying = append(staying, i)
		} else {
			shown.Totals.Stays++
		}
	}
	for _, i := range staying {
		b := shelf.PlanBlob{Digest: i.Manifest, Kind: "manifest", Size: i.Size}
		if err := w.stays(b, []image.Digest{i.Manifest}); err != nil {
			return err
		}
	}
	return nil
}

// writeBlobs says which blobs go and which stay, and for whom.
func (w *writer) writeBlobs() error {
	var indexes []*node
	for _, n := range w.index {
		if n.lost() {
			indexes = append(indexes, n)
		}
	}
	us, err := usesOf(w.q, w.going, indexes)
	if err != nil {
		return err
	}
	shown := &w.plan.Shown
	var stay []*use
	for _, u := range us.all {
		if !u.stays {
			w.gone(u.blob())
			continue
		}
		w.line("stays %s", u.digest)
		if len(stay) < shelf.MaxPlanLines-len(shown.Stays) {
			stay = append(stay, u)
		} else {
			shown.Totals.Stays++
		}
	}
	limit := most(len(stay))
	for _, u := range stay {
		users, err := w.manifestsWith(u.digest, limit)
		if err != nil {
			return err
		}
		if err := w.stays(u.blob(), users); err != nil {
			return err
		}
	}
	return nil
}

// gone says that nothing needs a blob any more. Its file stays while a running pull holds it.
func (w *writer) gone(b shelf.PlanBlob) {
	shown := &w.plan.Shown
	if w.held[b.Digest] {
		b.Held = true
		shown.Totals.Stays++
		appendCapped(&shown.Stays, b)
		w.line("held %s", b.Digest)
		return
	}
	shown.Totals.Blobs++
	shown.Totals.Freed += b.Size
	if b.Kind == "layer" {
		shown.Totals.Layers++
	}
	appendCapped(&shown.Blobs, b)
	w.line("gone %s %d", b.Digest, b.Size)
}

// manifestsWith asks for manifests that stay and have a blob, at most limit.
func (w *writer) manifestsWith(blob image.Digest, limit int) (users []image.Digest, err error) {
	err = w.q.Users(blob, func(manifest image.Digest) (enough bool) {
		if w.remains(manifest) && !slices.Contains(users, manifest) {
			users = append(users, manifest)
		}
		return len(users) == limit
	})
	return users, err
}

// remains reports whether an index or a manifest stays.
func (w *writer) remains(d image.Digest) bool {
	n := w.nodes[d]
	switch {
	case n == nil:
		return true
	case n.image != nil:
		return !n.image.going
	}
	return !n.lost()
}

// stays notes that a blob stays for the references that reach the manifests that use it.
func (w *writer) stays(b shelf.PlanBlob, users []image.Digest) error {
	if err := w.findUsers(users); err != nil {
		return err
	}
	by := w.users(users, shownUsers)
	b.UsedBy, b.Users = by.refs, by.count
	w.plan.Shown.Totals.Stays++
	appendCapped(&w.plan.Shown.Stays, b)
	return nil
}
