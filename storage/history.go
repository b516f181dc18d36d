package storage

import (
	"context"
	"database/sql"
	"math"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

func writeHistory(ctx context.Context, tx *sql.Tx, e shelf.TagEvent) error {
	var pullID any
	if e.PullID != 0 {
		pullID = e.PullID
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO tag_history (repository, tag, event, old_digest, new_digest, at, by,
		pull_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		e.Repository, e.Tag, e.Event, e.Old, e.New, database.Millis(e.At), e.By, pullID)
	return err
}

// eventColumns are what events reads of the history h; the last three tell whether the repository still knows
// the digests, and whether an upload did it, the only kind of job without a reference.
const (
	eventColumns = `id, tag, event, old_digest, new_digest, at, by, coalesce(pull_id, 0), ` + knownDigest +
		`h.old_digest), ` + knownDigest + `h.new_digest), ` + byUpload
	knownDigest = `EXISTS (SELECT 1 FROM repository_digests d JOIN repositories r ON r.id = d.repository_id
		WHERE r.name = h.repository AND d.digest = `
	byUpload = `EXISTS (SELECT 1 FROM pulls p WHERE p.id = h.pull_id AND p.reference = '')`
)

// TagHistory returns the newest events of a tag first, MaxHistory at most.
func (s *Tags) TagHistory(ctx context.Context, repo image.Repository, tag string) ([]shelf.TagEvent, error) {
	return s.TagHistoryBefore(ctx, repo, tag, math.MaxInt64)
}

// TagHistoryBefore returns what TagHistory does, of the events that are older than the one with an ID.
func (s *Tags) TagHistoryBefore(ctx context.Context, repo image.Repository, tag string,
	id int64) ([]shelf.TagEvent, error) {
	return s.events(ctx, repo, `tag = ?2`, tag, id)
}

// DigestHistory returns the events at which a tag of the repository came to a digest or left it, newest first,
// MaxHistory at most.
func (s *Tags) DigestHistory(ctx context.Context, ref image.Reference) ([]shelf.TagEvent, error) {
	return s.DigestHistoryBefore(ctx, ref, math.MaxInt64)
}

// DigestHistoryBefore returns what DigestHistory does, of the events that are older than the one with an ID.
func (s *Tags) DigestHistoryBefore(ctx context.Context, ref image.Reference, id int64) ([]shelf.TagEvent, error) {
	return s.events(ctx, ref.Repository, `(old_digest = ?2 OR new_digest = ?2)`, ref.Digest, id)
}

// events returns the events of a repository before one that a condition on ?2 chooses.
func (s *Tags) events(ctx context.Context, repo image.Repository, condition string, value any,
	before int64) ([]shelf.TagEvent, error) {
	return database.RowsOf(ctx, s.db, func(rows *sql.Rows) (shelf.TagEvent, error) {
		e := shelf.TagEvent{Repository: repo}
		var at int64
		err := rows.Scan(&e.ID, &e.Tag, &e.Event, &e.Old, &e.New, &at, &e.By, &e.PullID, &e.OldStored, &e.NewStored,
			&e.Uploaded)
		e.At = database.FromMillis(at)
		return e, err
	}, `SELECT `+eventColumns+` FROM tag_history h WHERE repository = ?1 AND `+condition+
		` AND id < ?4 ORDER BY id DESC LIMIT ?3`, repo, value, shelf.MaxHistory, before)
}
