package database

import (
	"context"
	"database/sql"
	"errors"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/blob"
)

// Recorder writes, in the transaction of a change, who made it.
type Recorder func(ctx context.Context, tx *sql.Tx, by image.Actor, action image.Action, subject string) error

// RecordTo has r write down every change that somebody makes from now on.
func (d *DB) RecordTo(r Recorder) { d.recorder.Store(&r) }

// Change runs f in the one write transaction at a time: somebody does something to a subject, a reference or a digest,
// which is empty where it is about several. What is remembered of the shelf as it was before is so no more.
func (d *DB) Change(
	ctx context.Context, by image.Actor, action image.Action, subject string, f func(tx *sql.Tx) error,
) error {
	change, err := d.numbered(ctx, func(tx *sql.Tx) error {
		record := d.recorder.Load()
		if err := f(tx); err != nil || record == nil || action == image.ActionTend {
			return err
		}
		return (*record)(ctx, tx, by, action, subject)
	})
	for err == nil { // before anybody is told: nobody may look up what was before
		known := d.changes.Load()
		if change <= known || d.changes.CompareAndSwap(known, change) {
			break
		}
	}
	return err
}

// Tend is Change for what the server does by itself: it brings what is known of the shelf up to date.
func (d *DB) Tend(ctx context.Context, subject string, f func(tx *sql.Tx) error) error {
	return d.Change(ctx, image.Server, image.ActionTend, subject, f)
}

// Free is Change for what makes room: on a full disk it gets the blocks of the ballast.
func (d *DB) Free(ctx context.Context, by image.Actor, action image.Action, subject string,
	f func(tx *sql.Tx) error) error {
	if d.volume.YieldBallast() {
		d.log.Warn("the disk is full: what was kept for that is used, so that something can be deleted",
			"file", blob.BallastName)
	}
	return d.Change(ctx, by, action, subject, f)
}

// Count runs f as Change does, for what the list and plans depend on and nothing that is remembered.
func (d *DB) Count(ctx context.Context, f func(tx *sql.Tx) error) error {
	_, err := d.numbered(ctx, f)
	return err
}

// Note runs f as Change does, for what neither the list nor a plan nor anything that is remembered depends on.
func (d *DB) Note(ctx context.Context, f func(tx *sql.Tx) error) error { return inTx(ctx, d.write, f) }

// Changes returns the number of the newest Change: what was looked up before that is not remembered after it.
func (d *DB) Changes() int64 { return d.changes.Load() }

// ChangeNumber returns the number of the newest change, counts included, that q sees.
func ChangeNumber(ctx context.Context, q Querier) (n int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT changes FROM totals`).Scan(&n)
	return n, err
}

// numbered runs f in a transaction that has a number.
func (d *DB) numbered(ctx context.Context, f func(tx *sql.Tx) error) (change int64, err error) {
	err = inTx(ctx, d.write, func(tx *sql.Tx) error {
		// First of all, because triggers note which change they belong to.
		if err := tx.QueryRowContext(ctx, `UPDATE totals SET changes = changes + 1 RETURNING changes`).
			Scan(&change); err != nil {
			return err
		}
		return f(tx)
	})
	return change, err
}

func inTx(ctx context.Context, db *sql.DB, f func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing, before it the first error counts
	if err = f(tx); err == nil {
		err = tx.Commit()
	}
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil { // what the end of ctx has rolled back
		return ctx.Err()
	}
	return err
}
