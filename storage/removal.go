package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"

	"github.com/stowage/stowage/image"
)

// PlanRemoval works out what deleting would do, without doing it. A removal that the rules refuse comes
// back as a plan with a Refusal; an error means that nothing of the kind is stored.
func (s *Store) PlanRemoval(ctx context.Context, asked image.Removal) (plan image.RemovalPlan, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		p, err := planRemoval(ctx, tx, asked)
		plan = p.plan
		return err
	})
	return plan, err
}

// Remove carries out the plan with the given fingerprint. When the shelf has changed so that the plan is
// another now, nothing is done and the error is of kind Conflict; so it is when the rules refuse. The plan
// that holds now is returned in each case. Files go in the background, after the rows.
func (s *Store) Remove(ctx context.Context, asked image.Removal, fingerprint image.Digest, by string) (Removed, error) {
	var plan image.RemovalPlan
	err := s.update(ctx, func(tx *sql.Tx) error {
		p, err := planRemoval(ctx, tx, asked)
		if err != nil {
			return err
		}
		plan = p.plan
		if p.refused != nil {
			return p.refused
		}
		if plan.Fingerprint != fingerprint {
			return image.Errorf(image.Conflict, "the shelf has changed since this plan was made").
				Suggest("Look at the plan as it is now and confirm it again.")
		}
		return s.carryOut(ctx, tx, p, by)
	})
	if err != nil {
		return Removed{Plan: plan}, err
	}
	files := make([]image.Digest, len(plan.Blobs))
	for i, b := range plan.Blobs {
		files[i] = b.Digest
	}
	s.keeper.removed(files)
	return Removed{Plan: plan}, nil
}

// removal is a plan in the making: the plan that is shown and the rows behind it.
type removal struct {
	ctx  context.Context
	q    querier
	plan image.RemovalPlan

	item      image.RemovalItem
	refused   *image.Error // what the refusal says
	tags      []tagRow
	forgotten []root // digests that nobody asks for any more but that tags still hold
	roots     []root // roots that go
	images    []image.Digest
	indexes   []image.Digest
	layers    []image.Digest
	touched   []root // roots that stay and lose a platform

	keepers map[image.Digest][]image.Reference // what reaches a manifest that stays; see keepersOf
}

type tagRow struct {
	root root
	ref  image.Reference
}

func planRemoval(ctx context.Context, q querier, asked image.Removal) (*removal, error) {
	r := &removal{ctx: ctx, q: q, item: asked.Items[0], plan: image.RemovalPlan{Asked: asked}, keepers: map[image.Digest][]image.Reference{}}
	r.plan.Items = []image.PlanItem{{Item: r.item}}
	var err error
	switch item := r.item; {
	case item.ID != "":
		err = r.byID(item.ID)
	case item.Platform != image.Platform{}:
		err = r.byPlatform(item.Reference, item.Platform)
	case item.Reference.Tag != "":
		err = r.byTag(item.Reference)
	default:
		err = r.byDigest(item.Reference)
	}
	if err == nil && r.refused == nil {
		err = r.consequences()
	}
	if err != nil {
		return r, err
	}
	return r, r.finish()
}

func (r *removal) root(ref image.Reference) (root, error) { return findRoot(r.ctx, r.q, ref) }

// findRoot finds the root that a reference names.
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

func (r *removal) untag(rt root, refs ...image.Reference) {
	for _, ref := range refs {
		r.tags = append(r.tags, tagRow{rt, ref})
		r.plan.Untagged = append(r.plan.Untagged, ref)
	}
}

// drop takes a root away with its remaining tags. As in docker, the digest reference goes with the last tag.
func (r *removal) drop(rt root, tags []image.Reference) {
	r.untag(rt, tags...)
	r.roots = append(r.roots, rt)
	if rt.byDigest || len(tags) == 0 {
		r.plan.Untagged = append(r.plan.Untagged, rt.reference())
	}
}

func (r *removal) refuse(by []image.Reference, format string, args ...any) {
	r.refused = image.Errorf(image.Conflict, format, args...)
	r.plan.Items[0].Refusal = &image.Refusal{Reason: image.RefusedReferenced, Text: r.refused.Text(), By: by, Count: len(by)}
	r.plan.Totals.Refused++
}

// finish counts what the plan does and gives it its fingerprint.
func (r *removal) finish() error {
	t := &r.plan.Totals
	t.Items, t.Untagged, t.Images = len(r.plan.Items), len(r.plan.Untagged), len(r.plan.Deleted)
	t.Blobs, t.Stays, t.Remains = len(r.plan.Blobs), len(r.plan.Stays), len(r.plan.Remains)
	for _, b := range r.plan.Blobs {
		t.Freed += b.Size
		if b.Kind == "layer" {
			t.Layers++
		}
	}
	b, err := json.Marshal(r.plan)
	r.plan.Fingerprint = image.DigestOf(b)
	return err
}

func (r *removal) byTag(ref image.Reference) error {
	rt, err := r.root(ref)
	if err != nil {
		return err
	}
	tags, err := tagsOf(r.ctx, r.q, rt)
	if err != nil {
		return err
	}
	if len(tags) > 1 {
		r.untag(rt, ref)
		others := slices.DeleteFunc(tags, func(t image.Reference) bool { return t == ref })
		return r.remains(rt, others, nil)
	}
	r.drop(rt, tags)
	return nil
}

// byDigest follows docker: while a tag holds the digest, only the wish for exactly this digest is
// forgotten; without such a wish the tags stand in the way.
func (r *removal) byDigest(ref image.Reference) error {
	rt, err := r.root(ref)
	if err != nil {
		return err
	}
	tags, err := tagsOf(r.ctx, r.q, rt)
	if err != nil {
		return err
	}
	switch {
	case len(tags) == 0 || r.plan.Asked.Force:
		r.drop(rt, tags)
	case rt.byDigest:
		r.forgotten = append(r.forgotten, rt)
		r.plan.Untagged = append(r.plan.Untagged, rt.reference())
		return r.remains(rt, tags, nil)
	default:
		r.refuse(tags, "%s is tagged %s", image.ShortDigest(rt.digest), familiarList(tags))
	}
	return nil
}

func (r *removal) byPlatform(ref image.Reference, p image.Platform) error {
	rt, err := r.root(ref)
	if err != nil {
		return err
	}
	images, err := reachableImages(r.ctx, r.q, rt.digest)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(images, func(i Image) bool { return i.Platform == p })
	if i < 0 {
		return image.Errorf(image.NotFound, "%s of %s is not stored", p, ref.Familiar())
	}
	m := images[i].Manifest
	roots, err := rootsOf(r.ctx, r.q, m)
	if err != nil {
		return err
	}
	var elsewhere []image.Reference
	for _, other := range roots {
		if other.repo == rt.repo && other.digest == rt.digest {
			if len(images) > 1 {
				continue
			}
		}
		tags, err := tagsOf(r.ctx, r.q, other)
		if err != nil {
			return err
		}
		if other.repo == rt.repo && other.digest == rt.digest { // the last platform: as deleting the tag, so each other tag counts
			tags = slices.DeleteFunc(tags, func(t image.Reference) bool { return t == ref })
			elsewhere = append(elsewhere, tags...)
			continue
		}
		if len(tags) == 0 {
			tags = []image.Reference{other.reference()}
		}
		elsewhere = append(elsewhere, tags...)
	}
	if len(elsewhere) > 0 && !r.plan.Asked.Force {
		r.refuse(elsewhere, "%s of %s is also used by %s", p, ref.Familiar(), familiarList(elsewhere))
		return nil
	}
	return r.deleteImages([]image.Digest{m}, roots)
}

func (r *removal) byID(id image.Digest) error {
	manifests, err := rowsOf(r.ctx, r.q, func(rows *sql.Rows) (d image.Digest, err error) { return d, rows.Scan(&d) },
		`SELECT manifest_digest FROM images WHERE config_digest = ? ORDER BY manifest_digest`, id)
	if err != nil {
		return err
	}
	if len(manifests) == 0 {
		return image.Errorf(image.NotFound, "no image %s is stored", image.ShortDigest(id))
	}
	var roots []root
	var refs []image.Reference
	for _, m := range manifests {
		more, err := rootsOf(r.ctx, r.q, m)
		if err != nil {
			return err
		}
		for _, rt := range more {
			if slices.ContainsFunc(roots, func(o root) bool { return o.repo == rt.repo && o.digest == rt.digest }) {
				continue
			}
			roots = append(roots, rt)
			tags, err := tagsOf(r.ctx, r.q, rt)
			if err != nil {
				return err
			}
			refs = append(refs, tags...)
		}
	}
	several := len(refs) > 1 || slices.ContainsFunc(roots, func(o root) bool { return o.name != roots[0].name })
	if several && !r.plan.Asked.Force {
		for _, rt := range roots {
			if !slices.ContainsFunc(refs, func(ref image.Reference) bool { return ref.Repository == rt.name }) {
				refs = append(refs, rt.reference())
			}
		}
		r.refuse(refs, "image %s is referenced by %s", image.ShortDigest(id), familiarList(refs))
		return nil
	}
	return r.deleteImages(manifests, roots)
}

// deleteImages takes manifests out of every root that reaches them. A root that keeps another platform
// stays; one that keeps none goes with its tags.
func (r *removal) deleteImages(manifests []image.Digest, roots []root) error {
	r.images = append(r.images, manifests...)
	for _, rt := range roots {
		tags, err := tagsOf(r.ctx, r.q, rt)
		if err != nil {
			return err
		}
		images, err := reachableImages(r.ctx, r.q, rt.digest)
		if err != nil {
			return err
		}
		images = slices.DeleteFunc(images, func(i Image) bool { return slices.Contains(manifests, i.Manifest) })
		if len(images) == 0 {
			r.drop(rt, tags)
			continue
		}
		r.touched = append(r.touched, rt)
		if err := r.remains(rt, tags, images); err != nil {
			return err
		}
	}
	return nil
}

// remains notes the references of a root that stay, and the platforms that stay stored under it.
func (r *removal) remains(rt root, refs []image.Reference, images []Image) error {
	if images == nil {
		var err error
		if images, err = reachableImages(r.ctx, r.q, rt.digest); err != nil {
			return err
		}
	}
	if len(refs) == 0 {
		refs = []image.Reference{rt.reference()}
	}
	for _, ref := range refs {
		left := image.PlanRemains{Reference: ref}
		for _, i := range images {
			left.Platforms = append(left.Platforms, i.Platform)
		}
		r.plan.Remains = append(r.plan.Remains, left)
	}
	return nil
}

// familiarList names references for a sentence, the first few of many.
func familiarList(refs []image.Reference) image.Text {
	const most = 5
	names := make([]string, min(len(refs), most))
	for i := range names {
		names[i] = refs[i].Familiar()
	}
	list := strings.Join(names, ", ")
	if more := len(refs) - most; more > 0 {
		return image.Textf("%s and %d more", list, more)
	}
	return image.Plain(list)
}
