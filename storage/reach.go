package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf/removal"
)

// chunkSize is how many digests one query is asked about: a plan has up to hundreds of thousands of them.
const chunkSize = 500

// inChunks calls f with pieces of all, as the JSON array that a query reads with json_each.
func inChunks[T any](all []T, size int, f func(list string) error) error {
	for len(all) > 0 {
		n := min(len(all), size)
		list, err := json.Marshal(all[:n])
		if err != nil {
			return fmt.Errorf("write a list for a query: %w", err)
		}
		if err := f(string(list)); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// eachRow runs a query and calls f for each row, until f says that it has seen enough.
func eachRow(ctx context.Context, q querier, f func(*sql.Rows) (enough bool, err error), query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		enough, err := f(rows)
		if err != nil || enough {
			return err
		}
	}
	return rows.Err()
}

// belowQuery gives what is stored under each of a list of digests, themselves included: images with their rows, in the
// order of the index as far as it lists them itself, and indexes.
const belowQuery = `WITH RECURSIVE down (top, digest) AS (SELECT value, value FROM json_each(?1)
	UNION SELECT down.top, e.digest FROM down JOIN index_entries e ON e.index_digest = down.digest AND e.kind IN ('image', 'index') JOIN manifests m ON m.digest = e.digest)
	SELECT down.top, m.digest, m.kind = 'index', ` + imageColumnsOrNone + `
	FROM down CROSS JOIN manifests m ON m.digest = down.digest LEFT JOIN images i ON i.manifest_digest = down.digest
	WHERE m.kind = 'index' OR i.manifest_digest IS NOT NULL
	ORDER BY down.top, coalesce((SELECT min(e.position) FROM index_entries e WHERE e.digest = down.digest AND e.index_digest = down.top), 1000000000), i.platform, down.digest`

// imageColumnsOrNone are the columns of scanImage, with zeros where a row has no image.
const imageColumnsOrNone = `coalesce(i.manifest_digest, ''), coalesce(i.config_digest, ''), coalesce(i.platform, ''), coalesce(i.created, -62135596800000),
	coalesce(i.size, 0), coalesce(i.layers, 0), coalesce(i.unpacked, -1), coalesce(i.broken, ''), coalesce(i.stored_at, 0)`

// below is one thing that is stored under a digest.
type below struct {
	top, digest image.Digest
	isIndex     bool
	image       Image // where it is no index
}

// eachBelow calls f for what is stored under each of many digests.
func eachBelow(ctx context.Context, q querier, tops []image.Digest, f func(below)) error {
	return inChunks(tops, chunkSize, func(list string) error {
		return eachRow(ctx, q, func(rows *sql.Rows) (bool, error) {
			var b below
			var platform string
			var created, stored int64
			i := &b.image
			err := rows.Scan(&b.top, &b.digest, &b.isIndex, &i.Manifest, &i.ID, &platform, &created, &i.Size, &i.Layers, &i.Unpacked, textColumn{&i.Broken}, &stored)
			i.Platform, i.Created, i.Stored = storedPlatform(platform), fromMillis(created), fromMillis(stored)
			if err == nil {
				f(b)
			}
			return false, err
		}, belowQuery, list)
	})
}

// aboveRoots begins a query with the table up: each of a list of manifests and indexes, and every index above it.
const aboveRoots = `WITH RECURSIVE up (bottom, digest) AS (SELECT value, value FROM json_each(?1)
	UNION SELECT up.bottom, e.index_digest FROM up JOIN index_entries e ON e.digest = up.digest AND e.kind IN ('image', 'index')) `

// aboveQuery gives the roots that reach each of a list of manifests and indexes, at most ?2 rows; all where that is
// negative.
const aboveQuery = aboveRoots + `SELECT up.bottom, d.repository_id, d.digest FROM up CROSS JOIN repository_digests d ON d.digest = up.digest LIMIT ?2`

func (r root) key() removal.Key { return removal.Key{Repository: r.repo, Digest: r.digest} }

// fewAsked is how many manifests are asked about one by one, so that each look-up can end early.
const fewAsked = 64

// eachAbove calls f with the roots that reach each of many manifests and indexes. Where few are asked about, no more
// than limit rows are read for each; a negative one is none.
func eachAbove(ctx context.Context, q querier, bottoms []image.Digest, limit int, f func(bottom image.Digest, at removal.Key)) error {
	size := 1
	if len(bottoms) > fewAsked {
		size, limit = chunkSize, -1
	}
	return inChunks(bottoms, size, func(list string) error {
		return eachRow(ctx, q, func(rows *sql.Rows) (bool, error) {
			var bottom image.Digest
			var at removal.Key
			err := rows.Scan(&bottom, &at.Repository, &at.Digest)
			if err == nil {
				f(bottom, at)
			}
			return false, err
		}, aboveQuery, list, limit)
	})
}
