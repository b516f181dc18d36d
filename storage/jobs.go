package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
)

// CreateJob keeps a new pull job and gives it its ID.
func (s *Store) CreateJob(ctx context.Context, j pull.Job) (id int64, err error) {
	b, err := json.Marshal(j)
	if err != nil {
		return 0, fmt.Errorf("encode pull: %w", err)
	}
	err = s.update(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO pulls (reference, state, created_at, job) VALUES (?, ?, ?, ?)`,
			j.Reference.String(), j.State, millis(j.Created), string(b))
		if err != nil {
			return err
		}
		id, err = res.LastInsertId()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("keep pull: %w", err)
	}
	return id, nil
}

// SaveJob replaces a kept job.
func (s *Store) SaveJob(ctx context.Context, j pull.Job) error {
	b, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("encode pull %d: %w", j.ID, err)
	}
	err = s.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE pulls SET state = ?, job = ? WHERE id = ?`, j.State, string(b), j.ID)
		return err
	})
	if err != nil {
		return fmt.Errorf("save pull %d: %w", j.ID, err)
	}
	return nil
}

func scanJob(rows *sql.Rows) (pull.Job, error) {
	var id int64
	var b []byte
	if err := rows.Scan(&id, &b); err != nil {
		return pull.Job{}, err
	}
	var j pull.Job
	if err := json.Unmarshal(b, &j); err != nil {
		return pull.Job{}, fmt.Errorf("decode pull %d: %w", id, err)
	}
	j.ID = id
	return j, nil
}

// UnfinishedJobs lists the jobs that are not in a final state, oldest first.
func (s *Store) UnfinishedJobs(ctx context.Context) ([]pull.Job, error) {
	return rowsOf(ctx, s.read, scanJob, `SELECT id, job FROM pulls WHERE state NOT IN ('done', 'failed', 'cancelled') ORDER BY id`)
}

// Jobs lists kept jobs, newest first, and how many there are in all.
func (s *Store) Jobs(ctx context.Context, offset, limit int) (jobs []pull.Job, total int, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM pulls`).Scan(&total); err != nil {
			return err
		}
		jobs, err = rowsOf(ctx, tx, scanJob, `SELECT id, job FROM pulls ORDER BY id DESC LIMIT ? OFFSET ?`, limit, offset)
		return err
	})
	return jobs, total, err
}

// Job gives one kept job. NotFound where there is none of that ID.
func (s *Store) Job(ctx context.Context, id int64) (pull.Job, error) {
	jobs, err := rowsOf(ctx, s.read, scanJob, `SELECT id, job FROM pulls WHERE id = ?`, id)
	if err != nil {
		return pull.Job{}, err
	}
	if len(jobs) == 0 {
		return pull.Job{}, image.Errorf(image.NotFound, "there is no pull %d", id).Suggest("See all pulls at /pulls.")
	}
	return jobs[0], nil
}
