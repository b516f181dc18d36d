package storage

import (
	"cmp"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strings"

	"github.com/stowage/stowage/image"
)

// outcome is what a plan comes to, whole, for carrying it out; and the writer of the plan that is shown.
type outcome struct {
	chains     map[builtOn][]*imagePlan // images that go, by their layers
	chainOrder []builtOn

	dropped   []*rootPlan
	untagged  []*wanted   // tags of roots that stay
	forgotten []*rootPlan // digests that nobody asks for any more but that tags still hold
	touched   []*rootPlan // roots that stay and lose a platform
	going     []*imagePlan
	indexes   []image.Digest
	layers    []image.Digest // that no image has any more
	blobs     []image.Digest // that nothing needs any more

	lines hash.Hash // of everything that the plan says it does
	kept  map[image.Digest][]keeperOf
}

// line adds to the fingerprint.
func (p *planner) line(format string, args ...any) { fmt.Fprintf(p.lines, format+"\n", args...) }

// keep adds to a list of the plan while it has room.
func keep[T any](list *[]T, v T) {
	if len(*list) < image.MaxPlanLines {
		*list = append(*list, v)
	}
}

// write works out what goes with the roots and images and what stays for whom, and writes the plan.
func (p *planner) write() error {
	p.lines, p.kept = sha256.New(), map[image.Digest][]keeperOf{}
	p.line("prune %t force %t", p.prune, p.force)
	for _, w := range p.items {
		keep(&p.plan.Items, image.PlanItem{Item: w.item, Refusal: w.refusal})
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

// use is how often what goes uses a blob, and in which part.
type use struct {
	digest         image.Digest
	kind           string
	layers, config int  // rows of image_layers and images
	document       bool // it is an index or a manifest that goes
}

// uses lists the blobs of what goes, each once, in the order in which a plan has them.
func (p *planner) uses() ([]*use, error) {
	byDigest := map[image.Digest]*use{}
	var all []*use
	of := func(d image.Digest, kind string) *use {
		u := byDigest[d]
		if u == nil {
			u = &use{digest: d, kind: kind}
			byDigest[d] = u
			all = append(all, u)
		}
		return u
	}
	for rest := p.going; len(rest) > 0; {
		some := rest[:min(len(rest), chunkSize)]
		rest = rest[len(some):]
		layers := map[image.Digest][]image.Digest{}
		err := inChunks(digestsOf(some), chunkSize, func(list string) error {
			return eachRow(p.ctx, p.q, func(rows *sql.Rows) (bool, error) {
				var manifest, layer image.Digest
				err := rows.Scan(&manifest, &layer)
				layers[manifest] = append(layers[manifest], layer)
				return false, err
			}, `SELECT manifest_digest, layer_digest FROM json_each(?) j CROSS JOIN image_layers ON manifest_digest = j.value ORDER BY manifest_digest, position`, list)
		})
		if err != nil {
			return nil, err
		}
		for _, i := range some {
			of(i.Manifest, "manifest").document = true
			of(i.ID, "config").config++
			for _, d := range layers[i.Manifest] {
				of(d, "layer").layers++
			}
		}
	}
	for _, d := range p.indexes {
		of(d, "index").document = true
	}
	return all, nil
}

func digestsOf(images []*imagePlan) []image.Digest {
	all := make([]image.Digest, len(images))
	for i, img := range images {
		all[i] = img.Manifest
	}
	return all
}

// usedQuery gives, for a list of blobs, their sizes, how many rows there are that have them as a layer and as a config,
// up to ?2, and whether they are an index or a manifest.
const usedQuery = `SELECT j.key, b.size,
	(SELECT count(*) FROM (SELECT 1 FROM image_layers WHERE layer_digest = j.value LIMIT ?2)),
	(SELECT count(*) FROM (SELECT 1 FROM images WHERE config_digest = j.value LIMIT ?2)),
	EXISTS (SELECT 1 FROM manifests WHERE digest = j.value)
	FROM json_each(?1) j CROSS JOIN blobs b ON b.digest = j.value ORDER BY j.key`

// writeBlobs says which blobs go and which stay. What uses a blob in whatever part keeps it: a hostile image can have
// one blob as layer and as config.
func (p *planner) writeBlobs() error {
	all, err := p.uses()
	if err != nil {
		return err
	}
	type kept struct {
		blob image.PlanBlob
		use  *use
	}
	var stay []kept
	for len(all) > 0 {
		some := all[:min(len(all), chunkSize)]
		all = all[len(some):]
		digests, deepest := make([]image.Digest, len(some)), 0
		for i, u := range some {
			digests[i], deepest = u.digest, max(deepest, u.layers, u.config)
		}
		err := inChunks(digests, len(digests), func(list string) error {
			return eachRow(p.ctx, p.q, func(rows *sql.Rows) (bool, error) {
				var at, layers, configs int
				var size int64
				var document bool
				if err := rows.Scan(&at, &size, &layers, &configs, &document); err != nil {
					return true, err
				}
				u := some[at]
				if u.layers > 0 && layers == u.layers {
					p.layers = append(p.layers, u.digest)
				}
				b := image.PlanBlob{Digest: u.digest, Kind: u.kind, Size: size}
				if layers > u.layers || configs > u.config || document && !u.document {
					p.plan.Totals.Stays++
					p.line("stays %s", b.Digest)
					if len(stay) < image.MaxPlanLines-len(p.plan.Stays) {
						stay = append(stay, kept{b, u})
					}
					return false, nil
				}
				p.writeGone(b)
				return false, nil
			}, usedQuery, list, deepest+1)
		})
		if err != nil {
			return err
		}
	}
	limit := most(len(stay))
	for _, k := range stay {
		users, err := p.users(k.use, limit)
		if err != nil {
			return err
		}
		p.plan.Totals.Stays-- // counted above
		if err := p.addStays(k.blob, users); err != nil {
			return err
		}
	}
	return nil
}

// writeGone says that nothing needs a blob any more. Its file stays while a running pull holds it.
func (p *planner) writeGone(b image.PlanBlob) {
	p.blobs = append(p.blobs, b.Digest)
	if p.held[b.Digest] {
		b.Held = true
		p.plan.Totals.Stays++
		keep(&p.plan.Stays, b)
		p.line("held %s", b.Digest)
		return
	}
	p.plan.Totals.Blobs++
	p.plan.Totals.Freed += b.Size
	if b.Kind == "layer" {
		p.plan.Totals.Layers++
	}
	keep(&p.plan.Blobs, b)
	p.line("gone %s %d", b.Digest, b.Size)
}

const (
	shownUsers   = 3   // references that are named for a blob that stays
	countedUsers = 200 // manifests that are asked for theirs: the base of a whole shelf must not hold up a deletion
)

// most gives how many users of each of n blobs or images are looked at: of few, enough to count them.
func most(n int) int { return max(shownUsers, countedUsers/max(1, n/50)) }

// users gives manifests that stay and have a blob as layer, as config or as themselves, at most limit.
func (p *planner) users(u *use, limit int) ([]image.Digest, error) {
	var users []image.Digest
	for _, query := range []string{
		`SELECT DISTINCT manifest_digest FROM image_layers WHERE layer_digest = ? ORDER BY manifest_digest`,
		`SELECT manifest_digest FROM images WHERE config_digest = ? ORDER BY manifest_digest`,
		`SELECT digest FROM manifests WHERE digest = ?`,
	} {
		if len(users) == limit {
			break
		}
		err := eachRow(p.ctx, p.q, func(rows *sql.Rows) (bool, error) {
			var d image.Digest
			err := rows.Scan(&d)
			if p.stays(d) && !slices.Contains(users, d) {
				users = append(users, d)
			}
			return len(users) == limit, err
		}, query, u.digest)
		if err != nil {
			return nil, err
		}
	}
	return users, nil
}

// stays tells whether an index or a manifest stays.
func (p *planner) stays(d image.Digest) bool {
	n := p.nodes[d]
	switch {
	case n == nil:
		return true
	case n.image != nil:
		return !n.image.going
	}
	return !n.lost()
}

// writeStays notes that a blob stays for the references that reach the manifests that use it.
func (p *planner) writeStays(b image.PlanBlob, users []image.Digest) error {
	p.line("stays %s", b.Digest)
	if len(p.plan.Stays) == image.MaxPlanLines {
		p.plan.Totals.Stays++
		return nil
	}
	return p.addStays(b, users)
}

func (p *planner) addStays(b image.PlanBlob, users []image.Digest) error {
	by, err := p.keepers(users, shownUsers)
	if err != nil {
		return err
	}
	b.UsedBy, b.Users = by.refs, by.count
	p.plan.Totals.Stays++
	keep(&p.plan.Stays, b)
	return nil
}

// keepers gives the references, not going themselves, that reach manifests, each once: the first few, tags before digests,
// and how many there are.
func (p *planner) keepers(manifests []image.Digest, few int) (blockers, error) {
	seen := map[rootKey]bool{}
	var refs []image.Reference
	count := 0
	for _, m := range manifests {
		roots, err := p.keepersOf(m)
		if err != nil {
			return blockers{}, err
		}
		for _, k := range roots {
			if !seen[k.key] {
				seen[k.key] = true
				refs = append(refs, k.refs...)
				count += k.count
			}
		}
	}
	slices.SortFunc(refs, func(x, y image.Reference) int { // tags say more than digests
		return cmp.Or(cmp.Compare(len(x.Digest), len(y.Digest)), strings.Compare(x.String(), y.String()))
	})
	return blockers{refs: refs[:min(len(refs), few)], count: count}, nil
}

// keeperOf is a root that stays and reaches a manifest: its first references, and how many it has.
type keeperOf struct {
	key   rootKey
	refs  []image.Reference
	count int
}

// keepersOf gives roots that stay and reach a manifest. The layers of a plan mostly have the same users, so the answers
// are kept once nothing changes any more.
func (p *planner) keepersOf(manifest image.Digest) ([]keeperOf, error) {
	if known, ok := p.kept[manifest]; ok {
		return known, nil
	}
	roots, err := rootsOf(p.ctx, p.q, manifest, len(p.roots)+countedUsers)
	if err != nil {
		return nil, err
	}
	var all []keeperOf
	for _, rt := range roots {
		k, r := keeperOf{key: rt.key()}, p.byKey[rt.key()]
		switch {
		case r == nil:
			k.refs, k.count, err = p.tagsOf(rt, namedBlockers)
		case r.dropped:
			continue
		default:
			k.refs, k.count, err = p.tagsLeft(r, namedBlockers)
		}
		if err != nil {
			return nil, err
		}
		if k.count == 0 {
			k.refs, k.count = []image.Reference{rt.reference()}, 1
		}
		all = append(all, k)
	}
	if p.kept != nil {
		p.kept[manifest] = all
	}
	return all, nil
}

// tagsOf gives the first tags that point at a root, and how many do.
func (p *planner) tagsOf(rt root, limit int) (refs []image.Reference, count int, err error) {
	err = eachRow(p.ctx, p.q, func(rows *sql.Rows) (bool, error) {
		ref := image.Reference{Repository: rt.name}
		err := rows.Scan(&ref.Tag)
		refs = append(refs, ref)
		return false, err
	}, `SELECT name FROM tags WHERE repository_id = ? AND digest = ? ORDER BY name LIMIT ?`, rt.repo, rt.digest, limit)
	if count = len(refs); err != nil || count < limit {
		return refs, count, err
	}
	err = p.q.QueryRowContext(p.ctx, `SELECT count(*) FROM tags WHERE repository_id = ? AND digest = ?`, rt.repo, rt.digest).Scan(&count)
	return refs, count, err
}
