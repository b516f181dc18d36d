package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf/removal"
)

// carryOut deletes a plan's rows. Within the window they are kept for an undo, and the files wait that long; without
// one the files may go at once.
func (s *Store) carryOut(ctx context.Context, tx *sql.Tx, p removal.Plan, by string, window time.Duration) (id int64, until time.Time, err error) {
	at := millis(s.now())
	b := newBatch(p)
	if window > 0 {
		until = fromMillis(at + window.Milliseconds())
		if id, err = insertRemoval(ctx, tx, p.Shown, at, by, until); err == nil {
			c := copies{ctx: ctx, tx: tx, id: id}
			err = c.keep(b)
		}
		if err != nil {
			return 0, time.Time{}, fmt.Errorf("keep what is deleted: %w", err)
		}
	}
	a := applying{ctx: ctx, tx: tx, store: s, batch: b, by: by, at: at, sweep: at + window.Milliseconds()}
	return id, until, a.apply()
}

// batch is what one transaction takes of a plan.
type batch struct {
	roots     []removal.Key // that go with all their tags
	tags      [][2]any      // by repository and name, that go from roots which stay
	untags    []removal.Untag
	forgotten []removal.Key  // digests that nobody asks for any more
	images    []image.Digest // under roots that go, and those that go by themselves
	indexes   []image.Digest // under roots that go
	taken     []removal.Taken
}

func newBatch(p removal.Plan) *batch {
	b := &batch{untags: p.Untagged, taken: p.Images}
	for _, d := range p.Dropped {
		b.drop(d)
	}
	for _, u := range p.Untagged {
		b.tags = append(b.tags, [2]any{u.Root.Repository, u.Tag})
	}
	for _, r := range p.Forgotten {
		b.forgotten = append(b.forgotten, r.Key)
	}
	for _, t := range p.Images {
		b.images = append(b.images, t.Manifest)
	}
	b.images, b.indexes = once(b.images), once(b.indexes)
	return b
}

func (b *batch) drop(d removal.Drop) {
	b.roots = append(b.roots, d.Key)
	b.images = append(b.images, d.Images...)
	b.indexes = append(b.indexes, d.Indexes...)
}

// once leaves each digest once, in the order in which they came up.
func once(all []image.Digest) []image.Digest {
	seen := make(map[image.Digest]bool, len(all))
	kept := all[:0]
	for _, d := range all {
		if !seen[d] {
			seen[d] = true
			kept = append(kept, d)
		}
	}
	return kept
}

// applying is a batch that is being carried out.
type applying struct {
	ctx   context.Context
	tx    *sql.Tx
	store *Store
	*batch
	by        string
	at, sweep int64 // now, and when the files may go
}

// apply deletes what refers first, and then what nothing refers to any more.
func (a *applying) apply() error {
	for _, step := range []func() error{a.untag, a.dropRoots, a.collect, a.relist} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// over runs a statement for pieces of a list, which it gets as ?1 before args.
func over[T any](a *applying, all []T, statement string, args ...any) error {
	return inChunks(all, chunkSize, func(list string) error {
		_, err := a.tx.ExecContext(a.ctx, statement, append([]any{list}, args...)...)
		return err
	})
}

// untag takes tags from roots that stay, and forgets that somebody asked for a digest.
func (a *applying) untag() error {
	for _, u := range a.untags {
		_, err := a.tx.ExecContext(a.ctx, `DELETE FROM tags WHERE repository_id = ? AND name = ?`, u.Root.Repository, u.Tag)
		if err != nil {
			return err
		}
		event := TagEvent{Repository: u.Root.Name, Tag: u.Tag, Event: TagDeleted, Old: u.Root.Digest, At: fromMillis(a.at), By: a.by}
		if err := a.store.writeHistory(a.ctx, a.tx, event); err != nil {
			return err
		}
	}
	return over(a, keysOf(a.forgotten),
		`UPDATE repository_digests SET by_digest = 0 WHERE (repository_id, digest) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))`)
}

// dropRoots deletes roots with their tags, and repositories that know nothing any more.
func (a *applying) dropRoots() error {
	const those = ` WHERE (repository_id, digest) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))`
	roots := keysOf(a.roots)
	err := over(a, roots, `INSERT INTO tag_history (repository, tag, event, old_digest, new_digest, at, by)
		SELECT r.name, t.name, '`+TagDeleted+`', t.digest, '', ?2, ?3 FROM json_each(?1) j
		CROSS JOIN tags t ON t.digest = j.value ->> 1 AND t.repository_id = j.value ->> 0
		CROSS JOIN repositories r ON r.id = t.repository_id ORDER BY j.key, t.name`, a.at, a.by)
	if err != nil {
		return err
	}
	for _, table := range []string{"tags", "repository_digests", "listing"} {
		if err := over(a, roots, `DELETE FROM `+table+those); err != nil {
			return err
		}
	}
	repositories := map[int64]bool{}
	for _, r := range a.roots {
		repositories[r.Repository] = true
	}
	ids := make([]int64, 0, len(repositories))
	for id := range repositories {
		ids = append(ids, id)
	}
	reached, err := json.Marshal(ids)
	if err != nil {
		return fmt.Errorf("write a list for a query: %w", err)
	}
	for _, documents := range [][]image.Digest{a.images, a.indexes} {
		if err := over(a, documents, forgetHanded, string(reached)); err != nil {
			return err
		}
	}
	return over(a, ids, `DELETE FROM repositories WHERE id IN (SELECT value FROM json_each(?))
		AND NOT EXISTS (SELECT 1 FROM repository_digests WHERE repository_id = repositories.id)`)
}

// forgetHanded forgets how often repositories ?2 handed out what of ?1 they no longer lead to; the rest goes with its
// tag or document.
const forgetHanded = `DELETE FROM handed_digests WHERE digest IN (SELECT value FROM json_each(?1)) AND repository_id IN (SELECT value FROM json_each(?2))
	AND NOT EXISTS (WITH RECURSIVE up (digest) AS (VALUES (handed_digests.digest)` + upRest + `
		SELECT 1 FROM up JOIN repository_digests d ON d.repository_id = handed_digests.repository_id AND d.digest = up.digest)`

// collect deletes the images that go by themselves, the images and indexes that no root reaches any more, and what
// nothing has any more but them. What somebody came to use in the meantime stays.
func (a *applying) collect() error {
	images, err := a.digests(a.images, unreached)
	if err != nil {
		return err
	}
	for _, t := range a.taken {
		images = append(images, t.Manifest)
	}
	images = once(images)
	indexes, err := a.digests(a.indexes, unreached)
	if err != nil {
		return err
	}
	layers, err := a.digests(images, `SELECT DISTINCT layer_digest FROM image_layers WHERE manifest_digest`+listed)
	if err != nil {
		return err
	}
	attestations, err := a.digests(images, `SELECT DISTINCT attestation_digest FROM image_attestations WHERE manifest_digest`+listed)
	if err != nil {
		return err
	}
	configs, err := a.digests(images, `SELECT config_digest FROM images WHERE manifest_digest`+listed)
	if err != nil {
		return err
	}
	attested, err := a.digests(attestations, `SELECT DISTINCT blob_digest FROM attestation_blobs WHERE attestation_digest`+listed)
	if err != nil {
		return err
	}
	for _, d := range []struct {
		of        []image.Digest
		statement string
	}{
		{images, `DELETE FROM images WHERE manifest_digest` + listed},
		{layers, `DELETE FROM layers WHERE digest` + listed + ` AND NOT EXISTS (SELECT 1 FROM image_layers WHERE layer_digest = layers.digest)`},
		{attestations, `DELETE FROM attestations WHERE digest` + listed +
			` AND NOT EXISTS (SELECT 1 FROM image_attestations WHERE attestation_digest = attestations.digest)`},
		{images, `DELETE FROM manifests WHERE digest` + listed},
		{indexes, `DELETE FROM manifests WHERE digest` + listed},
	} {
		if err := over(a, d.of, d.statement); err != nil {
			return err
		}
	}
	for _, blobs := range [][]image.Digest{images, configs, layers, attested, indexes} {
		if err := over(a, blobs, awaitSweep, a.sweep); err != nil {
			return err
		}
		if err := over(a, blobs, `DELETE FROM blobs WHERE digest`+listed+needless); err != nil {
			return err
		}
	}
	return nil
}

const (
	// unreached gives those of a list of images and indexes that no root reaches.
	unreached = `SELECT j.value FROM json_each(?1) j WHERE NOT EXISTS (WITH RECURSIVE up (digest) AS (VALUES (j.value)` + upRest + `
		SELECT 1 FROM up CROSS JOIN repository_digests d ON d.digest = up.digest)`

	// needless holds of blobs that no row has any more.
	needless = ` AND NOT EXISTS (SELECT 1 FROM manifests WHERE digest = blobs.digest)
		AND NOT EXISTS (SELECT 1 FROM layers WHERE digest = blobs.digest)
		AND NOT EXISTS (SELECT 1 FROM images WHERE config_digest = blobs.digest)
		AND NOT EXISTS (SELECT 1 FROM attestation_blobs WHERE blob_digest = blobs.digest)`

	// awaitSweep notes that the files of those are to be swept.
	awaitSweep = `INSERT INTO waiting_blobs (digest, size, sweep_at) SELECT digest, size, ?2 FROM blobs WHERE digest` + listed + needless + `
		ON CONFLICT DO UPDATE SET sweep_at = excluded.sweep_at`
)

// digests runs a query for a list of digests that gives others.
func (a *applying) digests(of []image.Digest, query string) (found []image.Digest, err error) {
	err = inChunks(of, chunkSize, func(list string) error {
		some, err := rowsOf(a.ctx, a.tx, func(rows *sql.Rows) (d image.Digest, err error) { return d, rows.Scan(&d) }, query, list)
		found = append(found, some...)
		return err
	})
	return once(found), err
}

// relist brings the list up to date for the roots that stay.
func (a *applying) relist() error {
	for _, u := range a.untags {
		if err := a.store.refreshTagListing(a.ctx, a.tx, u.Root.Repository, u.Root.Digest, u.Tag); err != nil {
			return err
		}
	}
	again := map[removal.Key]bool{}
	for _, t := range a.taken {
		for _, r := range t.Roots {
			if again[r.Key] {
				continue
			}
			again[r.Key] = true
			if err := a.store.refreshListing(a.ctx, a.tx, r.Repository, r.Digest); err != nil {
				return err
			}
		}
	}
	return nil
}

// summary is what people are told of a removal that can be undone.
type summary struct {
	Prune  bool              `json:"prune"`
	Names  []image.Reference `json:"names"`
	IDs    []image.Digest    `json:"ids"`
	Items  int               `json:"items"`
	Images int               `json:"images"`
	Freed  int64             `json:"freed"`
}

// namedInSummary is how many references, and image IDs, a summary names.
const namedInSummary = 5

func summaryOf(plan image.RemovalPlan) summary {
	s := summary{Prune: plan.Prune != nil, Items: plan.Totals.Items - plan.Totals.Refused, Images: plan.Totals.Images, Freed: plan.Totals.Freed}
	name := func(ref image.Reference) {
		if len(s.Names) < namedInSummary {
			s.Names = append(s.Names, ref)
		}
	}
	for _, byTag := range []bool{true, false} {
		for _, ref := range plan.Untagged {
			if (ref.Tag != "") == byTag {
				name(ref)
			}
		}
	}
	for _, item := range plan.Items {
		switch {
		case item.Refusal != nil || s.Prune:
		case item.Item.ID != "" && len(s.IDs) < namedInSummary:
			s.IDs = append(s.IDs, item.Item.ID)
		case len(plan.Untagged) == 0 && item.Item.ID == "": // a platform
			name(item.Item.Reference)
		}
	}
	return s
}

// insertRemoval notes a removal that can be undone until a time.
func insertRemoval(ctx context.Context, tx *sql.Tx, p image.RemovalPlan, at int64, by string, until time.Time) (id int64, err error) {
	told, err := json.Marshal(summaryOf(p))
	if err != nil {
		return 0, err
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO removals (at, by, until, summary) VALUES (?, ?, ?, ?)`, at, by, millis(until), string(told))
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}
