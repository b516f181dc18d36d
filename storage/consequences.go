package storage

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"

	"github.com/stowage/stowage/image"
)

// outcome is what a plan comes to, whole, for carrying it out; and the writer of the plan that is shown.
type outcome struct {
	chains     map[builtOn][]*imagePlan // images that go, by their layers
	chainOrder []builtOn

	dropped      []*rootPlan
	untagged     []*wanted   // tags of roots that stay
	forgotten    []*rootPlan // digests that nobody asks for any more but that tags still hold
	touched      []*rootPlan // roots that stay and lose a platform
	going        []*imagePlan
	indexes      []image.Digest
	layers       []image.Digest // that no image has any more
	attestations []image.Digest // that describe no image any more
	blobs        []image.Digest // that nothing needs any more

	lines hash.Hash // of everything that the plan says it does
	kept  map[image.Digest][]keeperOf
}

// line adds to the fingerprint.
func (p *planner) line(format string, args ...any) {
	_, _ = fmt.Fprintf(p.lines, format+"\n", args...) // a hash takes everything
}

// keep adds to a list of the plan while it has room.
func keep[T any](list *[]T, v T) {
	if len(*list) < image.MaxPlanLines {
		*list = append(*list, v)
	}
}

// write works out what goes with the roots and images and what stays for whom, and writes the plan.
func (p *planner) write() error {
	p.lines = sha256.New()
	p.line("prune %t force %t", p.prune, p.force)
	for _, w := range p.items {
		keep(&p.plan.Items, image.PlanItem{Item: w.item, Refusal: w.refusal, Images: w.goingWith()})
		p.line("item %q %s %s", w.item.Reference, w.item.ID, w.item.Platform)
		p.plan.Totals.Items++
		if !w.alive() {
			p.plan.Totals.Refused++
			p.line("refused %s", w.refusal.Reason)
		}
	}
	for _, step := range []func() error{p.writeRoots, p.writeImages, p.writeBlobs} {
		if err := step(); err != nil {
			return err
		}
	}
	p.line("freed %d", p.plan.Totals.Freed)
	p.plan.Fingerprint = image.Digest("sha256:" + hex.EncodeToString(p.lines.Sum(nil)))
	return nil
}

// goingWith counts the images that go with an item.
func (w *wanted) goingWith() (n int) {
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

func (p *planner) writeUntagged(ref image.Reference) {
	p.plan.Totals.Untagged++
	keep(&p.plan.Untagged, ref)
	p.line("untagged %s", ref)
}

// writeRoots says what becomes of the references.
func (p *planner) writeRoots() error {
	for _, r := range p.roots {
		if r.dropped {
			p.dropped = append(p.dropped, r)
		}
	}
	if err := p.writeDropped(); err != nil {
		return err
	}
	for _, r := range p.roots {
		if r.dropped {
			continue
		}
		changed := false
		for _, w := range r.wanted {
			switch {
			case !w.alive():
				continue
			case w.kind == wantedTag:
				p.untagged = append(p.untagged, w)
				p.writeUntagged(w.item.Reference)
			default:
				p.forgotten = append(p.forgotten, r)
				p.writeUntagged(r.reference())
			}
			changed = true
		}
		if r.partly && slices.ContainsFunc(r.images, func(i *imagePlan) bool { return i.going }) {
			p.touched = append(p.touched, r)
			changed = true
		}
		if !changed {
			continue
		}
		if err := p.writeRemains(r); err != nil {
			return err
		}
	}
	return nil
}

// writeDropped says which references go with the roots. As in docker, the digest reference goes with the last tag.
func (p *planner) writeDropped() error {
	all := p.dropped
	for len(all) > 0 {
		some := all[:min(len(all), chunkSize)]
		all = all[len(some):]
		written := 0 // roots of some whose digest reference is done with
		finish := func(until int) {
			for ; written < until; written++ {
				if r := some[written]; r.byDigest || r.tags == 0 {
					p.writeUntagged(r.reference())
				}
			}
		}
		err := inChunks(keysOf(some), chunkSize, func(list string) error {
			return eachRow(p.ctx, p.q, func(rows *sql.Rows) (bool, error) {
				var at int
				var tag string
				err := rows.Scan(&at, &tag)
				finish(at)
				p.writeUntagged(image.Reference{Repository: some[at].name, Tag: tag})
				return false, err
			}, `SELECT j.key, t.name FROM json_each(?) j CROSS JOIN tags t ON t.digest = j.value ->> 1 AND t.repository_id = j.value ->> 0 ORDER BY j.key, t.name`, list)
		})
		if err != nil {
			return err
		}
		finish(len(some))
	}
	return nil
}

// writeRemains notes the references of a root that stay, and the platforms that stay stored under it.
func (p *planner) writeRemains(r *rootPlan) error {
	refs, count, err := p.tagsLeft(r, image.MaxPlanLines-len(p.plan.Remains))
	if err != nil {
		return err
	}
	if count == 0 {
		refs, count = []image.Reference{r.reference()}, 1
	}
	var platforms []image.Platform
	for _, i := range r.images {
		if !i.going {
			platforms = append(platforms, i.Platform)
		}
	}
	p.plan.Totals.Remains += count
	for _, ref := range refs {
		keep(&p.plan.Remains, image.PlanRemains{Reference: ref, Platforms: platforms})
	}
	p.line("remains %s %s %d %s", r.name, r.digest, count, platforms)
	return nil
}

// writeImages says which images and indexes go. An image of a digest that goes and that stays for another one is noted.
func (p *planner) writeImages() error {
	for _, i := range p.images {
		if !i.going {
			continue
		}
		p.going = append(p.going, i)
		p.plan.Totals.Images++
		keep(&p.plan.Deleted, image.PlanImage{Manifest: i.Manifest, ID: i.ID, Platform: i.Platform, Size: i.Size})
		p.line("deleted %s", i.Manifest)
	}
	for _, i := range p.images {
		if i.going || !underAny(i.roots) {
			continue
		}
		if err := p.writeStays(image.PlanBlob{Digest: i.Manifest, Kind: "manifest", Size: i.Size}, []image.Digest{i.Manifest}); err != nil {
			return err
		}
	}
	for _, n := range p.index {
		if n.lost() {
			p.indexes = append(p.indexes, n.digest)
		}
	}
	return nil
}
