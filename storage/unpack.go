package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/image/layer"
)

// unpacker reads each stored layer once as a stream, one layer at a time and after the pull has ended: it
// proves the diff ID and records the unpacked size as docker counts it. A layer that turns out wrong marks
// the images that use it as broken.
type unpacker struct {
	store  *Store
	limits func(compressed int64) layer.Limits
	kick   chan struct{}

	mu   sync.Mutex
	rest chan struct{} // closed, and made anew, each time nothing is left to do
}

func newUnpacker(s *Store) *unpacker {
	return &unpacker{store: s, limits: layer.DefaultLimits, kick: make(chan struct{}, 1), rest: make(chan struct{})}
}

// resting gives a channel that is closed when the unpacker next has nothing left to do.
func (u *unpacker) resting() <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.rest
}

func (u *unpacker) rested() {
	u.mu.Lock()
	defer u.mu.Unlock()
	close(u.rest)
	u.rest = make(chan struct{})
}

func (u *unpacker) wake() {
	select {
	case u.kick <- struct{}{}:
	default:
	}
}

func (u *unpacker) run(ctx context.Context) {
	for {
		if err := u.drain(ctx); err != nil && ctx.Err() == nil {
			u.store.log.Error("unpack layers", "error", err)
		}
		u.rested()
		select {
		case <-ctx.Done():
			return
		case <-u.kick:
		}
	}
}

// drain unpacks every pending layer once. One that cannot be read stays pending, for the next time.
func (u *unpacker) drain(ctx context.Context) error {
	after := image.Digest("")
	for ctx.Err() == nil {
		var d image.Digest
		err := u.store.read.QueryRowContext(ctx, `SELECT digest FROM layers WHERE state = 'pending' AND digest > ? ORDER BY digest LIMIT 1`, after).Scan(&d)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		after = d
		if err := u.one(ctx, d); err != nil {
			return fmt.Errorf("layer %s: %w", d, err)
		}
	}
	return ctx.Err()
}

func (u *unpacker) one(ctx context.Context, d image.Digest) error {
	result, err := u.read(ctx, d)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, layer.ErrSource): // not the layer's fault: it stays pending
		if kind := image.KindOf(err); kind != image.NotFound && kind != image.Damaged { // deleted since it was listed, or known
			u.store.log.Error("read a layer", "digest", d, "error", err)
		}
		return nil
	case err != nil: // damaged, or over the limits that keep the server safe
		u.store.log.Warn("layer cannot be unpacked", "digest", d, "error", err)
		return u.store.settleLayer(ctx, d, layerBroken, layer.Result{}, layer.Reason(err))
	}
	return u.store.settleLayer(ctx, d, layerVerified, result, image.Text{})
}

func (u *unpacker) read(ctx context.Context, d image.Digest) (layer.Result, error) {
	// What the disk has damaged must not be taken for the author's fault.
	if err := u.store.blobs.Prove(ctx, d, nil); err != nil {
		return layer.Result{}, fmt.Errorf("%w: %w", layer.ErrSource, err)
	}
	// No hold: deleting the layer meanwhile must free its space, and the open file stays readable.
	f, err := u.store.blobs.Open(d)
	if err != nil {
		return layer.Result{}, fmt.Errorf("%w: %w", layer.ErrSource, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return layer.Result{}, fmt.Errorf("%w: %w", layer.ErrSource, err)
	}
	return layer.Inspect(ctx, f, u.limits(info.Size()))
}

// settleLayer writes what unpacking found and settles the images that use the layer.
func (s *Store) settleLayer(ctx context.Context, d image.Digest, state string, r layer.Result, problem image.Text) error {
	defer s.settled.ring()
	return s.update(ctx, func(tx *sql.Tx) error { return s.settleLayerIn(ctx, tx, d, state, r, problem) })
}

func (s *Store) settleLayerIn(ctx context.Context, tx *sql.Tx, d image.Digest, state string, r layer.Result, problem image.Text) error {
	var unpacked, entries any // unknown of a layer that could not be read to its end
	if state == layerVerified {
		unpacked, entries = r.UnpackedSize, r.Entries
	}
	_, err := tx.ExecContext(ctx, `UPDATE layers SET state = ?, diff_id = ?, unpacked = ?, entries = ?, problem = ? WHERE digest = ?`,
		state, r.DiffID, unpacked, entries, textColumn{&problem}, d)
	if err != nil {
		return err
	}
	manifests, err := rowsOf(ctx, tx, func(rows *sql.Rows) (m image.Digest, err error) { return m, rows.Scan(&m) },
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
func (s *Store) settleImage(ctx context.Context, tx *sql.Tx, manifest image.Digest) error {
	type part struct {
		layer, claimed, proved image.Digest
		state                  string
		problem                image.Text
		unpacked               sql.NullInt64
	}
	parts, err := rowsOf(ctx, tx, func(rows *sql.Rows) (p part, err error) {
		return p, rows.Scan(&p.layer, &p.claimed, &p.proved, &p.state, textColumn{&p.problem}, &p.unpacked)
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
		WHERE manifest_digest = ?4 AND (broken <> ?1 OR unpacked IS NOT CASE WHEN ?2 THEN ?3 END)`, textColumn{&broken}, known && broken.Empty(), unpacked, manifest)
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
	return s.refreshListingsOf(ctx, tx, manifest)
}

// AwaitUnpacked waits until every layer that is stored now has been unpacked or found broken, or cannot be
// read, or until ctx ends.
func (s *Store) AwaitUnpacked(ctx context.Context) error {
	for range 2 { // the first rest may end a round that had begun before
		rest := s.unpack.resting()
		var pending bool
		err := s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM layers WHERE state = 'pending')`).Scan(&pending)
		if err != nil || !pending {
			return err
		}
		s.unpack.wake()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-rest:
		}
	}
	return nil
}
