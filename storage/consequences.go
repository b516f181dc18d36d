package storage

import (
	"cmp"
	"context"
	"database/sql"
	"slices"

	"github.com/stowage/stowage/image"
)

// consequences works out which images, indexes and blobs go with the roots, and what stays for whom.
func (r *removal) consequences() error {
	for _, rt := range r.roots {
		if err := r.rootGoes(rt); err != nil {
			return err
		}
	}
	for _, m := range r.images {
		if err := r.imageGoes(m); err != nil {
			return err
		}
	}
	for _, d := range r.indexes {
		if err := r.blobGoes(d, "index"); err != nil {
			return err
		}
	}
	return nil
}

// rootGoes takes along the images and indexes under a root that no other root reaches. An image that stays
// for another root is noted.
func (r *removal) rootGoes(rt root) error {
	images, err := reachableImages(r.ctx, r.q, rt.digest)
	if err != nil {
		return err
	}
	for _, i := range images {
		goes, err := r.goesUnlessReached(i.Manifest, &r.images)
		if err != nil {
			return err
		}
		if !goes {
			if err := r.stays(image.PlanBlob{Digest: i.Manifest, Kind: "manifest", Size: i.Size}, []image.Digest{i.Manifest}); err != nil {
				return err
			}
		}
	}
	indexes, err := indexesOf(r.ctx, r.q, rt.digest)
	if err != nil {
		return err
	}
	for _, d := range indexes {
		if _, err := r.goesUnlessReached(d, &r.indexes); err != nil {
			return err
		}
	}
	return nil
}

// goesUnlessReached adds d to list unless a root that stays reaches it.
func (r *removal) goesUnlessReached(d image.Digest, list *[]image.Digest) (goes bool, err error) {
	if slices.Contains(*list, d) {
		return true, nil
	}
	roots, err := rootsOf(r.ctx, r.q, d)
	if err != nil || slices.ContainsFunc(roots, r.keeps) {
		return false, err
	}
	*list = append(*list, d)
	return true, nil
}

// keeps tells whether a root is not among those that go.
func (r *removal) keeps(rt root) bool {
	return !slices.ContainsFunc(r.roots, func(o root) bool { return o.repo == rt.repo && o.digest == rt.digest })
}

// indexesOf gives a digest's index and the indexes that it lists; nothing for a manifest.
func indexesOf(ctx context.Context, q querier, d image.Digest) ([]image.Digest, error) {
	return rowsOf(ctx, q, func(rows *sql.Rows) (d image.Digest, err error) { return d, rows.Scan(&d) },
		`WITH RECURSIVE down (digest) AS (VALUES (?1) UNION SELECT e.digest FROM index_entries e JOIN down ON e.index_digest = down.digest AND e.kind = 'index')
		SELECT m.digest FROM down JOIN manifests m ON m.digest = down.digest AND m.kind = 'index'`, d)
}

func (r *removal) imageGoes(m image.Digest) error {
	images, err := rowsOf(r.ctx, r.q, scanImage, `SELECT `+imageColumns+` FROM images i WHERE i.manifest_digest = ?`, m)
	if err != nil || len(images) == 0 {
		return err
	}
	i := images[0]
	r.plan.Deleted = append(r.plan.Deleted, image.PlanImage{Manifest: m, ID: i.ID, Platform: i.Platform, Size: i.Size})
	if err := r.blobGoes(m, "manifest"); err != nil {
		return err
	}
	if err := r.blobGoes(i.ID, "config"); err != nil {
		return err
	}
	layers, err := rowsOf(r.ctx, r.q, func(rows *sql.Rows) (d image.Digest, err error) { return d, rows.Scan(&d) },
		`SELECT layer_digest FROM image_layers WHERE manifest_digest = ? ORDER BY position`, m)
	if err != nil {
		return err
	}
	for _, d := range layers {
		if err := r.layerGoes(d); err != nil {
			return err
		}
	}
	return nil
}

// layerGoes plans the end of a layer that no other image has among its layers, and of its blob: two
// questions, since a hostile image can use one blob as layer and as config.
func (r *removal) layerGoes(d image.Digest) error {
	users, err := r.staying(`SELECT DISTINCT manifest_digest FROM image_layers WHERE layer_digest = ?1 ORDER BY 1 LIMIT ?2`, d)
	if err != nil {
		return err
	}
	if len(users) == 0 && !slices.Contains(r.layers, d) {
		r.layers = append(r.layers, d)
	}
	return r.blobGoes(d, "layer")
}

// blobGoes plans a blob's removal, or notes for whom it stays: a manifest that does not go and needs it in
// whatever part.
func (r *removal) blobGoes(d image.Digest, kind string) error {
	if r.planned(d) {
		return nil
	}
	b := image.PlanBlob{Digest: d, Kind: kind}
	if err := r.q.QueryRowContext(r.ctx, `SELECT size FROM blobs WHERE digest = ?`, d).Scan(&b.Size); err != nil {
		return err
	}
	users, err := r.staying(`SELECT manifest_digest AS digest FROM image_layers WHERE layer_digest = ?1 UNION SELECT manifest_digest FROM images WHERE config_digest = ?1
		UNION SELECT digest FROM manifests WHERE digest = ?1 ORDER BY 1 LIMIT ?2`, d)
	if err != nil {
		return err
	}
	if len(users) > 0 {
		return r.stays(b, users)
	}
	r.plan.Blobs = append(r.plan.Blobs, b)
	return nil
}

// planned tells whether the plan has said already what becomes of a blob.
func (r *removal) planned(d image.Digest) bool {
	same := func(b image.PlanBlob) bool { return b.Digest == d }
	return slices.ContainsFunc(r.plan.Blobs, same) || slices.ContainsFunc(r.plan.Stays, same)
}

const (
	shownUsers   = 3   // references that are named for a blob that stays
	countedUsers = 200 // manifests that are asked for theirs: the base of a whole shelf must not hold up a deletion
)

// staying gives the manifests that a query finds for a digest, ?1, and that do not go; at most countedUsers.
func (r *removal) staying(query string, d image.Digest) ([]image.Digest, error) {
	found, err := rowsOf(r.ctx, r.q, func(rows *sql.Rows) (d image.Digest, err error) { return d, rows.Scan(&d) },
		query, d, countedUsers+len(r.images)+len(r.indexes))
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(m image.Digest) bool { return slices.Contains(r.images, m) || slices.Contains(r.indexes, m) })
	return found[:min(len(found), countedUsers)], nil
}

// stays notes that a blob stays for the references that reach the manifests that use it, each named once.
func (r *removal) stays(b image.PlanBlob, users []image.Digest) error {
	if r.planned(b.Digest) {
		return nil
	}
	seen := map[image.Reference]bool{}
	for _, m := range users {
		refs, err := r.keepersOf(m)
		if err != nil {
			return err
		}
		for _, ref := range refs {
			if !seen[ref] {
				seen[ref] = true
				b.UsedBy = append(b.UsedBy, ref)
			}
		}
	}
	slices.SortFunc(b.UsedBy, func(x, y image.Reference) int { // tags say more than digests
		return cmp.Or(cmp.Compare(len(x.Digest), len(y.Digest)), cmp.Compare(x.String(), y.String()))
	})
	b.Users = len(b.UsedBy)
	b.UsedBy = b.UsedBy[:min(len(b.UsedBy), shownUsers)]
	r.plan.Stays = append(r.plan.Stays, b)
	return nil
}

// keepersOf gives the references, not going themselves, that reach a manifest. The layers of a plan mostly
// have the same users, so the answers are kept.
func (r *removal) keepersOf(manifest image.Digest) ([]image.Reference, error) {
	if refs, ok := r.keepers[manifest]; ok {
		return refs, nil
	}
	roots, err := rootsOf(r.ctx, r.q, manifest)
	if err != nil {
		return nil, err
	}
	var refs []image.Reference
	for _, rt := range roots {
		if !r.keeps(rt) {
			continue
		}
		tags, err := tagsOf(r.ctx, r.q, rt)
		if err != nil {
			return nil, err
		}
		if len(tags) == 0 {
			tags = []image.Reference{rt.reference()}
		}
		refs = append(refs, tags...)
	}
	r.keepers[manifest] = refs
	return refs, nil
}
