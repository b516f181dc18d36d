package storage

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/database"
	"github.com/stowage/stowage/storage/listing"
)

// listFeed is the list as one snapshot of the database has it.
type listFeed struct{ q database.Querier }

// Change implements listing.Feed.
func (f listFeed) Change(ctx context.Context) (change int64, err error) {
	err = f.q.QueryRowContext(ctx, `SELECT listed_at FROM totals`).Scan(&change)
	return change, err
}

// Oldest implements listing.Feed.
func (f listFeed) Oldest(ctx context.Context) (change int64, err error) {
	err = f.q.QueryRowContext(ctx, `SELECT coalesce(min(change), -1) FROM listing_changes`).Scan(&change)
	return change, err
}

// All implements listing.Feed.
func (f listFeed) All(ctx context.Context, hash listing.Hasher, add func(listing.Row)) error {
	labels, err := f.allLabels(ctx, hash)
	if err != nil {
		return fmt.Errorf("read labels: %w", err)
	}
	if err := f.rows(ctx, labels, add, listColumns+` ORDER BY l.id`); err != nil {
		return fmt.Errorf("read the list: %w", err)
	}
	return nil
}

// Since implements listing.Feed.
func (f listFeed) Since(ctx context.Context, change int64, hash listing.Hasher,
	add func(listing.Row)) ([]int64, error) {
	const changed = `SELECT id FROM listing_changes WHERE change > ?`
	ids, err := database.RowsOf(ctx, f.q, func(rows *sql.Rows) (id int64, err error) { return id, rows.Scan(&id) },
		`SELECT DISTINCT id FROM (`+changed+`) changed`, change)
	if err != nil {
		return nil, fmt.Errorf("read what changed in the list: %w", err)
	}
	labels, err := f.labelsOf(ctx, hash, changed, change)
	if err != nil {
		return nil, fmt.Errorf("read labels: %w", err)
	}
	if err := f.rows(ctx, labels, add, listColumns+` WHERE l.id IN (`+changed+`)`, change); err != nil {
		return nil, fmt.Errorf("read what changed in the list: %w", err)
	}
	return ids, nil
}

const listColumns = `SELECT l.id, l.repository_id, r.name, r.familiar, l.name, l.digest, l.image_id,
	l.platforms, l.created, l.pulled_at, l.size, l.unpacked, l.total_size, l.reason, l.update_state, l.pinned, l.handed,
	l.handed_direct, l.handed_at
	FROM listing l JOIN repositories r ON r.id = l.repository_id`

// rows adds the rows of a query that begins with listColumns.
func (f listFeed) rows(ctx context.Context, labels map[image.Digest]string, add func(listing.Row), query string,
	args ...any) error {
	return database.EachRow(ctx, f.q, func(rows *sql.Rows) (bool, error) {
		var r listing.Row
		err := rows.Scan(&r.ID, &r.Repository.ID, &r.Repository.Name, &r.Repository.Familiar, &r.Name, &r.Digest, &r.ImageID,
			&r.Platforms,
			&r.Created, &r.Pulled, &r.Sizes.Compressed, &r.Sizes.Unpacked, &r.Sizes.Total, &r.Reason, &r.Update, &r.Pinned,
			&r.Downloads.Count, &r.Downloads.Direct, &r.Downloads.Last)
		r.Labels = labels[r.Digest]
		add(r)
		return false, err
	}, query, args...)
}

// allLabels returns the labels of every digest that has some, from the labels up: few of the entries of an index are
// stored, and fewer have labels.
func (f listFeed) allLabels(ctx context.Context, hash listing.Hasher) (map[image.Digest]string, error) {
	return f.readLabels(ctx, hash, `SELECT manifest_digest, key, value FROM image_labels ORDER BY manifest_digest`,
		`WITH RECURSIVE up (manifest, digest) AS (SELECT DISTINCT manifest_digest, manifest_digest FROM image_labels
			UNION SELECT up.manifest, e.index_digest FROM up JOIN index_entries e ON e.digest = up.digest
			AND e.kind IN ('image', 'index'))
		SELECT digest, manifest FROM up`)
}

// labelsOf returns the labels of the digests of the rows that a query chooses, with its argument.
func (f listFeed) labelsOf(ctx context.Context, hash listing.Hasher, rows string,
	arg any) (map[image.Digest]string, error) {
	down := `WITH RECURSIVE down (root, digest) AS (SELECT DISTINCT digest, digest FROM listing WHERE id IN (` + rows + `)
		UNION SELECT down.root, e.digest FROM down JOIN index_entries e ON e.index_digest = down.digest
		AND e.kind IN ('image', 'index')) `
	return f.readLabels(ctx, hash, down+`SELECT il.manifest_digest, il.key, il.value FROM image_labels il
			WHERE il.manifest_digest IN (SELECT digest FROM down) ORDER BY il.manifest_digest`,
		down+`SELECT root, digest FROM down WHERE EXISTS (SELECT 1 FROM image_labels il
			WHERE il.manifest_digest = down.digest)`, arg)
}

// readLabels reads labels by a query for manifest, key and value, and by one for the digests under which manifests can
// be reached.
func (f listFeed) readLabels(ctx context.Context, hash listing.Hasher, labels, reach string,
	args ...any) (map[image.Digest]string, error) {
	sets := map[image.Digest][]listing.LabelHash{}
	_, err := database.RowsOf(ctx, f.q, func(rows *sql.Rows) (_ struct{}, err error) {
		var manifest image.Digest
		var l image.Label
		err = rows.Scan(&manifest, &l.Key, &l.Value)
		sets[manifest] = append(sets[manifest], hash(l))
		return struct{}{}, err
	}, labels, args...)
	if err != nil || len(sets) == 0 {
		return nil, err
	}
	of := map[image.Digest][][]listing.LabelHash{}
	_, err = database.RowsOf(ctx, f.q, func(rows *sql.Rows) (_ struct{}, err error) {
		var digest, manifest image.Digest
		err = rows.Scan(&digest, &manifest)
		of[digest] = append(of[digest], sets[manifest])
		return struct{}{}, err
	}, reach, args...)
	if err != nil {
		return nil, err
	}
	all := make(map[image.Digest]string, len(of))
	for d, platforms := range of {
		all[d] = listing.JoinLabels(platforms)
	}
	return all, nil
}
