package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/image/layer"
	"github.com/stowage/stowage/storage/database"
)

// one unpacks a layer and records what was found. One that cannot be read stays pending, for the next time; errHeavy
// where it has to be read by itself.
func (u *Unpacker) one(ctx context.Context, d image.Digest, alone bool) error {
	result, err := u.read(ctx, d, alone)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errHeavy):
		return err
	case errors.Is(err, layer.ErrSource): // not the layer's fault
		return fmt.Errorf("read it: %w", err)
	case err != nil: // damaged, or over the limits that keep the server safe
		u.log.Warn("layer cannot be unpacked", "digest", d, "error", err)
		return u.layers.settleLayer(ctx, d, layerBroken, image.Unpacked{}, layer.Reason(err))
	}
	return u.layers.settleLayer(ctx, d, layerVerified, result.Unpacked, image.Text{})
}

func (u *Unpacker) read(ctx context.Context, d image.Digest, alone bool) (layer.Result, error) {
	// What the disk has damaged must not be taken for the author's fault.
	if err := u.blobs.Prove(ctx, d, nil); err != nil {
		return layer.Result{}, fmt.Errorf("%w: %w", layer.ErrSource, err)
	}
	// No hold: deleting the layer meanwhile must free its space, and the open file stays readable.
	f, err := u.blobs.Open(d)
	if err != nil {
		return layer.Result{}, fmt.Errorf("%w: %w", layer.ErrSource, err)
	}
	defer f.Close()
	content := io.NewSectionReader(f, 0, f.Size())
	most := u.limits(f.Size())
	if alone {
		return layer.Inspect(ctx, content, most)
	}
	limits, light := lightLimits(f.Size(), most)
	if !light {
		return layer.Result{}, errHeavy
	}
	result, err := layer.Inspect(ctx, content, limits)
	if limits != most && (errors.Is(err, layer.ErrTooLarge) || errors.Is(err, layer.ErrTooManyEntries)) {
		return layer.Result{}, errHeavy
	}
	return result, err
}

// layers are the rows of what unpacking has found out.
type layers struct {
	db      *database.DB
	lists   *Lists
	settled bell // rings when something was found out
}

// settleLayer writes what unpacking found and settles the images that use the layer.
func (s *layers) settleLayer(ctx context.Context, d image.Digest, state string, r image.Unpacked,
	problem image.Text) error {
	err := s.db.Tend(ctx, string(d), func(tx *sql.Tx) error { return s.settleLayerIn(ctx, tx, d, state, r, problem) })
	if err == nil { // else whoever waits would have the layer read again, and again
		s.settled.ring()
	}
	return err
}

func (s *layers) settleLayerIn(ctx context.Context, tx *sql.Tx, d image.Digest, state string, r image.Unpacked,
	problem image.Text) error {
	var unpacked, entries any // unknown of a layer that could not be read to its end
	if state == layerVerified {
		unpacked, entries = r.UnpackedSize, r.Entries
	}
	_, err := tx.ExecContext(ctx, `UPDATE layers SET state = ?, diff_id = ?, unpacked = ?, entries = ?, problem = ?
		WHERE digest = ?`,
		state, r.DiffID, unpacked, entries, database.TextColumn{Text: &problem}, d)
	if err != nil {
		return err
	}
	manifests, err := database.RowsOf(ctx, tx,
		func(rows *sql.Rows) (m image.Digest, err error) { return m, rows.Scan(&m) },
		`SELECT DISTINCT manifest_digest FROM image_layers WHERE layer_digest = ?`, d)
	if err != nil {
		return err
	}
	for _, m := range manifests {
		if err := s.settleImage(ctx, tx, m); err != nil {
			return err
		}
	}
	return nil
}

// settleImage marks an image broken when a layer of it is, or when a diff ID is not the one its config
// claims, and adds the unpacked sizes up once each layer has one. The list follows when anything changed.
func (s *layers) settleImage(ctx context.Context, tx *sql.Tx, manifest image.Digest) error {
	type part struct {
		layer, claimed, proved image.Digest
		state                  string
		problem                image.Text
		unpacked               sql.NullInt64
	}
	parts, err := database.RowsOf(ctx, tx, func(rows *sql.Rows) (p part, err error) {
		return p, rows.Scan(&p.layer, &p.claimed, &p.proved, &p.state, database.TextColumn{Text: &p.problem}, &p.unpacked)
	}, `SELECT il.layer_digest, il.diff_id, l.diff_id, l.state, l.problem, l.unpacked FROM image_layers il
		JOIN layers l ON l.digest = il.layer_digest WHERE il.manifest_digest = ? ORDER BY il.position`, manifest)
	if err != nil {
		return err
	}
	broken, known, unpacked := image.Text{}, true, int64(0)
	for _, p := range parts {
		switch {
		case p.state == layerPending:
			known = false
		case p.state == layerBroken:
			broken = notUnpacked(p.layer, p.problem).Text()
		case p.proved != p.claimed:
			broken = wrongDiffID(p.layer, p.claimed, p.proved).Text()
		}
		unpacked += p.unpacked.Int64
	}
	if !known && broken.Empty() {
		return nil
	}
	res, err := tx.ExecContext(ctx, `UPDATE images SET broken = ?1, unpacked = CASE WHEN ?2 THEN ?3 END
		WHERE manifest_digest = ?4 AND (broken <> ?1 OR unpacked IS NOT CASE WHEN ?2 THEN ?3 END)`,
		database.TextColumn{Text: &broken}, known && broken.Empty(), unpacked, manifest)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	if !broken.Empty() {
		if err := breakPulls(ctx, tx, manifest); err != nil {
			return err
		}
	}
	return s.lists.refreshListingsOf(ctx, tx, manifest)
}

// AwaitUnpacked waits until every layer that is stored now has been unpacked or found broken, or cannot be
// read, or until ctx ends.
func (u *Unpacker) AwaitUnpacked(ctx context.Context) error {
	for range 2 { // the first rest may end a round that had begun before
		rest := u.rest.next()
		var pending bool
		err := u.layers.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM layers WHERE state = 'pending')`).Scan(&pending)
		if err != nil || !pending {
			return err
		}
		u.wake()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-rest:
		}
	}
	return nil
}
