package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

// checkProblem is how a problem is kept.
type checkProblem struct {
	Problem image.Text `json:"problem"`
	Advice  image.Text `json:"advice"`
}

const checkColumns = `r.name, t.name, t.digest, c.upstream_digest, c.method, c.checked_at, c.problem, ` + stateOfCheck

// stateOfCheck words what a check c found of a tag t.
const stateOfCheck = `CASE WHEN c.answer <> 'digest' THEN c.answer WHEN c.upstream_digest = t.digest THEN 'current' ELSE 'available' END`

func scanCheck(rows *sql.Rows) (shelf.TagCheck, error) {
	var c shelf.TagCheck
	var at int64
	var problem string
	err := rows.Scan(&c.Reference.Repository, &c.Reference.Tag, &c.Here, &c.Upstream, &c.Method, &at, &problem, &c.State)
	if err != nil {
		return c, err
	}
	c.At = database.FromMillis(at)
	if problem == "" {
		return c, nil
	}
	var p checkProblem
	if err := json.Unmarshal([]byte(problem), &p); err != nil {
		return c, fmt.Errorf("read the check of %s: %w", c.Reference, err)
	}
	c.Problem, c.Advice = p.Problem, p.Advice
	return c, nil
}

// TagCheck returns what is known of a stored tag. Where nobody asked, or the tag is not stored, its State is
// NeverChecked.
func (s *Tags) TagCheck(ctx context.Context, ref image.Reference) (shelf.TagCheck, error) {
	found, err := database.RowsOf(ctx, s.db, scanCheck, `SELECT `+checkColumns+` FROM repositories r
		JOIN tags t ON t.repository_id = r.id
		JOIN tag_checks c ON c.repository_id = t.repository_id AND c.tag = t.name WHERE r.name = ?
		AND t.name = ?`, ref.Repository, ref.Tag)
	if err != nil || len(found) == 0 {
		return shelf.TagCheck{Reference: ref}, err
	}
	return found[0], nil
}

// CheckedTags returns tags in a state, by name: at most limit, and how many there are. Not for NeverChecked.
func (s *Tags) CheckedTags(ctx context.Context, state shelf.UpdateState,
	limit int) (tags []shelf.TagCheck, total int, err error) {
	err = s.db.View(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM listing WHERE update_state = ?
			AND tag <> ''`, state).Scan(&total); err != nil {
			return err
		}
		tags, err = database.RowsOf(ctx, tx, scanCheck, `SELECT `+checkColumns+` FROM (SELECT repository_id, tag, name, id
			FROM listing WHERE update_state = ?1 AND tag <> '' ORDER BY name, id LIMIT ?2) l
			JOIN repositories r ON r.id = l.repository_id JOIN tags t ON t.repository_id = l.repository_id AND t.name = l.tag
			JOIN tag_checks c ON c.repository_id = t.repository_id AND c.tag = t.name ORDER BY l.name, l.id`, state, limit)
		return err
	})
	return tags, total, err
}

// CountChecked counts the stored tags in each state.
func (s *Tags) CountChecked(ctx context.Context) (map[shelf.UpdateState]int, error) {
	counts := map[shelf.UpdateState]int{}
	_, err := database.RowsOf(ctx, s.db, func(rows *sql.Rows) (struct{}, error) {
		var state shelf.UpdateState
		var n int
		err := rows.Scan(&state, &n)
		counts[state] = n
		return struct{}{}, err
	}, `SELECT update_state, count(*) FROM listing WHERE tag <> '' GROUP BY update_state`)
	return counts, err
}

// toCheck chooses tags that nobody asked about since ?1, of repository ?2 or of all.
const toCheck = ` FROM tags t CROSS JOIN repositories r ON r.id = t.repository_id
	LEFT JOIN tag_checks c ON c.repository_id = t.repository_id AND c.tag = t.name
	WHERE coalesce(c.checked_at, -62135596800001) < ?1 AND (?2 = '' OR t.repository_id = (SELECT id FROM repositories
	WHERE name = ?2))`

// TagsToCheck returns stored tags in a fixed order after one, those that nobody asked about since a time: of one
// repository, or of all where it is empty.
func (s *Tags) TagsToCheck(ctx context.Context, of image.Repository, since time.Time, after image.Reference,
	limit int) ([]image.Reference, error) {
	return database.RowsOf(ctx, s.db, func(rows *sql.Rows) (ref image.Reference, err error) {
		return ref, rows.Scan(&ref.Repository, &ref.Tag)
	},
		`SELECT r.name, t.name`+toCheck+` AND (t.repository_id, t.name) > (coalesce((SELECT id FROM repositories
			WHERE name = ?3), 0), ?4)
		ORDER BY t.repository_id, t.name LIMIT ?5`, database.Millis(since), of, after.Repository, after.Tag, limit)
}

// CountToCheck counts what TagsToCheck gives in all.
func (s *Tags) CountToCheck(ctx context.Context, of image.Repository, since time.Time) (n int, err error) {
	return n, s.db.QueryRowContext(ctx, `SELECT count(*)`+toCheck, database.Millis(since), of).Scan(&n)
}

// SaveChecks keeps what registries said about tags, in one transaction, and gives the state that follows for each: of a
// tag that is not stored any more, NeverChecked. What was asked earlier than what is known says nothing any more.
func (s *Tags) SaveChecks(ctx context.Context, by image.Actor, all []shelf.Checked) ([]shelf.UpdateState, error) {
	states := make([]shelf.UpdateState, len(all))
	subject := ""
	if len(all) == 1 {
		subject = all[0].Reference.String()
	}
	err := s.db.Change(ctx, by, image.ActionCheck, subject, func(tx *sql.Tx) error {
		for i, c := range all {
			var err error
			if states[i], err = saveCheck(ctx, tx, c); err != nil {
				return fmt.Errorf("keep the check of %s: %w", c.Reference, err)
			}
		}
		return nil
	})
	return states, err
}

func saveCheck(ctx context.Context, tx *sql.Tx, c shelf.Checked) (state shelf.UpdateState, err error) {
	var repo int64
	err = tx.QueryRowContext(ctx, `SELECT t.repository_id FROM repositories r JOIN tags t ON t.repository_id = r.id
		WHERE r.name = ? AND t.name = ?`,
		c.Reference.Repository, c.Reference.Tag).Scan(&repo)
	if errors.Is(err, sql.ErrNoRows) {
		return shelf.UpdateUnchecked, nil
	}
	if err != nil {
		return "", err
	}
	if err := writeCheck(ctx, tx, repo, shelf.AskedByHead, c); err != nil {
		return "", err
	}
	err = tx.QueryRowContext(ctx, `SELECT `+stateOfCheck+` FROM tags t
		JOIN tag_checks c ON c.repository_id = t.repository_id AND c.tag = t.name
		WHERE t.repository_id = ? AND t.name = ?`, repo, c.Reference.Tag).Scan(&state)
	if err != nil {
		return "", err
	}
	_, err = tx.ExecContext(ctx, `UPDATE listing SET update_state = ?3
		WHERE update_state <> ?3 AND repository_id = ?1 AND tag = ?2
		AND digest = (SELECT digest FROM tags WHERE repository_id = ?1 AND name = ?2)`, repo, c.Reference.Tag, state)
	return state, err
}

// writeCheck keeps an answer about a stored tag unless a later one is known. The list is not touched.
func writeCheck(ctx context.Context, tx *sql.Tx, repo int64, method string, c shelf.Checked) error {
	problem := ""
	if c.Answer == shelf.AnswerUnknown {
		b, err := json.Marshal(checkProblem{c.Problem, c.Advice})
		if err != nil {
			return err
		}
		problem = string(b)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO tag_checks (repository_id, tag, answer, upstream_digest, method,
		checked_at, problem) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
		ON CONFLICT DO UPDATE SET answer = ?3, upstream_digest = ?4, method = ?5, checked_at = ?6, problem = ?7
		WHERE checked_at <= ?6`,
		repo, c.Reference.Tag, c.Answer, c.Upstream, method, database.Millis(c.At), problem)
	return err
}
