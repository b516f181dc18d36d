package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/shelf/removal"
	"github.com/stowage/stowage/storage/database"
)

const removalColumns = `id, at, until, by, summary`

func scanRemoval(rows *sql.Rows) (shelf.Deletion, error) {
	var r shelf.Deletion
	var at, until int64
	var told []byte
	if err := rows.Scan(&r.ID, &at, &until, &r.By, &told); err != nil {
		return shelf.Deletion{}, err
	}
	var s summary
	if err := json.Unmarshal(told, &s); err != nil {
		return shelf.Deletion{}, fmt.Errorf("read deletion %d: %w", r.ID, err)
	}
	r.At, r.Until = database.FromMillis(at), database.FromMillis(until)
	r.Prune, r.Names, r.IDs, r.Items, r.Images, r.Freed = s.Prune, s.Names, s.IDs, s.Items, s.Images, s.Freed
	return r, nil
}

// Removals lists what can still be undone, newest first, 100 at most. What is being deleted or undone now is not among
// it.
func (s *Removals) Removals(ctx context.Context) ([]shelf.Deletion, error) {
	return database.RowsOf(ctx, s.db, scanRemoval, `SELECT `+removalColumns+` FROM removals WHERE until > ? AND whole = 1
		ORDER BY id DESC LIMIT 100`, database.Millis(s.now()))
}

// removal returns one that can still be undone.
func (s *Removals) removal(ctx context.Context, q database.Querier, id int64) (shelf.Deletion, error) {
	found, err := database.RowsOf(ctx, q, scanRemoval, `SELECT `+removalColumns+` FROM removals WHERE id = ?
		AND until > ?`, id, database.Millis(s.now()))
	if err == nil && len(found) == 0 {
		err = image.Errorf(image.NotFound, "there is no deletion %d that can be undone", id).
			Suggest("Its time is over, or somebody has undone it. Pull the images again.")
	}
	if err != nil {
		return shelf.Deletion{}, err
	}
	return found[0], nil
}

// Undo brings back what a removal took, as it was; what was pulled again meanwhile stays as it is. NotFound where the
// removal is unknown, undone or past its window, Conflict where something that it needs went in a later deletion or has
// been swept; nothing has changed then.
func (s *Removals) Undo(ctx context.Context, id int64, by image.Actor) (shelf.Undone, error) {
	if err := s.begin(ctx); err != nil {
		return shelf.Undone{}, err
	}
	defer s.end()
	var removal shelf.Deletion
	err := s.db.View(ctx, func(tx *sql.Tx) (err error) {
		if removal, err = s.removal(ctx, tx, id); err == nil {
			err = s.canUndo(ctx, tx, id)
		}
		return err
	})
	if err != nil {
		return shelf.Undone{}, err
	}
	done, err := s.undoAll(context.WithoutCancel(ctx), id, by, image.ActionDelete)
	if err != nil {
		return shelf.Undone{}, err
	}
	done.Removal = removal
	return done, nil
}

// canUndo looks whether a removal of several batches can be undone, before the first of them is: of one alone, its own
// transaction tells. No other deletion or sweep comes between.
func (s *Removals) canUndo(ctx context.Context, q database.Querier, id int64) error {
	newest, err := newestPart(ctx, q, id)
	if err != nil || newest < partsOfBatch {
		return err
	}
	type name [2]string
	needed, back := map[name]bool{}, map[name]bool{} // roots that tags and wishes need, and that come back
	note := func(of map[name]bool, query, rows string) error {
		return database.EachRow(ctx, q, func(rows *sql.Rows) (bool, error) {
			var n name
			err := rows.Scan(&n[0], &n[1])
			of[n] = true
			return false, err
		}, query, rows)
	}
	const missing = `SELECT j.value ->> 0, j.value ->> ?2 FROM json_each(?1) j WHERE NOT EXISTS (SELECT 1
		FROM repositories r
		CROSS JOIN repository_digests d ON d.repository_id = r.id WHERE r.name = j.value ->> 0 AND d.digest = j.value ->> ?2)`
	err = eachPart(ctx, q, id, 0, func(of, rows string) error {
		switch of {
		case "blobs":
			return s.prove(ctx, q, rows)
		case "repository_digests":
			return note(back, `SELECT value ->> 0, value ->> 1 FROM json_each(?)`, rows)
		case "tags":
			return note(needed, strings.ReplaceAll(missing, "?2", "2"), rows)
		case "by_digest":
			return note(needed, strings.ReplaceAll(missing, "?2", "1"), rows)
		}
		return nil
	})
	for n := range needed {
		if err == nil && !back[n] {
			return overtaken()
		}
	}
	return err
}

// undoParts undoes removals that were cut off in the middle. One that cannot be undone is left as far as it came.
func (s *Removals) undoParts(ctx context.Context) error {
	type part struct {
		id int64
		by string
	}
	parts, err := database.RowsOf(ctx, s.db,
		func(rows *sql.Rows) (p part, err error) { return p, rows.Scan(&p.id, &p.by) },
		`SELECT id, by FROM removals WHERE whole = 0 ORDER BY id DESC`)
	for _, p := range parts {
		if _, err := s.undoAll(ctx, p.id, image.ActorNamed(p.by), image.ActionTend); image.KindOf(err) == image.Conflict {
			s.log.Error("undo a deletion that was cut off", "removal", p.id, "error", err)
		} else if err != nil {
			return err
		} else {
			s.log.Warn("undid a deletion that was cut off", "removal", p.id)
		}
	}
	return err
}

// finishRemovals undoes what the last process left in the middle.
func (s *Removals) finishRemovals(ctx context.Context) {
	if err := s.begin(ctx); err == nil {
		s.end()
	} else if ctx.Err() == nil {
		s.log.Error("undo a deletion that was cut off", "error", err)
	}
}

// undoAll undoes the batches of a removal, the last one first, and others write between them; action is what the whole
// of it is. What cannot be undone any
// more is left as it is.
func (s *Removals) undoAll(ctx context.Context, id int64, by image.Actor,
	action image.Action) (done shelf.Undone, err error) {
	for more := true; more && err == nil; {
		var began time.Time
		began, more, err = s.undoBatch(ctx, id, by, action, &done)
		if more && err == nil && s.pause != nil {
			s.pause(time.Since(began))
		}
	}
	if image.KindOf(err) == image.Conflict {
		err = errors.Join(err, s.db.Note(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE removals SET whole = 1 WHERE id = ?`, id)
			return err
		}))
	}
	s.changed()
	return done, err
}

// undoBatch undoes the last batch of a removal that is left. It returns when it had its turn, and whether there are
// more.
func (s *Removals) undoBatch(
	ctx context.Context, id int64, by image.Actor, action image.Action, done *shelf.Undone,
) (began time.Time, more bool, err error) {
	var blobs []image.Digest
	newest, err := newestPart(ctx, s.db, id)
	first := newest - newest%partsOfBatch
	if err == nil {
		err = eachPart(ctx, s.db, id, first, func(of, rows string) error {
			if of != "blobs" {
				return nil
			}
			some, err := database.RowsOf(ctx, s.db, database.ScanDigest, `SELECT value ->> 0 FROM json_each(?)`, rows)
			blobs = append(blobs, some...)
			return err
		})
	}
	if err != nil {
		return began, false, err
	}
	defer s.blobs.Hold(blobs)() // so that what is found on disk stays until its row is there
	u := undoing{ctx: ctx, of: s, by: by, at: s.now(), changing: map[removal.Key]bool{}, done: *done}
	if first > 0 {
		by, action = image.Server, image.ActionTend // with the last one it is undone
	}
	err = s.db.Free(ctx, by, action, "", func(tx *sql.Tx) error {
		began, u.tx = time.Now(), tx
		if err := u.undo(id, first); err != nil {
			return err
		}
		end := `DELETE FROM removals WHERE id = ?1 AND ?2 = 0`
		if first > 0 {
			end = `UPDATE removals SET whole = 0 WHERE id = ?1`
			if _, err := tx.ExecContext(ctx, `DELETE FROM removed_rows WHERE removal_id = ?
				AND part >= ?`, id, first); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, end, id, first)
		return err
	})
	if err == nil {
		*done = u.done
	}
	return began, first > 0, err
}

// newestPart returns the number of the last part that is kept of a removal; 0 where there is none.
func newestPart(ctx context.Context, q database.Querier, id int64) (part int64, err error) {
	return part, q.QueryRowContext(ctx, `SELECT coalesce(max(part), 0) FROM removed_rows
		WHERE removal_id = ?`, id).Scan(&part)
}

// eachPart calls f with the kept rows of a removal from one part on, in their order.
func eachPart(ctx context.Context, q database.Querier, id, first int64, f func(of, rows string) error) error {
	parts, err := database.RowsOf(ctx, q, func(rows *sql.Rows) (part int, err error) { return part, rows.Scan(&part) },
		`SELECT part FROM removed_rows WHERE removal_id = ? AND part >= ? ORDER BY part`, id, first)
	if err != nil {
		return err
	}
	for _, part := range parts { // one at a time: all of them can be much
		var of, rows string
		if err := q.QueryRowContext(ctx, `SELECT of, rows FROM removed_rows WHERE removal_id = ?
			AND part = ?`, id, part).Scan(&of, &rows); err != nil {
			return err
		}
		if err := f(of, rows); err != nil {
			return err
		}
	}
	return nil
}

// undoing is an undo at work.
type undoing struct {
	ctx  context.Context
	tx   *sql.Tx
	of   *Removals
	by   image.Actor
	at   time.Time
	done shelf.Undone

	images   []image.Digest // that were not there
	roots    []removal.Root // that had gone
	changed  []removal.Key  // roots whose rows in the list are written anew, each once
	changing map[removal.Key]bool
	tagged   []taggedAgain // tags of roots that stayed
}

type taggedAgain struct {
	root removal.Key
	tag  string
}

// undo brings back the rows of a removal from one part on.
func (u *undoing) undo(id, first int64) error {
	err := eachPart(u.ctx, u.tx, id, first, func(of, rows string) error {
		switch of {
		case "blobs":
			if err := u.of.prove(u.ctx, u.tx, rows); err != nil {
				return err
			}
		case "tags":
			return u.tags(rows)
		case "by_digest":
			if err := u.forgotten(rows); err != nil {
				return err
			}
		case "images":
			return u.imagesBack(rows)
		case "handed_digests":
			return u.handedBack(rows)
		}
		if _, err := u.tx.ExecContext(u.ctx, backOf[of], rows); err != nil {
			return err
		}
		if of == "repository_digests" {
			return u.rootsBack(rows)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, step := range []func() error{u.settle, u.relist, u.tellDigests} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// overtaken is the answer where a later deletion took what an earlier one needs to be undone.
func overtaken() error {
	return image.Errorf(image.Conflict, "a later deletion took what this one left").
		Suggest("Undo the later deletion first.")
}

// prove refuses where the file of a blob is gone that no row has any more.
func (s *Removals) prove(ctx context.Context, q database.Querier, rows string) error {
	type blob struct {
		digest image.Digest
		size   int64
	}
	missing, err := database.RowsOf(ctx, q,
		func(rows *sql.Rows) (b blob, err error) { return b, rows.Scan(&b.digest, &b.size) },
		`SELECT value ->> 0, value ->> 1 FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM blobs
			WHERE digest = value ->> 0)`, rows)
	if err != nil {
		return err
	}
	for _, b := range missing {
		if !s.blobs.files.Has(b.digest, b.size) {
			return image.Errorf(image.Conflict, "parts of what was deleted have been swept from the disk").
				Suggest("Pull the images again.")
		}
	}
	return nil
}

func (u *undoing) imagesBack(rows string) error {
	back, err := database.RowsOf(u.ctx, u.tx, database.ScanDigest, backOf["images"]+` RETURNING manifest_digest`, rows)
	u.images = append(u.images, back...)
	return err
}

// handedBack brings counts back, also of digests that were pulled again meanwhile, whose rows in the list show them.
func (u *undoing) handedBack(rows string) error {
	return database.EachRow(u.ctx, u.tx, func(rows *sql.Rows) (bool, error) {
		var at removal.Key
		err := rows.Scan(&at.Repository, &at.Digest)
		u.change(at)
		return false, err
	}, backOf["handed_digests"]+` RETURNING repository_id, digest`, rows)
}

// tags brings tags back to where they pointed, but for those that are there again.
func (u *undoing) tags(rows string) error {
	type tag struct {
		ref  image.Reference
		root removal.Root
		now  image.Digest
	}
	all, err := database.RowsOf(u.ctx, u.tx, func(rows *sql.Rows) (t tag, err error) {
		err = rows.Scan(&t.ref.Repository, &t.ref.Tag, &t.root.Digest, &t.root.Repository, &t.now)
		return t, err
	}, `SELECT j.value ->> 0, j.value ->> 1, j.value ->> 2, coalesce(d.repository_id, 0), coalesce(t.digest, '')
		FROM json_each(?) j
		LEFT JOIN repositories r ON r.name = j.value ->> 0 LEFT JOIN repository_digests d ON d.repository_id = r.id
		AND d.digest = j.value ->> 2
		LEFT JOIN tags t ON t.repository_id = r.id AND t.name = j.value ->> 1 ORDER BY j.key`, rows)
	if err != nil {
		return err
	}
	for _, t := range all {
		if t.root.Repository == 0 {
			return overtaken()
		}
	}
	if _, err := u.tx.ExecContext(u.ctx, backOf["tags"], rows); err != nil {
		return err
	}
	for _, t := range all {
		switch {
		case t.now == t.root.Digest:
			continue
		case t.now != "":
			appendCapped(&u.done.Kept, t.ref)
			continue
		}
		appendCapped(&u.done.Restored, t.ref)
		err := writeHistory(u.ctx, u.tx, shelf.TagEvent{
			Repository: t.ref.Repository, Tag: t.ref.Tag, Event: shelf.TagRestored, New: t.root.Digest, At: u.at, By: u.by.Name,
		})
		if err != nil {
			return err
		}
		if !u.changing[t.root.Key] {
			u.tagged = append(u.tagged, taggedAgain{t.root.Key, t.ref.Tag})
		}
	}
	return nil
}

// forgotten notes digests that are asked for again, and refuses where one of them is gone.
func (u *undoing) forgotten(rows string) error {
	return database.EachRow(u.ctx, u.tx, func(rows *sql.Rows) (bool, error) {
		var at removal.Root
		if err := rows.Scan(&at.Name, &at.Digest, &at.Repository); err != nil {
			return true, err
		}
		if at.Repository == 0 {
			return true, overtaken()
		}
		u.change(at.Key)
		appendCapped(&u.done.Restored, at.Reference())
		return false, nil
	}, `SELECT j.value ->> 0, j.value ->> 1, coalesce(d.repository_id, 0) FROM json_each(?) j
		LEFT JOIN repositories r ON r.name = j.value ->> 0
		LEFT JOIN repository_digests d ON d.repository_id = r.id AND d.digest = j.value ->> 1 ORDER BY j.key`, rows)
}

// appendCapped adds to a list of references while it has room.
func appendCapped(list *[]image.Reference, ref image.Reference) {
	if len(*list) < shelf.MaxPlanLines {
		*list = append(*list, ref)
	}
}

func (u *undoing) change(at removal.Key) {
	if !u.changing[at] {
		u.changing[at] = true
		u.changed = append(u.changed, at)
	}
}

// rootsBack notes roots that came back.
func (u *undoing) rootsBack(rows string) error {
	return database.EachRow(u.ctx, u.tx, func(rows *sql.Rows) (bool, error) {
		var r removal.Root
		err := rows.Scan(&r.Name, &r.Digest, &r.ByDigest, &r.Repository)
		u.roots = append(u.roots, r)
		u.change(r.Key)
		return false, err
	}, `SELECT j.value ->> 0, j.value ->> 1, j.value ->> 2, r.id FROM json_each(?) j
		JOIN repositories r ON r.name = j.value ->> 0 ORDER BY j.key`, rows)
}

// tellDigests reports the roots that people know by their digest.
func (u *undoing) tellDigests() error {
	for _, r := range u.roots {
		told := r.ByDigest
		if !told {
			err := u.tx.QueryRowContext(u.ctx, `SELECT NOT EXISTS (SELECT 1 FROM tags WHERE digest = ?
				AND repository_id = ?)`, r.Digest, r.Repository).Scan(&told)
			if err != nil {
				return err
			}
		}
		if told {
			appendCapped(&u.done.Restored, r.Reference())
		}
	}
	return nil
}

// settle adds up what images unpack to whose layers another pull brought meanwhile, and finds every digest that has a
// platform again. An image that no digest leads to any more went with it in a later deletion.
func (u *undoing) settle() error {
	reached := map[image.Digest]bool{}
	err := questions{u.ctx, u.tx}.Above(u.images, -1, func(bottom image.Digest, at removal.Key) {
		reached[bottom] = true
		u.change(at)
	})
	if err != nil {
		return err
	}
	for _, d := range u.images {
		if !reached[d] {
			return overtaken()
		}
		if err := u.of.layers.settleImage(u.ctx, u.tx, d); err != nil {
			return err
		}
	}
	return nil
}

// relist brings the list up to date, once every row is there that it shows.
func (u *undoing) relist() error {
	for _, t := range u.tagged {
		if u.changing[t.root] {
			continue
		}
		if err := u.of.lists.refreshTagListing(u.ctx, u.tx, t.root.Repository, t.root.Digest, t.tag); err != nil {
			return err
		}
	}
	for _, at := range u.changed {
		if err := u.of.lists.refreshListing(u.ctx, u.tx, at.Repository, at.Digest); err != nil {
			return err
		}
	}
	return nil
}
