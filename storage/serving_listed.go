package storage

import (
	"context"
	"database/sql"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

// listedIn returns the digest of a repository, of several the one that was pulled last, whose index lists a digest.
const listedIn = `WITH RECURSIVE up (digest) AS (SELECT index_digest FROM index_entries WHERE digest = ?1` + upRest + `
	SELECT d.digest FROM repositories r CROSS JOIN up CROSS JOIN repository_digests d ON d.repository_id = r.id
	AND d.digest = up.digest
	WHERE r.name = ?2 ORDER BY d.pulled_at DESC LIMIT 1`

// Unserved returns, of a digest that is not stored, how an index of the repository lists it: NotFound where none does.
// Of several indexes the one that was pulled last counts.
func (s *Serving) Unserved(ctx context.Context, ref image.Reference) (u shelf.Unserved, err error) {
	err = s.db.View(ctx, func(tx *sql.Tx) error {
		var root image.Digest
		err := tx.QueryRowContext(ctx, listedIn, ref.Digest, ref.Repository).Scan(&root)
		if err != nil {
			return err
		}
		entries, err := entriesOf(ctx, tx, root, 0)
		if err != nil {
			return err
		}
		e := entryOf(entries, ref.Digest)
		u.Kind, u.Platform = e.Kind, e.Platform
		images, err := reachableImages(ctx, tx, root)
		for _, i := range images {
			if i.Broken.Empty() {
				u.Stored = append(u.Stored, i.Platform)
			}
		}
		return err
	})
	return u, database.NotFound(err, "%s is not stored", ref.Familiar())
}

// Listed returns which index of a repository lists a digest, of several the one that was pulled last, and how; the tag
// where one points to that index. NotFound where none does.
func (s *Images) Listed(ctx context.Context, ref image.Reference) (l shelf.Indexed, err error) {
	err = s.db.View(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, listedIn, ref.Digest, ref.Repository).Scan(&l.Index); err != nil {
			return err
		}
		entries, err := entriesOf(ctx, tx, l.Index, 0)
		if err != nil {
			return err
		}
		e := entryOf(entries, ref.Digest)
		if e.Kind == image.EntryImage && e.Digest != firstFor(entries, e.Platform) {
			e.Platform = image.Platform{}
		}
		l.Descriptor = image.Descriptor{MediaType: e.MediaType, Digest: e.Digest, Size: e.Bytes}
		l.Kind, l.Platform, l.Describes, l.Reference = e.Kind, e.Platform, e.Describes, ref.Repository.At(l.Index)
		tags, err := database.RowsOf(ctx, tx, database.ScanString, `SELECT t.name FROM tags t
			JOIN repositories r ON r.id = t.repository_id
			WHERE r.name = ? AND t.digest = ? AND t.uploaded = 0 ORDER BY t.name LIMIT 1`, ref.Repository, l.Index)
		if len(tags) > 0 {
			l.Reference = ref.WithTag(tags[0])
		}
		return err
	})
	return l, database.NotFound(err, "%s is not stored", ref.Familiar())
}

// entryOf returns how entries list a digest. An attestation has the platform of the image that it describes.
func entryOf(entries []shelf.IndexEntry, d image.Digest) shelf.IndexEntry {
	for _, e := range entries {
		if e.Digest != d {
			continue
		}
		for _, of := range entries {
			if e.Kind == image.EntryAttestation && of.Kind == image.EntryImage && of.Digest == e.Describes {
				e.Platform = of.Platform
			}
		}
		return e
	}
	return shelf.IndexEntry{} // deeper than indexes are followed
}

// firstFor returns the image that entries list first for a platform: what a pull of that platform brings.
func firstFor(entries []shelf.IndexEntry, p image.Platform) image.Digest {
	for _, e := range entries {
		if e.Kind == image.EntryImage && e.Platform == p {
			return e.Digest
		}
	}
	return ""
}
