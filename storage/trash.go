package storage

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/stowage/stowage/storage/database"
)

// keptTable says how the deleted rows of a table are kept for an undo, as JSON arrays, and how they go back. A row
// that is there again stays as it is.
type keptTable struct {
	name    string
	columns string // in the order of the arrays
	which   string // the condition on the rows that are kept for a list, ?1
	also    string // what is kept behind the columns, for back
	back    string // the condition on an array, value, to go back
	again   string // what becomes of a row that is there again
}

// What is kept of columns that do not go back as they are. A repository is kept by its name, since its number changes.
var (
	keptAs = map[string]string{
		"repository_id": `(SELECT name FROM repositories r WHERE r.id = repository_id)`,
		"chain_id":      `hex(chain_id)`,
	}
	backAs = map[string]string{
		"repository_id": namedRepository,
		"chain_id":      `unhex(nullif(%s, ''))`,
		"uploaded":      `coalesce(%s, 0)`, // earlier versions did not keep it
	}
)

const (
	listed          = ` IN (SELECT value FROM json_each(?1))`
	listedPairs     = ` IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))`
	namedRepository = `(SELECT id FROM repositories r WHERE r.name = %s)`
)

// keep returns the statement that keeps rows for the list ?1 as part ?3 of removal ?2.
func (t keptTable) keep() string {
	values := strings.Fields(t.columns)
	for i, c := range values {
		values[i] = cmp.Or(keptAs[c], c)
	}
	return `INSERT INTO removed_rows (removal_id, part, of, rows)
		SELECT ?2, ?3, '` + t.name + `', json_group_array(json(v)) FROM (
		SELECT json_array(` + strings.Join(values, ", ") + t.also + `) AS v
		FROM ` + t.name + ` WHERE ` + t.which + `) HAVING count(*) > 0`
}

// bring returns the statement that brings the rows of the JSON ?1 back.
func (t keptTable) bring() string {
	columns := strings.Fields(t.columns)
	values := make([]string, len(columns))
	for i, c := range columns {
		values[i] = fmt.Sprintf(cmp.Or(backAs[c], "%s"), fmt.Sprintf("value ->> %d", i))
	}
	return `INSERT INTO ` + t.name + ` (` + strings.Join(columns, ", ") + `) SELECT ` + strings.Join(values, ", ") + `
		FROM (SELECT value FROM json_each(?1))
		WHERE ` + cmp.Or(t.back, "true") + ` ON CONFLICT ` + cmp.Or(t.again, "DO NOTHING")
}

// Of indexes and images, by their digests. All the blobs that they need are kept, also those that stay for others now
// and may go with these before the undo.
var keptOfDocuments = []keptTable{
	{name: "blobs", columns: "digest size stored_at", which: `digest IN (SELECT value FROM json_each(?1)
		UNION SELECT config_digest FROM images WHERE manifest_digest` + listed + `
		UNION SELECT layer_digest FROM image_layers WHERE manifest_digest` + listed + `
		UNION SELECT blob_digest FROM attestation_blobs WHERE attestation_digest` + attesting + `)`},
	{name: "manifests", columns: "digest kind media_type", which: `digest` + listed},
	{
		name: "index_entries", columns: "index_digest position digest media_type size kind platform describes",
		which: `index_digest` + listed,
	},
	{
		name:    "images",
		columns: "manifest_digest config_digest platform created size layers unpacked broken stored_at facts base_digest",
		which:   `manifest_digest` + listed,
	},
	{
		name: "layers", columns: "digest state diff_id unpacked entries problem",
		which: `digest IN (SELECT layer_digest FROM image_layers WHERE manifest_digest` + listed + `)`,
	},
	{
		name: "image_layers", columns: "manifest_digest position layer_digest diff_id size media_type created_by chain_id",
		which: `manifest_digest` + listed,
	},
	{name: "image_labels", columns: "manifest_digest key value", which: `manifest_digest` + listed},
	{name: "attestations", columns: "digest media_type", which: `digest` + attesting},
	{
		name: "attestation_blobs", columns: "attestation_digest position blob_digest predicate",
		which: `attestation_digest` + attesting,
	},
	{name: "image_attestations", columns: "manifest_digest attestation_digest", which: `manifest_digest` + listed},
}

const attesting = ` IN (SELECT attestation_digest FROM image_attestations WHERE manifest_digest` + listed + `)`

// Of roots that go, by repository and digest.
var keptOfRoots = []keptTable{
	{
		name: "repositories", columns: "name familiar",
		which: `id IN (SELECT value ->> 0 FROM json_each(?1))`,
	},
	{
		name: "repository_digests", columns: "repository_id digest by_digest pulled_at pulled_by",
		which: `(repository_id, digest)` + listedPairs,
		again: `DO UPDATE SET by_digest = max(by_digest, excluded.by_digest)`,
	},
	{
		name: "pins", columns: "repository_id digest note pinned_by pinned_at",
		which: `(repository_id, digest)` + listedPairs,
	},
}

// Of tags, by repository and name. What the registry said of one, and how often it was handed out, goes back with the
// very tag only: one that was pulled again counts anew.
var keptOfTags = []keptTable{
	{
		name: "tags", columns: "repository_id name digest pulled_at pulled_by uploaded",
		which: `(repository_id, name)` + listedPairs,
	},
	ofItsTag("tag_checks", "repository_id tag answer upstream_digest method checked_at problem"),
	ofItsTag("handed_tags", "repository_id tag count last_at"),
}

func ofItsTag(name, columns string) keptTable {
	its := ` FROM tags t WHERE t.repository_id = ` + name + `.repository_id AND t.name = ` + name + `.tag)`
	n := len(strings.Fields(columns))
	return keptTable{
		name: name, columns: columns, which: `(repository_id, tag)` + listedPairs,
		also: `, (SELECT t.digest` + its + `, (SELECT t.pulled_at` + its,
		back: fmt.Sprintf(`EXISTS (SELECT 1 FROM tags t WHERE t.repository_id = `+namedRepository+` AND t.name = value ->> 1
			AND t.digest = value ->> %d AND t.pulled_at = value ->> %d)`, "value ->> 0", n, n+1),
	}
}

// Of digests that somebody had asked for and that stay for their tags, by repository and digest.
const (
	keepForgotten = `INSERT INTO removed_rows (removal_id, part, of, rows) SELECT ?2, ?3, 'by_digest', json_group_array(
		json_array((SELECT name FROM repositories WHERE id = value ->> 0), value ->> 1)) FROM json_each(?1)`
	bringForgotten = `UPDATE repository_digests SET by_digest = 1 WHERE (repository_id, digest) IN (
		SELECT r.id, j.value ->> 1 FROM json_each(?1) j JOIN repositories r ON r.name = j.value ->> 0)`
)

// Of indexes and images that go or lose a repository: how often each repository handed them out, also those that stay,
// whose counts have not gone and only rise. They go back where the repository leads there again.
var keptOfHanded = keptTable{
	name: "handed_digests", columns: "repository_id digest count last_at direct direct_last_at", which: `digest` + listed,
	back: `EXISTS (WITH RECURSIVE up (digest) AS (SELECT digest FROM manifests WHERE digest = value ->> 1` + upRest + `
		SELECT 1 FROM up JOIN repository_digests d ON d.digest = up.digest JOIN repositories r ON r.id = d.repository_id
		WHERE r.name = value ->> 0)`,
	again: `DO UPDATE SET count = max(count, excluded.count), last_at = max(last_at, excluded.last_at),
		direct = max(direct, excluded.direct), direct_last_at = max(direct_last_at, excluded.direct_last_at)
		WHERE excluded.count > count OR excluded.direct > direct OR excluded.last_at > last_at
			OR excluded.direct_last_at > direct_last_at`,
}

// backOf is how the rows that were kept of each table go back.
var backOf = func() map[string]string {
	back := map[string]string{"by_digest": bringForgotten}
	for _, t := range slices.Concat(keptOfDocuments, keptOfRoots, keptOfTags, []keptTable{keptOfHanded}) {
		back[t.name] = t.bring()
	}
	return back
}()

const (
	keptAtOnce   = 100       // images, indexes, roots or tags that one row of removed_rows is of
	partsOfBatch = 1_000_000 // more than the parts of one batch: those of each begin at a multiple of it
)

// copies writes the rows of what a removal takes, for an undo.
type copies struct {
	ctx  context.Context
	tx   *sql.Tx
	id   int64 // of the removal
	part int   // the last one that was written
}

// keep keeps the rows of what a batch takes, and of what that needs, in the order in which they go back.
func (c *copies) keep(b *batch) error {
	documents := once(slices.Concat(b.images, b.indexes))
	for _, step := range []func() error{
		func() error { return keepOf(c, documents, keepAll(keptOfDocuments)) },
		func() error { return keepOf(c, keysOf(b.roots), keepAll(keptOfRoots)) },
		func() error { return keepOf(c, b.tags, keepAll(keptOfTags)) },
		func() error { return keepOf(c, keysOf(b.forgotten), []string{keepForgotten}) },
		func() error { return keepOf(c, documents, []string{keptOfHanded.keep()}) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func keepAll(tables []keptTable) (statements []string) {
	for _, t := range tables {
		statements = append(statements, t.keep())
	}
	return statements
}

// keepOf runs statements that keep rows for pieces of a list.
func keepOf[T any](c *copies, all []T, statements []string) error {
	return database.InChunks(all, keptAtOnce, func(list string) error {
		for _, statement := range statements {
			c.part++
			if _, err := c.tx.ExecContext(c.ctx, statement, list, c.id, c.part); err != nil {
				return err
			}
		}
		return nil
	})
}
