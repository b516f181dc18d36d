package storage

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// keptTable is a table whose deleted rows are kept for an undo: how they are written as JSON arrays, and how they go back.
// Rows that are there again stay as they are. Repositories are kept by name, since their ids change.
type keptTable struct {
	of   string
	keep string // selects the rows of ?1, a list of digests or of roots, as JSON arrays in the column v
	back string // ?1: the JSON
}

// insert is the statement that keeps rows of ?1 as part ?3 of removal ?2.
func (t keptTable) insert() string {
	return `INSERT INTO removed_rows (removal_id, part, of, rows) SELECT ?2, ?3, ?4, json_group_array(json(v)) FROM (` + t.keep + `) HAVING count(*) > 0`
}

const (
	listed    = ` IN (SELECT value FROM json_each(?1))`
	attesting = ` IN (SELECT attestation_digest FROM image_attestations WHERE manifest_digest` + listed + `)`
	fromList  = ` FROM json_each(?1) WHERE true`
	repoOf    = `(SELECT id FROM repositories WHERE name = value ->> 0)`
	ofRoots   = ` FROM json_each(?1) j CROSS JOIN repositories r ON r.id = j.value ->> 0 `
)

// Of images, by their manifests, and of all the blobs that they need: also of those that stay for others now, and may go
// with these before the undo.
var keptOfImages = []keptTable{
	{
		of: "blobs",
		keep: `SELECT json_array(digest, size, stored_at) AS v FROM blobs WHERE digest IN (SELECT value FROM json_each(?1)
			UNION SELECT config_digest FROM images WHERE manifest_digest` + listed + ` UNION SELECT layer_digest FROM image_layers WHERE manifest_digest` + listed + `
			UNION SELECT ab.blob_digest FROM image_attestations ia JOIN attestation_blobs ab ON ab.attestation_digest = ia.attestation_digest WHERE ia.manifest_digest` + listed + `)`,
		back: `INSERT INTO blobs (digest, size, stored_at) SELECT value ->> 0, value ->> 1, value ->> 2` + fromList + ` ON CONFLICT DO NOTHING`,
	},
	keptManifests,
	{
		of: "images",
		keep: `SELECT json_array(manifest_digest, config_digest, platform, created, size, layers, unpacked, broken, stored_at, facts, base_digest) AS v
			FROM images WHERE manifest_digest` + listed,
		back: `INSERT INTO images (manifest_digest, config_digest, platform, created, size, layers, unpacked, broken, stored_at, facts, base_digest)
			SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10` + fromList + ` ON CONFLICT DO NOTHING`,
	},
	{
		of: "layers",
		keep: `SELECT json_array(digest, state, diff_id, unpacked, entries, problem) AS v FROM layers
			WHERE digest IN (SELECT layer_digest FROM image_layers WHERE manifest_digest` + listed + `)`,
		back: `INSERT INTO layers (digest, state, diff_id, unpacked, entries, problem)
			SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5` + fromList + ` ON CONFLICT DO NOTHING`,
	},
	{
		of: "image_layers",
		keep: `SELECT json_array(manifest_digest, position, layer_digest, diff_id, size, media_type, created_by, hex(chain_id)) AS v
			FROM image_layers WHERE manifest_digest` + listed,
		back: `INSERT INTO image_layers (manifest_digest, position, layer_digest, diff_id, size, media_type, created_by, chain_id)
			SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, unhex(nullif(value ->> 7, ''))` + fromList + ` ON CONFLICT DO NOTHING`,
	},
	{
		of:   "image_labels",
		keep: `SELECT json_array(manifest_digest, key, value) AS v FROM image_labels WHERE manifest_digest` + listed,
		back: `INSERT INTO image_labels (manifest_digest, key, value) SELECT j.value ->> 0, j.value ->> 1, j.value ->> 2 FROM json_each(?1) j WHERE true ON CONFLICT DO NOTHING`,
	},
	{
		of:   "attestations",
		keep: `SELECT json_array(digest, media_type) AS v FROM attestations WHERE digest` + attesting,
		back: `INSERT INTO attestations (digest, media_type) SELECT value ->> 0, value ->> 1` + fromList + ` ON CONFLICT DO NOTHING`,
	},
	{
		of: "attestation_blobs",
		keep: `SELECT json_array(attestation_digest, position, blob_digest, predicate) AS v
			FROM attestation_blobs WHERE attestation_digest` + attesting,
		back: `INSERT INTO attestation_blobs (attestation_digest, position, blob_digest, predicate)
			SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3` + fromList + ` ON CONFLICT DO NOTHING`,
	},
	{
		of:   "image_attestations",
		keep: `SELECT json_array(manifest_digest, attestation_digest) AS v FROM image_attestations WHERE manifest_digest` + listed,
		back: `INSERT INTO image_attestations (manifest_digest, attestation_digest) SELECT value ->> 0, value ->> 1` + fromList + ` ON CONFLICT DO NOTHING`,
	},
}

var keptManifests = keptTable{
	of:   "manifests",
	keep: `SELECT json_array(digest, kind, media_type) AS v FROM manifests WHERE digest` + listed,
	back: `INSERT INTO manifests (digest, kind, media_type) SELECT value ->> 0, value ->> 1, value ->> 2` + fromList + ` ON CONFLICT DO NOTHING`,
}

// Of indexes.
var keptOfIndexes = []keptTable{
	keptOfImages[0],
	keptManifests,
	{
		of: "index_entries",
		keep: `SELECT json_array(index_digest, position, digest, media_type, size, kind, platform, describes) AS v
			FROM index_entries WHERE index_digest` + listed,
		back: `INSERT INTO index_entries (index_digest, position, digest, media_type, size, kind, platform, describes)
			SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7` + fromList + ` ON CONFLICT DO NOTHING`,
	},
}

// Of roots that go, by repository and digest.
var keptOfRoots = []keptTable{
	{
		of:   "repositories",
		keep: `SELECT DISTINCT json_array(r.name, r.familiar) AS v` + ofRoots,
		back: `INSERT INTO repositories (name, familiar) SELECT value ->> 0, value ->> 1` + fromList + ` ON CONFLICT DO NOTHING`,
	},
	{
		of: "repository_digests",
		keep: `SELECT json_array(r.name, d.digest, d.by_digest, d.pulled_at, d.pulled_by) AS v` + ofRoots + `
			CROSS JOIN repository_digests d ON d.repository_id = r.id AND d.digest = j.value ->> 1`,
		back: `INSERT INTO repository_digests (repository_id, digest, by_digest, pulled_at, pulled_by)
			SELECT ` + repoOf + `, value ->> 1, value ->> 2, value ->> 3, value ->> 4` + fromList + ` ON CONFLICT DO UPDATE SET by_digest = max(by_digest, excluded.by_digest)`,
	},
	keptTags(`t.digest = j.value ->> 1`),
	{
		of: "pins",
		keep: `SELECT json_array(r.name, p.digest, p.note, p.pinned_by, p.pinned_at) AS v` + ofRoots + `
			CROSS JOIN pins p ON p.repository_id = r.id AND p.digest = j.value ->> 1`,
		back: `INSERT INTO pins (repository_id, digest, note, pinned_by, pinned_at)
			SELECT ` + repoOf + `, value ->> 1, value ->> 2, value ->> 3, value ->> 4` + fromList + ` ON CONFLICT DO NOTHING`,
	},
	keptChecks(`t.digest = j.value ->> 1`),
	keptHandedTags(`t.digest = j.value ->> 1`),
}

// Of tags that are taken from roots which stay, by repository and name.
var keptOfTags = []keptTable{keptTags(`t.name = j.value ->> 1`), keptChecks(`t.name = j.value ->> 1`), keptHandedTags(`t.name = j.value ->> 1`)}

// Of digests that somebody had asked for and that stay for their tags, by repository and digest.
var keptOfForgotten = []keptTable{{
	of:   "by_digest",
	keep: `SELECT json_array(r.name, j.value ->> 1) AS v` + ofRoots,
	back: `UPDATE repository_digests SET by_digest = 1 WHERE (repository_id, digest) IN (SELECT r.id, j.value ->> 1 FROM json_each(?1) j JOIN repositories r ON r.name = j.value ->> 0)`,
}}

func keptTags(which string) keptTable {
	return keptTable{
		of:   "tags",
		keep: `SELECT json_array(r.name, t.name, t.digest, t.pulled_at, t.pulled_by, t.uploaded) AS v` + ofRoots + `CROSS JOIN tags t ON t.repository_id = r.id AND ` + which,
		back: `INSERT INTO tags (repository_id, name, digest, pulled_at, pulled_by, uploaded)
			SELECT ` + repoOf + `, value ->> 1, value ->> 2, value ->> 3, value ->> 4, coalesce(value ->> 5, 0)` + fromList + ` ON CONFLICT DO NOTHING`,
	}
}

// keptChecks are what the registry said of tags. An answer goes back with its very tag only.
func keptChecks(which string) keptTable {
	return keptTable{
		of: "tag_checks",
		keep: `SELECT json_array(r.name, c.tag, c.answer, c.upstream_digest, c.method, c.checked_at, c.problem, t.digest, t.pulled_at) AS v` + ofRoots + `
			CROSS JOIN tags t ON t.repository_id = r.id AND ` + which + ` CROSS JOIN tag_checks c ON c.repository_id = r.id AND c.tag = t.name`,
		back: `INSERT INTO tag_checks (repository_id, tag, answer, upstream_digest, method, checked_at, problem)
			SELECT t.repository_id, t.name, j.value ->> 2, j.value ->> 3, j.value ->> 4, j.value ->> 5, j.value ->> 6
			FROM json_each(?1) j CROSS JOIN repositories r ON r.name = j.value ->> 0
			CROSS JOIN tags t ON t.repository_id = r.id AND t.name = j.value ->> 1 AND t.digest = j.value ->> 7 AND t.pulled_at = j.value ->> 8
			WHERE true ON CONFLICT DO NOTHING`,
	}
}

// keptHandedTags are how often tags were handed out. A count goes back with its very tag only: one that was pulled again
// counts anew.
func keptHandedTags(which string) keptTable {
	return keptTable{
		of: "handed_tags",
		keep: `SELECT json_array(r.name, h.tag, h.count, h.last_at, t.digest, t.pulled_at) AS v` + ofRoots + `
			CROSS JOIN tags t ON t.repository_id = r.id AND ` + which + ` CROSS JOIN handed_tags h ON h.repository_id = r.id AND h.tag = t.name`,
		back: `INSERT INTO handed_tags (repository_id, tag, count, last_at)
			SELECT t.repository_id, t.name, j.value ->> 2, j.value ->> 3 FROM json_each(?1) j CROSS JOIN repositories r ON r.name = j.value ->> 0
			CROSS JOIN tags t ON t.repository_id = r.id AND t.name = j.value ->> 1 AND t.digest = j.value ->> 4 AND t.pulled_at = j.value ->> 5
			WHERE true ON CONFLICT DO NOTHING`,
	}
}

// Of images and indexes that go or lose a repository, by digest: how often each repository handed them out, also those that
// stay, whose counts have not gone and only rise. They go back where the repository leads there again.
var keptOfHanded = []keptTable{{
	of: "handed_digests",
	keep: `SELECT json_array(r.name, h.digest, h.count, h.last_at, h.direct, h.direct_last_at) AS v
		FROM json_each(?1) j CROSS JOIN handed_digests h ON h.digest = j.value CROSS JOIN repositories r ON r.id = h.repository_id`,
	back: `INSERT INTO handed_digests (repository_id, digest, count, last_at, direct, direct_last_at)
		SELECT r.id, m.digest, j.value ->> 2, j.value ->> 3, j.value ->> 4, j.value ->> 5 FROM json_each(?1) j CROSS JOIN repositories r ON r.name = j.value ->> 0
		CROSS JOIN manifests m ON m.digest = j.value ->> 1 WHERE EXISTS (WITH RECURSIVE up (digest) AS (VALUES (m.digest)` + upRest + `
			SELECT 1 FROM up JOIN repository_digests d ON d.repository_id = r.id AND d.digest = up.digest)
		ON CONFLICT DO UPDATE SET count = max(count, excluded.count), last_at = max(last_at, excluded.last_at),
			direct = max(direct, excluded.direct), direct_last_at = max(direct_last_at, excluded.direct_last_at)
		WHERE excluded.count > count OR excluded.direct > direct OR excluded.last_at > last_at OR excluded.direct_last_at > direct_last_at
		RETURNING repository_id, digest`,
}}

// backOf finds how kept rows go back.
var backOf = func() map[string]string {
	back := map[string]string{}
	for _, tables := range [][]keptTable{keptOfImages, keptOfIndexes, keptOfRoots, keptOfTags, keptOfForgotten, keptOfHanded} {
		for _, t := range tables {
			back[t.of] = t.back
		}
	}
	return back
}()

// keptAtOnce is how many images, indexes or roots one row of removed_rows is of.
const keptAtOnce = 100

// partsOfBatch is more than the parts of one batch: those of each batch begin at a multiple of it.
const partsOfBatch = 1_000_000

// copies writes the rows of what a removal takes, for an undo.
type copies struct {
	ctx  context.Context
	tx   *sql.Tx
	id   int64 // of the removal
	part int   // the last one that was written
}

// keep keeps the rows of what a batch takes, and of what that needs, in the order in which they go back.
func (c *copies) keep(b *batch) error {
	documents := slices.Concat(b.images, b.indexes)
	for _, step := range []func() error{
		func() error { return keepOf(c, keptOfImages, b.images) },
		func() error { return keepOf(c, keptOfIndexes, b.indexes) },
		func() error { return keepOf(c, keptOfRoots, keysOf(b.roots)) },
		func() error { return keepOf(c, keptOfTags, b.tags) },
		func() error { return keepOf(c, keptOfForgotten, keysOf(b.forgotten)) },
		func() error { return keepOf(c, keptOfHanded, documents) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func keepOf[T any](c *copies, tables []keptTable, all []T) error {
	return inChunks(all, keptAtOnce, func(list string) error {
		for _, t := range tables {
			c.part++
			if _, err := c.tx.ExecContext(c.ctx, t.insert(), list, c.id, c.part, t.of); err != nil {
				return fmt.Errorf("keep rows of %s: %w", t.of, err)
			}
		}
		return nil
	})
}
