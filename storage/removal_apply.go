package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/shelf/removal"
	"github.com/stowage/stowage/storage/database"
)

// Removals deletes, prunes and undoes either, one at a time: it plans on a snapshot, and carries out in batches.
type Removals struct {
	db        *database.DB
	blobs     *Blobs
	lists     *Lists
	layers    *layers
	downloads *Downloads
	log       *slog.Logger
	now       func() time.Time
	window    time.Duration // in which a deletion can be undone
	changed   func()        // called when what is stored has changed

	turn  chan struct{}
	rows  int                      // about how many rows the first batch takes
	fixed bool                     // so do the others, however long they take: in tests
	pause func(took time.Duration) // after each batch but the last: in tests; else nil
}

// Batches take as many rows as can be written in batchTime, or a little more. Undoing one takes twice as long.
const (
	batchTime = 20 * time.Millisecond
	firstRows = 600
	mostRows  = 20_000
)

// begin waits until no other removal or undo is carried out, and undoes one that was cut off.
func (s *Removals) begin(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := s.undoParts(ctx)
	if err != nil {
		s.end()
	}
	return err
}

func (s *Removals) end() { <-s.turn }

// next is how many rows a batch takes after one of so many has taken so long.
func (s *Removals) next(rows int, took time.Duration) int {
	if s.fixed {
		return rows
	}
	wanted := int(int64(rows) * int64(batchTime) / max(1, int64(took)))
	return min(max(wanted, rows/4, 50), rows+rows/4, mostRows) // one that was quick by chance is followed by no large one
}

// errTouched says that somebody changed what a plan takes while it was carried out.
var errTouched = errors.New("somebody changed what is being deleted")

// carryOut deletes a plan's rows, in batches between which others write. Within the window they are kept for an undo,
// and the files wait that long. When it cannot be finished, what was done is undone. It goes on after ctx ends, once
// it has begun.
func (s *Removals) carryOut(ctx context.Context, p removal.Plan, change int64,
	by image.Actor) (int64, time.Time, error) {
	c := &carrying{
		of: s, plan: p.Shown, rest: newRest(p), by: by, at: database.Millis(s.now()), window: s.window, change: change,
	}
	err := c.all(ctx, s.rows)
	if err != nil && c.part > 0 {
		ctx = context.WithoutCancel(ctx)
		if _, failed := s.undoAll(ctx, c.id, by, image.ActionTend); failed != nil {
			return 0, time.Time{}, errors.Join(err, failed)
		}
	}
	if image.KindOf(err) == image.DiskFull && (s.window > 0 || c.id != 0) {
		// What is needed to undo it takes space. Deleting has to work on a full disk all the same.
		s.log.Warn("the disk is full: what is deleted cannot be undone", "error", err)
		c = &carrying{of: s, plan: p.Shown, rest: newRest(p), by: by, at: c.at, change: change}
		err = c.all(ctx, math.MaxInt)
	}
	if err != nil || c.window == 0 {
		return 0, time.Time{}, err
	}
	return c.id, database.FromMillis(c.sweep()), nil
}

// carrying is a plan that is being carried out.
type carrying struct {
	of     *Removals
	plan   shelf.RemovalPlan
	rest   *rest
	by     image.Actor
	at     int64
	window time.Duration
	id     int64 // of the removal; 0 where it needs none
	part   int   // batches that are done
	change int64 // the last one that the plan, or a batch of it, knows of
	moved  bool  // somebody else has changed something since
}

// subject returns what goes, where that is one thing.
func (c *carrying) subject() string {
	if len(c.plan.Asked.Items) == 1 {
		return c.plan.Asked.Items[0].Name()
	}
	return ""
}

// sweep is from when on the files may go.
func (c *carrying) sweep() int64 { return c.at + c.window.Milliseconds() }

// all carries out one batch after the other, the first of about so many rows.
func (c *carrying) all(ctx context.Context, rows int) error {
	for {
		b := c.rest.next(rows)
		var began time.Time
		by, action, subject := image.Server, image.ActionTend, ""
		if c.rest.empty() { // with the last one it is done
			by, action, subject = c.by, image.ActionDelete, c.subject()
		}
		err := c.of.db.Free(ctx, by, action, subject, func(tx *sql.Tx) error {
			began = time.Now() // it has had its turn
			return c.one(ctx, tx, b)
		})
		if err != nil {
			return err
		}
		c.part++
		if c.rest.empty() {
			return nil
		}
		ctx = context.WithoutCancel(ctx)
		took := time.Since(began)
		rows = c.of.next(rows, took)
		if c.of.pause != nil {
			c.of.pause(took)
		}
	}
}

// one carries out a batch, if what it takes is still as it was planned. A removal of one batch that cannot be undone
// keeps nothing; of several, rows are kept until the last one is done.
func (c *carrying) one(ctx context.Context, tx *sql.Tx, b *batch) error {
	change, err := database.ChangeNumber(ctx, tx)
	if err != nil {
		return err
	}
	if c.moved = c.moved || change != c.change+1; c.moved { // the batch is a change itself
		if err := c.holds(questions{ctx, tx}, b); err != nil {
			return err
		}
	}
	if c.window > 0 || c.part > 0 || !c.rest.empty() {
		if err := c.keepFor(ctx, tx, b); err != nil {
			return fmt.Errorf("keep what is deleted: %w", err)
		}
	}
	a := applying{ctx: ctx, tx: tx, of: c.of, batch: b, by: c.by, at: c.at, sweep: c.sweep()}
	if err := a.apply(); err != nil {
		return err
	}
	c.change = change
	return nil
}

// keepFor keeps what a batch takes. The removal is whole with its last batch.
func (c *carrying) keepFor(ctx context.Context, tx *sql.Tx, b *batch) (err error) {
	whole := c.rest.empty()
	if c.part == 0 {
		c.id, err = insertRemoval(ctx, tx, c.plan, c.at, c.by.Name, c.sweep(), whole)
	} else if whole {
		_, err = tx.ExecContext(ctx, `UPDATE removals SET whole = 1 WHERE id = ?`, c.id)
	}
	if err != nil {
		return err
	}
	k := copies{ctx: ctx, tx: tx, id: c.id, part: c.part * partsOfBatch}
	return k.keep(b)
}

// holds looks whether the roots of a batch are as the plan has them: their tags, pins and wishes, and of images that
// go by themselves who reaches them. What somebody came to use below them stays, as if it had come after the removal.
func (c *carrying) holds(qs questions, b *batch) error {
	found := map[removal.Key]bool{}
	err := qs.Tags(slices.Collect(maps.Keys(b.expected)), 0, func(r removal.Root) {
		want := b.expected[r.Key]
		matters := c.plan.Prune != nil && !c.plan.Prune.Unused.IsZero()
		found[r.Key] = r.ByDigest == want.ByDigest && r.Tags == want.Tags && (r.Pulled == want.Pulled || !matters)
	})
	if err != nil {
		return err
	}
	point := 0 // of the tags, those that point where they should
	err = ask(qs, b.tags, database.ChunkSize, func(*sql.Rows) (bool, error) { point++; return false, nil }, pointingQuery)
	if err == nil && point < len(b.tags) {
		return errTouched
	}
	if err != nil {
		return err
	}
	if !c.plan.Asked.Force {
		err = qs.Pins(b.unpinned, func(at removal.Key, _ shelf.Pin) { found[at] = false })
	}
	for at := range b.expected {
		if !found[at] {
			return errors.Join(err, errTouched)
		}
	}
	for _, t := range b.taken {
		above := map[removal.Key]bool{}
		manifest := []image.Digest{t.Manifest}
		err = errors.Join(err, qs.Above(manifest, -1, func(_ image.Digest, at removal.Key) { above[at] = true }))
		for _, r := range t.Roots {
			delete(above, r.Key)
		}
		if len(above) > 0 {
			return errors.Join(err, errTouched)
		}
	}
	return err
}

// pointingQuery selects those of a list of tags that point where the list says.
const pointingQuery = `SELECT 1 FROM json_each(?1) j CROSS JOIN tags t ON t.repository_id = j.value ->> 0
	AND t.name = j.value ->> 1 AND t.digest = j.value ->> 2`

// applying is a batch that is being carried out.
type applying struct {
	ctx context.Context
	tx  *sql.Tx
	of  *Removals
	*batch
	by        image.Actor
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
	return database.InChunks(all, database.ChunkSize, func(list string) error {
		_, err := a.tx.ExecContext(a.ctx, statement, append([]any{list}, args...)...)
		return err
	})
}

// untag takes tags away, and forgets that somebody asked for a digest.
func (a *applying) untag() error {
	err := over(a, a.tags, `INSERT INTO tag_history (repository, tag, event, old_digest, new_digest, at, by)
		SELECT r.name, t.name, '`+shelf.TagDeleted+`', t.digest, '', ?2, ?3 FROM json_each(?1) j
		CROSS JOIN tags t ON t.repository_id = j.value ->> 0 AND t.name = j.value ->> 1
		CROSS JOIN repositories r ON r.id = t.repository_id ORDER BY j.key`, a.at, a.by.Name)
	if err != nil {
		return err
	}
	err = over(a, a.tags, `DELETE FROM tags WHERE (repository_id, name)`+listedPairs)
	if err != nil {
		return err
	}
	return over(a, keysOf(a.forgotten), `UPDATE repository_digests SET by_digest = 0
		WHERE (repository_id, digest)`+listedPairs)
}

// dropRoots deletes roots that have no tags any more, and repositories that know nothing any more.
func (a *applying) dropRoots() error {
	for _, table := range []string{"repository_digests", "listing"} {
		if err := over(a, keysOf(a.roots), `DELETE FROM `+table+` WHERE (repository_id, digest)`+listedPairs); err != nil {
			return err
		}
	}
	repositories := map[int64]bool{}
	for _, r := range a.roots {
		repositories[r.Repository] = true
	}
	ids := slices.Collect(maps.Keys(repositories))
	reached, err := database.ListFor(ids)
	if err != nil {
		return err
	}
	for _, documents := range [][]image.Digest{a.images, a.indexes} {
		if err := over(a, documents, forgetHanded, reached); err != nil {
			return err
		}
	}
	return over(a, ids, `DELETE FROM repositories WHERE id IN (SELECT value FROM json_each(?))
		AND NOT EXISTS (SELECT 1 FROM repository_digests WHERE repository_id = repositories.id)`)
}

// forgetHanded forgets how often repositories ?2 handed out what of ?1 they no longer lead to; the rest goes with its
// tag or document.
const forgetHanded = `DELETE FROM handed_digests WHERE digest IN (SELECT value FROM json_each(?1))
	AND repository_id IN (SELECT value FROM json_each(?2))
	AND NOT EXISTS (WITH RECURSIVE up (digest) AS (VALUES (handed_digests.digest)` + upRest + `
		SELECT 1 FROM up JOIN repository_digests d ON d.repository_id = handed_digests.repository_id
		AND d.digest = up.digest)`

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
	attestations, err := a.digests(images, `SELECT DISTINCT attestation_digest FROM image_attestations
		WHERE manifest_digest`+listed)
	if err != nil {
		return err
	}
	configs, err := a.digests(images, `SELECT config_digest FROM images WHERE manifest_digest`+listed)
	if err != nil {
		return err
	}
	attested, err := a.digests(attestations, `SELECT DISTINCT blob_digest FROM attestation_blobs
		WHERE attestation_digest`+listed)
	if err != nil {
		return err
	}
	for _, d := range []struct {
		of        []image.Digest
		statement string
	}{
		{images, `DELETE FROM images WHERE manifest_digest` + listed},
		{layers, `DELETE FROM layers WHERE digest` + listed + ` AND NOT EXISTS (SELECT 1 FROM image_layers
			WHERE layer_digest = layers.digest)`},
		{attestations, `DELETE FROM attestations WHERE digest` + listed +
			` AND NOT EXISTS (SELECT 1 FROM image_attestations WHERE attestation_digest = attestations.digest)`},
		{images, `DELETE FROM manifests WHERE digest` + listed},
		{indexes, `DELETE FROM manifests WHERE digest` + listed},
	} {
		if err := over(a, d.of, d.statement); err != nil {
			return err
		}
	}
	var gone [][2]any
	err = database.InChunks(once(slices.Concat(images, configs, layers, attested, indexes)), database.ChunkSize,
		func(list string) error {
			some, err := database.RowsOf(a.ctx, a.tx,
				func(rows *sql.Rows) (b [2]any, err error) { return b, rows.Scan(&b[0], &b[1]) },
				`DELETE FROM blobs WHERE digest`+listed+needless+` RETURNING digest, size`, list)
			gone = append(gone, some...)
			return err
		})
	if err != nil {
		return err
	}
	return over(a, gone, awaitSweep, a.sweep)
}

const (
	// unreached selects those of a list of images and indexes that no root reaches.
	unreached = `SELECT j.value FROM json_each(?1) j
		WHERE NOT EXISTS (WITH RECURSIVE up (digest) AS (VALUES (j.value)` + upRest + `
		SELECT 1 FROM up CROSS JOIN repository_digests d ON d.digest = up.digest)`

	// needless holds of blobs that no row has any more.
	needless = ` AND NOT EXISTS (SELECT 1 FROM manifests WHERE digest = blobs.digest)
		AND NOT EXISTS (SELECT 1 FROM layers WHERE digest = blobs.digest)
		AND NOT EXISTS (SELECT 1 FROM images WHERE config_digest = blobs.digest)
		AND NOT EXISTS (SELECT 1 FROM attestation_blobs WHERE blob_digest = blobs.digest)`

	// awaitSweep notes when files are to be swept.
	awaitSweep = `INSERT INTO waiting_blobs (digest, size, sweep_at) SELECT value ->> 0, value ->> 1, ?2 FROM json_each(?1)
		WHERE true ON CONFLICT DO UPDATE SET sweep_at = excluded.sweep_at`
)

// digests runs a query for a list of digests that selects others.
func (a *applying) digests(of []image.Digest, query string) (found []image.Digest, err error) {
	err = database.InChunks(of, database.ChunkSize, func(list string) error {
		some, err := database.RowsOf(a.ctx, a.tx, database.ScanDigest, query, list)
		found = append(found, some...)
		return err
	})
	return once(found), err
}

// relist brings the list up to date for the roots that stay.
func (a *applying) relist() error {
	err := over(a, a.split, `DELETE FROM listing WHERE (repository_id, tag, digest) IN (
		SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1))`)
	if err != nil {
		return err
	}
	for _, u := range a.untags {
		if err := a.of.lists.refreshTagListing(a.ctx, a.tx, u.Root.Repository, u.Root.Digest, u.Tag); err != nil {
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
			if err := a.of.lists.refreshListing(a.ctx, a.tx, r.Repository, r.Digest); err != nil {
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

func summaryOf(plan shelf.RemovalPlan) summary {
	totals := plan.Totals
	s := summary{
		Prune: plan.Prune != nil, Items: totals.Items - totals.Refused, Images: totals.Images, Freed: totals.Freed,
	}
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
func insertRemoval(
	ctx context.Context, tx *sql.Tx, p shelf.RemovalPlan, at int64, by string, until int64, whole bool,
) (int64, error) {
	told, err := json.Marshal(summaryOf(p))
	if err != nil {
		return 0, err
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO removals (at, by, until, summary, whole) VALUES (?, ?, ?, ?, ?)`,
		at, by, until, string(told), whole)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}
