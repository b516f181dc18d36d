package storage

import (
	"context"
	"database/sql"

	"github.com/stowage/stowage/image"
)

// carryOut deletes a plan's rows: what refers first, what is referred to after it.
func (s *Store) carryOut(ctx context.Context, tx *sql.Tx, r *removal, by string) error {
	now := s.now()
	for _, t := range r.tags {
		if _, err := tx.ExecContext(ctx, `DELETE FROM tags WHERE repository_id = ? AND name = ?`, t.root.repo, t.ref.Tag); err != nil {
			return err
		}
		err := s.writeHistory(ctx, tx, TagEvent{Repository: t.root.name, Tag: t.ref.Tag, Event: TagDeleted, Old: t.root.digest, At: now, By: by})
		if err != nil {
			return err
		}
	}
	for _, rt := range r.forgotten {
		if _, err := tx.ExecContext(ctx, `UPDATE repository_digests SET by_digest = 0 WHERE repository_id = ? AND digest = ?`, rt.repo, rt.digest); err != nil {
			return err
		}
	}
	for _, rt := range r.roots {
		if _, err := tx.ExecContext(ctx, `DELETE FROM repository_digests WHERE repository_id = ? AND digest = ?`, rt.repo, rt.digest); err != nil {
			return err
		}
	}
	for _, step := range []struct {
		query   string
		digests []image.Digest
	}{
		{`DELETE FROM images WHERE manifest_digest = ?`, r.images},
		{`DELETE FROM layers WHERE digest = ?`, r.layers},
		{`DELETE FROM manifests WHERE digest = ?`, r.images},
		{`DELETE FROM manifests WHERE digest = ?`, r.indexes},
		{`DELETE FROM blobs WHERE digest = ?`, blobDigests(r.plan.Blobs)},
	} {
		if err := execEach(ctx, tx, step.query, step.digests); err != nil {
			return err
		}
	}
	return s.relist(ctx, tx, r)
}

func blobDigests(blobs []image.PlanBlob) []image.Digest {
	digests := make([]image.Digest, len(blobs))
	for i, b := range blobs {
		digests[i] = b.Digest
	}
	return digests
}

func execEach(ctx context.Context, tx *sql.Tx, query string, digests []image.Digest) error {
	if len(digests) == 0 {
		return nil
	}
	stmt, err := tx.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for _, d := range digests {
		if _, err := stmt.ExecContext(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// relist brings the list up to date after a removal and drops repositories that know nothing any more.
func (s *Store) relist(ctx context.Context, tx *sql.Tx, r *removal) error {
	changed := append(append(append([]root{}, r.roots...), r.forgotten...), r.touched...)
	for _, t := range r.tags {
		changed = append(changed, t.root)
	}
	for _, rt := range changed {
		if err := s.refreshListing(ctx, tx, rt.repo, rt.digest); err != nil {
			return err
		}
	}
	for _, rt := range r.roots {
		_, err := tx.ExecContext(ctx, `DELETE FROM repositories WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM repository_digests WHERE repository_id = ?1)`, rt.repo)
		if err != nil {
			return err
		}
	}
	return nil
}
