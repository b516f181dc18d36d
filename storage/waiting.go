package storage

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

const (
	sweptAtOnce = 1000      // files whose rows go in one transaction
	partsAtOnce = 20        // kept parts of removals that go in one transaction: up to some 100 kB each
	longestRest = time.Hour // between two looks at what is due: the clock may be set
)

// Sweep removes the files of everything that waits to be swept now, and so gives up undoing it. What a running pull
// holds goes after that. It returns the files removed and their bytes.
func (k *Janitor) Sweep(ctx context.Context, by image.Actor) (files int, bytes int64, err error) {
	if err := k.removals.begin(ctx); err != nil {
		return 0, 0, err
	}
	defer k.removals.end()
	k.work.Lock()
	defer k.work.Unlock()
	var first shelf.Freed
	if err = k.endWaiting(ctx, by); image.KindOf(err) == image.DiskFull {
		if first, err = k.sweepFirst(ctx); err == nil {
			err = k.endWaiting(ctx, by)
		}
	}
	if err != nil {
		return first.Files, first.Bytes, err
	}
	files, bytes, err = k.round(context.WithoutCancel(ctx))
	return max(files, first.Files), bytes + first.Bytes, err
}

// endWaiting has no removal be undone any more, and every blob that waits be due. The removals' rows go with the sweep.
func (k *Janitor) endWaiting(ctx context.Context, by image.Actor) error {
	now := database.Millis(k.now())
	err := k.db.Free(ctx, by, image.ActionFree, "", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE removals SET until = ?1 WHERE until > ?1`, now)
		return err
	})
	if err != nil {
		return err
	}
	return k.inPieces(ctx, `UPDATE waiting_blobs SET sweep_at = 0 WHERE digest IN (SELECT digest FROM waiting_blobs
		WHERE sweep_at > 0 LIMIT ?)`, sweptAtOnce)
}

// inPieces runs a statement in a transaction after the other, until it changes nothing. It gets how much to change and
// args.
func (k *Janitor) inPieces(ctx context.Context, statement string, args ...any) error {
	for {
		var changed int64
		err := k.db.Free(ctx, image.Server, image.ActionTend, "", func(tx *sql.Tx) error {
			res, err := tx.ExecContext(ctx, statement, args...)
			if err == nil {
				changed, err = res.RowsAffected()
			}
			return err
		})
		if err != nil || changed == 0 {
			return err
		}
	}
}

// endRemovals forgets the removals whose time is over: first their rows, a few at a time, which are much.
func (k *Janitor) endRemovals(ctx context.Context, now int64) error {
	var over bool
	err := k.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM removals WHERE until <= ?
		AND whole = 1)`, now).Scan(&over)
	if err != nil || !over {
		return err
	}
	err = k.inPieces(ctx, `DELETE FROM removed_rows WHERE (removal_id, part) IN (SELECT removal_id, part FROM removals
		CROSS JOIN removed_rows ON removal_id = id WHERE until <= ? AND whole = 1 LIMIT ?)`, now, partsAtOnce)
	if err != nil {
		return err
	}
	return k.db.Free(ctx, image.Server, image.ActionTend, "", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM removals WHERE until <= ? AND whole = 1`, now)
		return err
	})
}

// sweepFirst removes the files of everything that waits before the database knows: it has no room to be told. An undo
// that still could be asked for finds them gone and says so.
func (k *Janitor) sweepFirst(ctx context.Context) (freed shelf.Freed, err error) {
	waiting, err := database.RowsOf(ctx, k.db, database.ScanDigest,
		`SELECT digest FROM waiting_blobs WHERE NOT EXISTS (SELECT 1 FROM blobs WHERE digest = waiting_blobs.digest)`)
	if err != nil {
		return freed, err
	}
	for _, d := range waiting {
		_, err := k.blobs.holds.unlessHeld(d, func() error {
			n, err := k.blobs.files.Remove(d)
			if n > 0 {
				freed.Add(n)
			}
			return err
		})
		if err != nil {
			return freed, err
		}
	}
	k.log.Warn("swept files before the database could be told: the disk is full",
		"files", freed.Files, "bytes", freed.Bytes)
	return freed, nil
}

// noneInPart holds while no removal is carried out or undone: nothing is swept that it may have to bring back.
const noneInPart = `NOT EXISTS (SELECT 1 FROM removals WHERE whole = 0)`

// due returns the blobs whose files are to go now, but for those that running pulls hold.
func (k *Janitor) due(ctx context.Context, now int64) ([]image.Digest, error) {
	var due []image.Digest
	held := k.blobs.holds.all()
	err := database.EachRow(ctx, k.db, func(rows *sql.Rows) (bool, error) {
		var d image.Digest
		err := rows.Scan(&d)
		if !held[d] {
			due = append(due, d)
		}
		return false, err
	}, `SELECT digest FROM waiting_blobs WHERE sweep_at <= ? AND `+noneInPart+` ORDER BY sweep_at, digest`, now)
	return due, err
}

// sweepDue ends the removals whose time has come and removes the files of due blobs, rows first: after a crash a file
// without a row is a stray, and goes as one.
func (k *Janitor) sweepDue(
	ctx context.Context, due []image.Digest, now int64, persist func() error,
) (files int, freed int64, err error) {
	if err = k.endRemovals(ctx, now); err != nil {
		return 0, 0, err
	}
	for len(due) > 0 && err == nil {
		some := due[:min(len(due), sweptAtOnce)]
		due = due[len(some):]
		var n int
		var bytes int64
		n, bytes, err = k.sweepSome(ctx, some, now, persist)
		files, freed = files+n, freed+bytes
	}
	if files > 0 {
		k.log.Info("swept blobs", "files", files, "bytes", freed)
	}
	return files, freed, err
}

// waitingBlob is a row of waiting_blobs.
type waitingBlob struct {
	digest image.Digest
	size   int64
}

func (k *Janitor) sweepSome(
	ctx context.Context, due []image.Digest, now int64, persist func() error,
) (files int, freed int64, err error) {
	var gone []waitingBlob
	err = k.db.Free(ctx, image.Server, image.ActionTend, "", func(tx *sql.Tx) error {
		gone = nil
		return database.InChunks(due, database.ChunkSize, func(list string) error {
			// Not all may be due any more: stored again, and perhaps deleted again after that.
			scan := func(rows *sql.Rows) (b waitingBlob, err error) { return b, rows.Scan(&b.digest, &b.size) }
			some, err := database.RowsOf(ctx, tx, scan,
				`DELETE FROM waiting_blobs WHERE digest IN (SELECT value FROM json_each(?)) AND sweep_at <= ?
					AND `+noneInPart+` RETURNING digest, size`, list, now)
			gone = append(gone, some...)
			return err
		})
	})
	if err != nil {
		return 0, 0, err
	}
	var left []waitingBlob // held by a pull that began a moment ago, or not to be removed
	if err = persist(); err != nil {
		left, gone = gone, nil
	}
	for _, b := range gone {
		done, n, err := k.space.sweepFile(ctx, b.digest)
		if err != nil {
			k.log.Error("remove a blob's file", "digest", b.digest, "error", err)
		}
		if err != nil || !done {
			left = append(left, b)
			continue
		}
		files++
		freed += n
	}
	return files, freed, errors.Join(err, k.waitAgain(ctx, left, now))
}

// waitAgain puts blobs back among those that wait, unless they are stored by now.
func (k *Janitor) waitAgain(ctx context.Context, blobs []waitingBlob, sweep int64) error {
	if len(blobs) == 0 {
		return nil
	}
	return k.db.Free(ctx, image.Server, image.ActionTend, "", func(tx *sql.Tx) error {
		for _, b := range blobs {
			_, err := tx.ExecContext(ctx, `INSERT INTO waiting_blobs (digest, size, sweep_at) SELECT ?1, ?2, ?3
				WHERE NOT EXISTS (SELECT 1 FROM blobs WHERE digest = ?1) ON CONFLICT DO NOTHING`, b.digest, b.size, sweep)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// nextDue returns how long it is until something is to be swept.
func (k *Janitor) nextDue(ctx context.Context) time.Duration {
	var next sql.NullInt64
	err := k.db.QueryRowContext(ctx, `SELECT min(at) FROM (SELECT min(sweep_at) AS at FROM waiting_blobs UNION ALL
		SELECT min(until) FROM removals WHERE whole = 1)`).Scan(&next)
	if err != nil || !next.Valid {
		return longestRest
	}
	rest := time.Duration(next.Int64-database.Millis(k.now())) * time.Millisecond
	if rest <= 0 { // held by a pull, or it failed
		return k.times().again
	}
	return min(rest, longestRest)
}
