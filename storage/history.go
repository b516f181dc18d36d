package storage

import (
	"context"
	"database/sql"
	"time"

	"github.com/stowage/stowage/image"
)

// The events of a tag's history.
const (
	TagPulled   = "pulled"   // first seen
	TagMoved    = "moved"    // a pull found it on another digest
	TagDeleted  = "deleted"  // somebody deleted it here
	TagRestored = "restored" // somebody undid its deletion
)

// TagEvent is one entry of a tag's history: what it pointed to before and after, when, and by whom.
type TagEvent struct {
	Repository image.Repository
	Tag        string
	Event      string
	Old, New   image.Digest // empty where there is none
	OldStored  bool         // whether the repository still knows the digest
	NewStored  bool
	At         time.Time
	By         string
	PullID     int64 // 0 where no pull did it
}

func (s *Store) writeHistory(ctx context.Context, tx *sql.Tx, e TagEvent) error {
	var pullID any
	if e.PullID != 0 {
		pullID = e.PullID
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO tag_history (repository, tag, event, old_digest, new_digest, at, by, pull_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		e.Repository, e.Tag, e.Event, e.Old, e.New, millis(e.At), e.By, pullID)
	return err
}

// maxHistory bounds what one page shows of a tag's history.
const maxHistory = 500

// eventColumns are what events reads of the history h; the last two tell whether the repository still knows
// the digests.
const (
	eventColumns = `tag, event, old_digest, new_digest, at, by, coalesce(pull_id, 0), ` + knownDigest + `h.old_digest), ` + knownDigest + `h.new_digest)`
	knownDigest  = `EXISTS (SELECT 1 FROM repository_digests d JOIN repositories r ON r.id = d.repository_id WHERE r.name = h.repository AND d.digest = `
)

// TagHistory gives the newest events of a tag first, 500 at most.
func (s *Store) TagHistory(ctx context.Context, repo image.Repository, tag string) ([]TagEvent, error) {
	return s.events(ctx, repo, `tag = ?2`, tag)
}

// DigestHistory gives the events at which a tag of the repository came to a digest or left it, newest first,
// 500 at most.
func (s *Store) DigestHistory(ctx context.Context, ref image.Reference) ([]TagEvent, error) {
	return s.events(ctx, ref.Repository, `(old_digest = ?2 OR new_digest = ?2)`, ref.Digest)
}

// events gives the events of a repository that a condition on ?2 chooses.
func (s *Store) events(ctx context.Context, repo image.Repository, condition string, value any) ([]TagEvent, error) {
	return rowsOf(ctx, s.read, func(rows *sql.Rows) (TagEvent, error) {
		e := TagEvent{Repository: repo}
		var at int64
		err := rows.Scan(&e.Tag, &e.Event, &e.Old, &e.New, &at, &e.By, &e.PullID, &e.OldStored, &e.NewStored)
		e.At = fromMillis(at)
		return e, err
	}, `SELECT `+eventColumns+` FROM tag_history h WHERE repository = ?1 AND `+condition+` ORDER BY id DESC LIMIT ?3`, repo, value, maxHistory)
}
