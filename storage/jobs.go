package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/share"
	"github.com/stowage/stowage/storage/database"
)

// What jobs have in common that wait or are worked on, and those that wait: a claim of an earlier session holds no
// more, for its process has gone.
const (
	notOver = `state NOT IN ('done', 'failed', 'cancelled')`
	waiting = notOver + ` AND claimed <> `
)

// encodeJob returns a job as it is kept: without its lines where it has many, and those.
func encodeJob(j job.Job) (record, lines string, err error) {
	if long, ok := j.Detail.(job.Long); ok {
		short, apart := long.Apart()
		if apart != nil {
			b, err := json.Marshal(apart)
			if err != nil {
				return "", "", fmt.Errorf("encode the lines of pull %d: %w", j.ID, err)
			}
			j.Detail, lines = short, string(b)
		}
	}
	b, err := json.Marshal(j)
	if err != nil {
		return "", "", fmt.Errorf("encode pull %d: %w", j.ID, err)
	}
	return string(b), lines, nil
}

// Jobs is the queue of jobs and their records, kept in the database: it implements job.Ledger.
type Jobs struct {
	db      *database.DB
	unsaved *unsaved
}

func newJobs(db *database.DB, log *slog.Logger) *Jobs {
	q := &Jobs{db: db}
	q.unsaved = &unsaved{save: q.writeJob, log: log, kick: make(chan struct{}, 1), jobs: map[int64]end{}}
	return q
}

// Ask implements job.Ledger.
func (q *Jobs) Ask(ctx context.Context, t job.Ticket) (id int64, joined bool, err error) {
	record, lines, err := encodeJob(t.Job)
	if err != nil {
		return 0, false, err
	}
	err = q.db.Note(ctx, func(tx *sql.Tx) error {
		same, err := database.RowsOf(ctx, tx, func(rows *sql.Rows) (id int64, err error) { return id, rows.Scan(&id) },
			`SELECT id FROM pulls WHERE what = ? AND what <> '' AND `+notOver+` ORDER BY id`, t.What)
		if err != nil {
			return err
		}
		if same = slices.DeleteFunc(same, q.unsaved.has); len(same) > 0 {
			id, joined = same[0], true
			return nil
		}
		if err := q.checkQueue(ctx, tx, t); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `INSERT INTO pulls (reference, state, created_at, job, tags, what, host, requester)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			t.Job.Reference().String(), t.Job.State, database.Millis(t.Job.Created), record, lines, t.What, t.Key.Host,
			t.Key.By).Scan(&id)
	})
	if err != nil {
		return 0, false, fmt.Errorf("keep pull: %w", err)
	}
	return id, joined, nil
}

// checkQueue refuses a job where too many wait.
func (q *Jobs) checkQueue(ctx context.Context, tx *sql.Tx, t job.Ticket) error {
	var all, mine int
	if err := tx.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(requester = ?), 0) FROM pulls
		WHERE `+waiting+`?`, t.Key.By, q.db.Session()).
		Scan(&all, &mine); err != nil {
		return err
	}
	switch {
	case all >= t.Most:
		return image.Errorf(image.TooLarge, "%d pulls are waiting already", all).
			Suggest("Wait until some of them are done, or cancel them.")
	case mine >= t.Mine:
		return image.Errorf(image.TooLarge, "%d pulls of %s are waiting already, the most that one requester may have",
			t.Mine, t.Key.By).
			Suggest("Wait until some of them are done, or cancel them.")
	}
	return nil
}

// Begin implements job.Ledger.
func (q *Jobs) Begin(ctx context.Context, j job.Job) (job.Lease, error) {
	record, lines, err := encodeJob(j)
	if err != nil {
		return job.Lease{}, err
	}
	l := job.Lease{Epoch: 1}
	err = q.db.Note(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `INSERT INTO pulls (reference, state, created_at, job, tags, claimed, epoch)
			VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			j.Reference().String(), j.State, database.Millis(j.Created), record, lines, q.db.Session(), l.Epoch).Scan(&l.ID)
	})
	if err != nil {
		return job.Lease{}, fmt.Errorf("keep pull: %w", err)
	}
	return l, nil
}

// Claim implements job.Ledger.
func (q *Jobs) Claim(ctx context.Context,
	choose func(waiting []job.Turn) (id int64, ok bool)) (l job.Lease, ok bool, err error) {
	turns, err := database.RowsOf(ctx, q.db, scanTurn, `SELECT id, host, requester FROM pulls WHERE `+waiting+
		`? ORDER BY id`, q.db.Session())
	if err != nil {
		return job.Lease{}, false, fmt.Errorf("list the pulls that wait: %w", err)
	}
	if l.ID, ok = choose(slices.DeleteFunc(turns, func(t job.Turn) bool { return q.unsaved.has(t.ID) })); !ok {
		return job.Lease{}, false, nil
	}
	err = q.db.Note(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `UPDATE pulls SET claimed = ?, epoch = epoch + 1 WHERE id = ? AND `+waiting+
			`? RETURNING epoch`, q.db.Session(), l.ID, q.db.Session()).
			Scan(&l.Epoch)
	})
	if err != nil {
		return job.Lease{}, false, fmt.Errorf("claim pull %d: %w", l.ID, err)
	}
	return l, true, nil
}

func scanTurn(rows *sql.Rows) (t job.Turn, err error) {
	err = rows.Scan(&t.ID, &t.Key.Host, &t.Key.By)
	t.Key.By = share.Requester(t.Key.By) // older rows have the name as it was given
	return t, err
}

// Release implements job.Ledger.
func (q *Jobs) Release(ctx context.Context, l job.Lease) error {
	err := q.db.Note(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE pulls SET claimed = 0 WHERE id = ? AND epoch = ?`, l.ID, l.Epoch)
		return err
	})
	if err != nil {
		return fmt.Errorf("release pull %d: %w", l.ID, err)
	}
	return nil
}

// Seal implements job.Ledger.
func (q *Jobs) Seal(ctx context.Context, id int64) error {
	err := q.db.Note(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE pulls SET what = '' WHERE id = ?`, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep pull %d from being joined: %w", id, err)
	}
	return nil
}

// Save implements job.Ledger. A job that is done and brought what is found to be broken by now is kept as one that
// failed. How a job ended is known from then on, also where it cannot be written, as on a full disk.
func (q *Jobs) Save(ctx context.Context, l job.Lease, j job.Job) error {
	err := q.writeJob(ctx, l, j)
	if err != nil && j.State.Final() {
		q.unsaved.keep(l, j)
	}
	return err
}

func (q *Jobs) writeJob(ctx context.Context, l job.Lease, j job.Job) error {
	err := q.db.Note(ctx, func(tx *sql.Tx) error {
		var holds bool
		if err := tx.QueryRowContext(ctx, `SELECT CASE WHEN ?2 > 0 THEN claimed = ?3 AND epoch = ?2 ELSE claimed <> ?3 END
			FROM pulls WHERE id = ?1`,
			l.ID, l.Epoch, q.db.Session()).Scan(&holds); err != nil {
			return err
		}
		if !holds {
			return fmt.Errorf("the claim of pull %d is another's", l.ID)
		}
		settled, err := settledJob(ctx, tx, j)
		if err != nil {
			return err
		}
		return putJob(ctx, tx, settled)
	})
	if err != nil {
		return fmt.Errorf("save pull %d: %w", j.ID, err)
	}
	return nil
}

func putJob(ctx context.Context, tx *sql.Tx, j job.Job) error {
	record, lines, err := encodeJob(j)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE pulls SET state = ?, job = ?, tags = ? WHERE id = ?`, j.State, record, lines,
		j.ID)
	return err
}

// jobColumns are what scanJob reads.
const jobColumns = `id, job, tags`

func scanJob(rows *sql.Rows) (job.Job, error) {
	var id int64
	var record, lines []byte
	if err := rows.Scan(&id, &record, &lines); err != nil {
		return job.Job{}, err
	}
	var j job.Job
	if err := json.Unmarshal(record, &j); err != nil {
		return job.Job{}, fmt.Errorf("decode pull %d: %w", id, err)
	}
	if long, ok := j.Detail.(job.Long); ok && len(lines) > 0 {
		var err error
		if j.Detail, err = long.With(lines); err != nil {
			return job.Job{}, fmt.Errorf("decode the lines of pull %d: %w", id, err)
		}
	}
	j.ID = id
	return j, nil
}

// Unfinished implements job.Ledger.
func (q *Jobs) Unfinished(ctx context.Context) ([]job.Job, error) {
	jobs, err := database.RowsOf(ctx, q.db, scanJob, `SELECT `+jobColumns+` FROM pulls WHERE `+notOver+` ORDER BY id`)
	return slices.DeleteFunc(q.unsaved.laid(jobs), func(j job.Job) bool { return j.State.Final() }), err
}

// Jobs lists kept jobs, newest first, and how many there are in all. Lines that are kept apart are left out: they would
// make a list slow.
func (s *Jobs) Jobs(ctx context.Context, offset, limit int) (jobs []job.Job, total int, err error) {
	err = s.db.View(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM pulls`).Scan(&total); err != nil {
			return err
		}
		jobs, err = database.RowsOf(ctx, tx, scanJob, `SELECT id, job, '' FROM pulls
			ORDER BY id DESC LIMIT ? OFFSET ?`, limit, offset)
		return err
	})
	return s.unsaved.laid(jobs), total, err
}

// Job returns one kept job. NotFound where there is none of that ID.
func (s *Jobs) Job(ctx context.Context, id int64) (job.Job, error) {
	jobs, err := database.RowsOf(ctx, s.db, scanJob, `SELECT `+jobColumns+` FROM pulls WHERE id = ?`, id)
	if err != nil {
		return job.Job{}, err
	}
	if len(jobs) == 0 {
		return job.Job{}, image.Errorf(image.NotFound, "there is no pull %d", id).Suggest("See all pulls at /pulls.")
	}
	return s.unsaved.laid(jobs)[0], nil
}
