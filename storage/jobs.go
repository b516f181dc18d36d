package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
)

// encodeJob gives a job as it is kept: itself with its tags counted, and the lines of the tags.
func encodeJob(j pull.Job) (job, tags string, err error) {
	if len(j.Tags) > 0 {
		b, err := json.Marshal(j.Tags)
		if err != nil {
			return "", "", fmt.Errorf("encode the tags of pull %d: %w", j.ID, err)
		}
		j.TagCounts, j.Tags, tags = j.Counts(), nil, string(b)
	}
	b, err := json.Marshal(j)
	if err != nil {
		return "", "", fmt.Errorf("encode pull %d: %w", j.ID, err)
	}
	return string(b), tags, nil
}

// CreateJob keeps a new pull job and gives it its ID.
func (s *Store) CreateJob(ctx context.Context, j pull.Job) (id int64, err error) {
	job, tags, err := encodeJob(j)
	if err != nil {
		return 0, err
	}
	err = s.note(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO pulls (reference, state, created_at, job, tags) VALUES (?, ?, ?, ?, ?)`,
			j.Reference.String(), j.State, millis(j.Created), job, tags)
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

// SaveJob replaces a kept job. One that is done and brought what is found to be broken by now is kept as one that failed. How
// a job ended is known from then on, also where it cannot be written, as on a full disk: it is written as soon as that works.
func (s *Store) SaveJob(ctx context.Context, j pull.Job) error {
	err := s.writeJob(ctx, j)
	if err != nil && j.State.Final() {
		s.unsaved.keep(j)
	}
	return err
}

func (s *Store) writeJob(ctx context.Context, j pull.Job) error {
	err := s.note(ctx, func(tx *sql.Tx) error {
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

func putJob(ctx context.Context, tx *sql.Tx, j pull.Job) error {
	job, tags, err := encodeJob(j)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE pulls SET state = ?, job = ?, tags = ? WHERE id = ?`, j.State, job, tags, j.ID)
	return err
}

// jobColumns are what scanJob reads.
const jobColumns = `id, job, tags`

func scanJob(rows *sql.Rows) (pull.Job, error) {
	var id int64
	var job, tags []byte
	if err := rows.Scan(&id, &job, &tags); err != nil {
		return pull.Job{}, err
	}
	var j pull.Job
	if err := json.Unmarshal(job, &j); err != nil {
		return pull.Job{}, fmt.Errorf("decode pull %d: %w", id, err)
	}
	if len(tags) > 0 {
		if err := json.Unmarshal(tags, &j.Tags); err != nil {
			return pull.Job{}, fmt.Errorf("decode the tags of pull %d: %w", id, err)
		}
	}
	j.ID = id
	return j, nil
}

// UnfinishedJobs lists the jobs that are not in a final state, oldest first.
func (s *Store) UnfinishedJobs(ctx context.Context) ([]pull.Job, error) {
	jobs, err := rowsOf(ctx, s.read, scanJob, `SELECT `+jobColumns+` FROM pulls WHERE state NOT IN ('done', 'failed', 'cancelled') ORDER BY id`)
	return slices.DeleteFunc(s.unsaved.laid(jobs), func(j pull.Job) bool { return j.State.Final() }), err
}

// Jobs lists kept jobs, newest first, and how many there are in all. The lines of tags are left out: a list
// shows how many there are (pull.Job.Counts), and they would make it slow.
func (s *Store) Jobs(ctx context.Context, offset, limit int) (jobs []pull.Job, total int, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM pulls`).Scan(&total); err != nil {
			return err
		}
		jobs, err = rowsOf(ctx, tx, scanJob, `SELECT id, job, '' FROM pulls ORDER BY id DESC LIMIT ? OFFSET ?`, limit, offset)
		return err
	})
	return s.unsaved.laid(jobs), total, err
}

// Job gives one kept job. NotFound where there is none of that ID.
func (s *Store) Job(ctx context.Context, id int64) (pull.Job, error) {
	jobs, err := rowsOf(ctx, s.read, scanJob, `SELECT `+jobColumns+` FROM pulls WHERE id = ?`, id)
	if err != nil {
		return pull.Job{}, err
	}
	if len(jobs) == 0 {
		return pull.Job{}, image.Errorf(image.NotFound, "there is no pull %d", id).Suggest("See all pulls at /pulls.")
	}
	return s.unsaved.laid(jobs)[0], nil
}
