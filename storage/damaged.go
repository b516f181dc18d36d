package storage

import (
	"context"
	"database/sql"
	"errors"
	"io"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

// Damaged lists the blobs that were found damaged and are not mended, by digest: at most limit, each with at most uses
// references, and how many there are.
func (s *Blobs) Damaged(ctx context.Context, limit, uses int) (all []shelf.DamagedBlob, total int, err error) {
	marked := s.files.Marks.All()
	if len(marked) == 0 {
		return nil, 0, nil
	}
	err = s.db.View(ctx, func(tx *sql.Tx) error {
		for _, d := range marked {
			b := shelf.DamagedBlob{Digest: d}
			err := tx.QueryRowContext(ctx, `SELECT size, EXISTS (SELECT 1 FROM layers WHERE digest = ?1) FROM blobs
				WHERE digest = ?1`, d).Scan(&b.Size, &b.Layer)
			if errors.Is(err, sql.ErrNoRows) { // nothing needs it any more
				continue
			}
			if err != nil {
				return err
			}
			if total++; total > limit {
				continue
			}
			if err := findNeeds(ctx, tx, &b, uses); err != nil {
				return err
			}
			all = append(all, b)
		}
		return nil
	})
	return all, total, err
}

// CountDamaged counts the blobs that were found damaged and are not mended.
func (s *Blobs) CountDamaged() int { return len(s.files.Marks.All()) }

// IsDamaged reports whether a blob was found damaged and is not mended.
func (s *Blobs) IsDamaged(d image.Digest) bool { return s.files.Marks.Has(d) }

// damagedNeeds returns the references that lead to a blob: as a layer, a config, a manifest, an index, or a part of
// what describes an image; with the platform of the image on the way, empty where the blob is an index.
const damagedNeeds = `WITH RECURSIVE up (digest, platform, leaf) AS (
		SELECT i.manifest_digest, i.platform, 1 FROM image_layers l
		CROSS JOIN images i ON i.manifest_digest = l.manifest_digest WHERE l.layer_digest = ?1
		UNION SELECT manifest_digest, platform, 1 FROM images WHERE config_digest = ?1 OR manifest_digest = ?1
		UNION SELECT i.manifest_digest, i.platform, 1 FROM attestation_blobs ab
		CROSS JOIN image_attestations ia ON ia.attestation_digest = ab.attestation_digest
			CROSS JOIN images i ON i.manifest_digest = ia.manifest_digest WHERE ab.blob_digest = ?1
		UNION SELECT digest, '', 0 FROM manifests WHERE digest = ?1 AND kind = 'index'` + calledRest + `
	SELECT r.name, coalesce(t.name, ''), d.digest, up.platform FROM up JOIN repository_digests d ON d.digest = up.digest
		JOIN repositories r ON r.id = d.repository_id LEFT JOIN tags t ON t.repository_id = d.repository_id
		AND t.digest = d.digest
		ORDER BY r.name, t.name, d.digest, up.platform`

// findNeeds looks up what needs a blob. Of an index it is all of its stored platforms.
func findNeeds(ctx context.Context, tx *sql.Tx, b *shelf.DamagedBlob, most int) error {
	err := database.EachRow(ctx, tx, func(rows *sql.Rows) (enough bool, err error) {
		var ref image.Reference
		var digest image.Digest
		var platform string
		if err := rows.Scan(&ref.Repository, &ref.Tag, &digest, &platform); err != nil {
			return false, err
		}
		if ref.Tag == "" {
			ref.Digest = digest
		}
		if n := len(b.Needs); n == 0 || b.Needs[n-1].Reference != ref {
			if b.More = n >= most; b.More {
				return true, nil
			}
			b.Needs = append(b.Needs, shelf.DamagedUse{Reference: ref})
		}
		last := &b.Needs[len(b.Needs)-1]
		if p, err := image.ParsePlatform(platform); err == nil {
			last.Platforms = append(last.Platforms, p)
		}
		return false, nil
	}, damagedNeeds, b.Digest)
	if err != nil {
		return err
	}
	for i, u := range b.Needs {
		if len(u.Platforms) > 0 {
			continue
		}
		target, err := targetDigest(ctx, tx, u.Reference)
		if err != nil {
			return err
		}
		images, err := reachableImages(ctx, tx, target)
		if err != nil {
			return err
		}
		for _, img := range images {
			if img.Platform.Known() {
				b.Needs[i].Platforms = append(b.Needs[i].Platforms, img.Platform)
			}
		}
	}
	return nil
}

// OpenBlob opens a stored blob to be handed out, and gives its size: see blob.Store.OpenProved.
func (s *Blobs) OpenBlob(ctx context.Context, d image.Digest) (io.ReadSeekCloser, int64, error) {
	return s.files.OpenProved(ctx, d)
}

// ProveBlob reports whether a blob's whole file is on disk and is what it should be. It is read for that unless it was
// proved since the start; read is told of the bytes as they are read. A blob that turns out damaged is remembered as
// such.
func (s *Blobs) ProveBlob(ctx context.Context, d image.Descriptor, read func(n int)) (whole bool, err error) {
	if !s.HasBlob(d) {
		return false, nil
	}
	err = s.files.Prove(ctx, d.Digest, read)
	if kind := image.KindOf(err); kind == image.Damaged || kind == image.NotFound {
		return false, nil
	}
	return err == nil, err
}

// LostBlob notes that the file of a blob which rows need is missing, or has another size.
func (s *Blobs) LostBlob(d image.Digest) { _ = s.files.Damage(d) }

// tellDamage says in the log that a blob is damaged.
func (s *Blobs) tellDamage(d image.Digest, mark error) {
	s.log.Error("a stored blob is damaged: it is not served any more, and pulling its image again mends it", "digest", d)
	if mark != nil {
		s.log.Error("that a blob is damaged is not kept for the next start", "digest", d, "error", mark)
	}
}
