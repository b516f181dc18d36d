package storage

import (
	"context"
	"database/sql"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

// Archived returns what belongs into an archive of a tag or a digest of a repository, also of a digest that only an
// index of the repository lists. NotFound where it is not stored.
func (s *Images) Archived(ctx context.Context, ref image.Reference) (a shelf.Archived, err error) {
	query, what := servedByTag, ref.Tag
	if ref.Digest != "" {
		query, what = servedByDigest, string(ref.Digest)
	}
	err = s.db.View(ctx, func(tx *sql.Tx) error {
		var broken string
		err := tx.QueryRowContext(ctx, query, ref.Repository, what).
			Scan(&a.Target.Digest, &a.Target.MediaType, &a.Target.Size, &broken)
		if err != nil {
			return database.NotFound(err, "%s is not stored", ref.Familiar())
		}
		return fillArchived(ctx, tx, &a)
	})
	return a, err
}

// ArchivedID is Archived for an image ID or the beginning of one, given as hex digits: errors as ImageByID has them.
func (s *Images) ArchivedID(ctx context.Context, prefix string) (a shelf.Archived, err error) {
	img, err := s.ImageByID(ctx, prefix)
	if err != nil {
		return shelf.Archived{}, err
	}
	err = s.db.View(ctx, func(tx *sql.Tx) error {
		if a.Target, err = documentOf(ctx, tx, img.Manifest); err != nil {
			return database.NotFound(err, "image %s was just deleted", prefix)
		}
		return fillArchived(ctx, tx, &a)
	})
	return a, err
}

// fillArchived looks up what is under the target.
func fillArchived(ctx context.Context, q database.Querier, a *shelf.Archived) error {
	images, err := reachableImages(ctx, q, a.Target.Digest)
	if err != nil {
		return err
	}
	for _, i := range images {
		b := shelf.ArchivedImage{Image: i}
		if b.ManifestBlob, err = documentOf(ctx, q, i.Manifest); err != nil {
			return err
		}
		b.Config.Digest = i.ID
		if err := q.QueryRowContext(ctx, `SELECT size FROM blobs WHERE digest = ?`, i.ID).Scan(&b.Config.Size); err != nil {
			return err
		}
		b.Layers, err = database.RowsOf(ctx, q, scanDescriptor,
			`SELECT layer_digest, media_type, size FROM image_layers WHERE manifest_digest = ? ORDER BY position`, i.Manifest)
		if err != nil {
			return err
		}
		if b.About, err = database.RowsOf(ctx, q, scanDescriptor, archivedAbout, i.Manifest); err != nil {
			return err
		}
		a.Images = append(a.Images, b)
	}
	if len(images) == 1 && images[0].Manifest == a.Target.Digest {
		return nil
	}
	a.Indexes = []image.Descriptor{a.Target}
	entries, err := entriesOf(ctx, q, a.Target.Digest, 0)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Kind != image.EntryIndex {
			continue
		}
		nested, err := database.RowsOf(ctx, q, scanDescriptor, storedDocument, e.Digest)
		if err != nil {
			return err
		}
		a.Indexes = append(a.Indexes, nested...)
	}
	return nil
}

// archivedAbout returns what describes an image, by its manifest.
const archivedAbout = `SELECT b.digest, iif(ab.position = 0, a.media_type, ''), b.size FROM image_attestations ia
	CROSS JOIN attestations a ON a.digest = ia.attestation_digest
	CROSS JOIN attestation_blobs ab ON ab.attestation_digest = a.digest CROSS JOIN blobs b ON b.digest = ab.blob_digest
	WHERE ia.manifest_digest = ? ORDER BY a.digest, ab.position`

// storedDocument returns the descriptor of a stored index or manifest.
const storedDocument = `SELECT m.digest, m.media_type, b.size FROM manifests m JOIN blobs b ON b.digest = m.digest
	WHERE m.digest = ?`

func documentOf(ctx context.Context, q database.Querier, digest image.Digest) (d image.Descriptor, err error) {
	return d, q.QueryRowContext(ctx, storedDocument, digest).Scan(&d.Digest, &d.MediaType, &d.Size)
}

func scanDescriptor(rows *sql.Rows) (d image.Descriptor, err error) {
	return d, rows.Scan(&d.Digest, &d.MediaType, &d.Size)
}

// TagsOf returns the tags of a repository in the order of their bytes, at most limit of them; none where nothing of it
// is stored.
func (s *Images) TagsOf(ctx context.Context, repo image.Repository, limit int) ([]string, error) {
	return database.RowsOf(ctx, s.db, database.ScanString, `SELECT t.name FROM tags t
		JOIN repositories r ON r.id = t.repository_id WHERE r.name = ? ORDER BY t.name LIMIT ?`, repo, limit)
}
