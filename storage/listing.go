package storage

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/shelf/removal"
	"github.com/stowage/stowage/storage/database"
	"github.com/stowage/stowage/storage/listing"
)

func scanRow(rows *sql.Rows) (r shelf.Row, id int64, err error) {
	var platform, platforms string
	var created, pulled int64
	err = rows.Scan(&id, &r.Reference.Repository, &r.Reference.Tag, &r.Digest, &r.Reason, &r.ImageID, &platform,
		&platforms, &created, &pulled,
		&r.Size, &r.Unpacked, &r.TotalSize, database.TextColumn{Text: &r.Broken}, &r.Pinned, &r.Update, &r.Downloads.Count,
		(*handedTime)(&r.Downloads.Last))
	if err != nil {
		return shelf.Row{}, 0, err
	}
	if r.Reference.Tag == "" {
		r.Reference.Digest = r.Digest
	}
	r.Created, r.Pulled = database.FromMillis(created), database.FromMillis(pulled)
	r.Platform = image.StoredPlatform(platform)
	for _, p := range strings.Fields(platforms) {
		r.Platforms = append(r.Platforms, image.StoredPlatform(p))
	}
	return r, id, nil
}

// Lists is the list of images and of repositories: the table, which is rewritten with every change, and the index in
// memory that follows it.
type Lists struct {
	db       *database.DB
	images   *Images
	index    *listing.Index
	log      *slog.Logger
	platform image.Platform // shown first where an index has several
}

// Totals returns the sums over the whole shelf.
func (s *Lists) Totals(ctx context.Context) (t shelf.Totals, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT rows_listed, repositories, blob_count, blob_bytes, waiting_count,
		waiting_bytes FROM totals`).
		Scan(&t.Images, &t.Repositories, &t.Blobs, &t.Bytes, &t.Waiting, &t.WaitingBytes)
	return t, err
}

// refreshListing writes the list's rows of one digest of a repository anew: one for each tag that points at it,
// or else one without a tag.
func (s *Lists) refreshListing(ctx context.Context, tx *sql.Tx, repo int64, d image.Digest) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM listing WHERE repository_id = ? AND digest = ?`, repo, d); err != nil {
		return err
	}
	return s.writeListing(ctx, tx, repo, d, `SELECT name, pulled_at FROM tags WHERE repository_id = ?1 AND digest = ?2`)
}

// refreshTagListing does what refreshListing does where nothing has changed but that one tag came to point at
// the digest, or away from it: thousands of tags can be on one digest, and their rows stay as they are. tag is
// empty for what was asked for by digest.
func (s *Lists) refreshTagListing(ctx context.Context, tx *sql.Tx, repo int64, d image.Digest, tag string) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM listing WHERE repository_id = ? AND digest = ?
		AND tag IN ('', ?)`, repo, d, tag)
	if err != nil {
		return err
	}
	var others bool
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM tags WHERE repository_id = ? AND digest = ?
		AND name <> ?)`, repo, d, tag).Scan(&others)
	if err != nil {
		return err
	}
	var points bool
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM tags WHERE repository_id = ? AND digest = ?
		AND name = ?)`, repo, d, tag).Scan(&points)
	if err != nil || others && !points {
		return err
	}
	return s.writeListing(ctx, tx, repo, d, `SELECT name, pulled_at FROM tags WHERE repository_id = ?1 AND digest = ?2
		AND name = ?3`, tag)
}

// updateState words what a check c found of a tag that points at ?2.
const updateState = `CASE WHEN c.answer <> 'digest' THEN c.answer WHEN c.upstream_digest = ?2 THEN 'current' ELSE 'available' END`

// writeListing adds the rows of one digest of a repository: for the tags that a query chooses, or else one
// without a tag. The query gets the repository, the digest and args.
func (s *Lists) writeListing(ctx context.Context, tx *sql.Tx, repo int64, d image.Digest, tags string,
	args ...any) error {
	var familiar string
	var byDigest bool
	var pulled int64
	err := tx.QueryRowContext(ctx, `SELECT r.familiar, d.by_digest, d.pulled_at FROM repository_digests d
		JOIN repositories r ON r.id = d.repository_id
		WHERE d.repository_id = ? AND d.digest = ?`, repo, d).Scan(&familiar, &byDigest, &pulled)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	images, err := reachableImages(ctx, tx, d)
	if err != nil {
		return err
	}
	total, err := totalSize(ctx, tx, images)
	if err != nil {
		return err
	}
	type line struct {
		tag    string
		pulled int64
	}
	lines, err := database.RowsOf(ctx, tx,
		func(rows *sql.Rows) (l line, err error) { return l, rows.Scan(&l.tag, &l.pulled) },
		tags, append([]any{repo, d}, args...)...)
	if err != nil {
		return err
	}
	reason := shelf.ByTag
	if len(lines) == 0 {
		reason = shelf.Dangling
		if byDigest {
			reason = shelf.ByDigest
		}
		lines = []line{{pulled: pulled}}
	}
	shown := preferred(images, s.platform)
	names := make([]string, len(images))
	for i, img := range images {
		names[i] = img.Platform.String()
	}
	for _, l := range lines {
		name := familiar + ":" + l.tag
		if l.tag == "" {
			name = familiar + "@" + string(d)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO listing (repository_id, digest, tag, reason, name, image_id, platform,
			platforms, created, pulled_at, size, unpacked, total_size, broken, pinned, update_state,
				handed, handed_direct, handed_at)
			SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, EXISTS (SELECT 1 FROM pins
			WHERE repository_id = ?1 AND digest = ?2),
			coalesce((SELECT `+updateState+` FROM tag_checks c WHERE c.repository_id = ?1 AND c.tag = ?3), ''), `+handedColumns+`
			FROM (SELECT ?1 AS repository_id, ?2 AS digest, ?3 AS tag) listing, `+handedOf,
			repo, d, l.tag, reason, name, shown.ID, shown.Platform.String(), strings.Join(names, " "),
			database.Millis(shown.Created), l.pulled,
			shown.Size, shown.Unpacked, total, database.TextColumn{Text: &shown.Broken})
		if err != nil {
			return err
		}
	}
	return nil
}

// preferred picks the platform that stands for an index: the configured one, else the first.
func preferred(images []shelf.Image, platform image.Platform) shelf.Image {
	for _, i := range images {
		if i.Platform == platform {
			return i
		}
	}
	if len(images) > 0 {
		return images[0]
	}
	return shelf.Image{Unpacked: -1}
}

// totalSize adds the layers of several images, shared ones once.
func totalSize(ctx context.Context, tx *sql.Tx, images []shelf.Image) (int64, error) {
	if len(images) == 1 {
		return images[0].Size, nil
	}
	sizes := map[image.Digest]int64{}
	for _, i := range images {
		_, err := database.RowsOf(ctx, tx, func(rows *sql.Rows) (struct{}, error) {
			var d image.Digest
			var size int64
			err := rows.Scan(&d, &size)
			sizes[d] = size
			return struct{}{}, err
		}, `SELECT layer_digest, size FROM image_layers WHERE manifest_digest = ?`, i.Manifest)
		if err != nil {
			return 0, err
		}
	}
	var total int64
	for _, n := range sizes {
		total += n
	}
	return total, nil
}

// refreshListingsOf writes the rows of every digest anew under which a manifest can be reached.
func (s *Lists) refreshListingsOf(ctx context.Context, tx *sql.Tx, manifest image.Digest) error {
	roots, err := rootsOf(ctx, tx, manifest, -1)
	if err != nil {
		return err
	}
	for _, r := range roots {
		if err := s.refreshListing(ctx, tx, r.Repository, r.Digest); err != nil {
			return err
		}
	}
	return nil
}

// rootsOf returns the roots that reach a manifest or index: itself, or an index that lists it. At most limit of them;
// all where that is negative.
func rootsOf(ctx context.Context, q database.Querier, d image.Digest, limit int) ([]removal.Root, error) {
	return database.RowsOf(ctx, q, func(rows *sql.Rows) (r removal.Root, err error) {
		return r, rows.Scan(&r.Repository, &r.Name, &r.Digest, &r.ByDigest)
	}, upFromDigest+`SELECT * FROM (SELECT d.repository_id, r.name, d.digest, d.by_digest FROM up
		CROSS JOIN repository_digests d ON d.digest = up.digest CROSS JOIN repositories r ON r.id = d.repository_id LIMIT ?2)
		ORDER BY 2, 3`, d, limit)
}
