package people

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

// Sessions are who is signed in with a browser.
type Sessions struct{ rows *rows }

// mostSessions is how many sessions a person has at most; a further one ends the one that was seen least lately.
const mostSessions = 50

const sessionColumns = `s.id, s.person_id, s.way, s.made_at, s.seen_at, s.ends_at, s.address, s.agent, s.renew`

const byShown = `s.secret = ?1 OR s.before = ?1 AND s.before_until > ?2`

func scanSession(rows *sql.Rows) (s auth.Session, err error) {
	err = rows.Scan(&s.ID, &s.Person, &s.Way, instant{&s.Made}, instant{&s.Seen}, instant{&s.Ends}, &s.Address, &s.Agent,
		&s.Renew)
	return s, err
}

// Begin implements auth.SessionStore.
func (t *Sessions) Begin(ctx context.Context, by image.Actor, s auth.Session, secret auth.Hash) (auth.Session, error) {
	line := lineOf(by, image.ActionSignIn, by)
	err := t.rows.change(ctx, line, func(tx *sql.Tx, l *shelf.Line) error {
		err := tx.QueryRowContext(ctx, `INSERT INTO sessions
			(secret, person_id, way, made_at, seen_at, ends_at, address, agent) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			secret[:], s.Person, s.Way, stamp(s.Made), stamp(s.Seen), stamp(s.Ends), s.Address, image.Shorten(s.Agent)).
			Scan(&s.ID)
		if err != nil {
			return err
		}
		l.From = shelf.WayInOf(ctx)
		l.From.Via, l.From.Credential = string(auth.ViaSession), fmt.Sprintf("%s %d", auth.ViaSession, s.ID)
		l.Detail = string(s.Way)
		err = exec(ctx, tx, `DELETE FROM sessions WHERE person_id = ?1 AND id NOT IN
			(SELECT id FROM sessions WHERE person_id = ?1 ORDER BY seen_at DESC, id DESC LIMIT ?2)`, s.Person, mostSessions)
		if err != nil {
			return err
		}
		return exec(ctx, tx, `UPDATE people SET seen_at = max(seen_at, ?) WHERE id = ?`, stamp(s.Seen), s.Person)
	})
	return s, err
}

// Find implements auth.SessionStore.
func (t *Sessions) Find(ctx context.Context, secret auth.Hash) (auth.Session, auth.Person, error) {
	return t.find(ctx, byShown, secret[:], stamp(t.rows.now()))
}

func (t *Sessions) find(ctx context.Context, where string, args ...any) (s auth.Session, p auth.Person, err error) {
	err = t.rows.db.View(ctx, func(tx *sql.Tx) error {
		all, err := database.RowsOf(ctx, tx, scanSession, `SELECT `+sessionColumns+` FROM sessions s WHERE `+where, args...)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return errNoSession
		}
		s = all[0]
		p, err = numbered(ctx, tx, s.Person)
		return err
	})
	return s, p, err
}

var errNoSession = image.Errorf(image.NotFound, "there is no such session")

// Stands implements auth.SessionStore.
func (t *Sessions) Stands(ctx context.Context, id int64) (bool, error) {
	s, p, err := t.find(ctx, `s.id = ?`, id)
	if err != nil {
		return false, unlessMissing(err)
	}
	return !s.Ended(t.rows.now()) && p.LetIn() == nil, nil
}

// Renew implements auth.SessionStore.
func (t *Sessions) Renew(
	ctx context.Context, id int64, secret auth.Hash, overlap time.Duration,
) (renewed bool, err error) {
	err = t.rows.db.Note(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE sessions SET before = secret, before_until = ?, secret = ?, renew = 0
			WHERE id = ? AND renew = 1`, stamp(t.rows.now().Add(overlap)), secret[:], id)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		renewed = n > 0
		return err
	})
	return renewed, err
}

// Of lists the sessions of a person that have not ended, the one that was seen last first.
func (t *Sessions) Of(ctx context.Context, person int64) (all []auth.Session, err error) {
	now := t.rows.now()
	err = t.rows.db.View(ctx, func(tx *sql.Tx) error {
		all, err = database.RowsOf(ctx, tx, scanSession, `SELECT `+sessionColumns+` FROM sessions s
			WHERE s.person_id = ? AND s.ends_at > ? AND s.seen_at > ? ORDER BY s.seen_at DESC, s.id DESC`,
			person, stamp(now), stamp(now.Add(-auth.SessionIdle)))
		return err
	})
	return all, err
}

// End implements auth.SessionStore.
func (t *Sessions) End(ctx context.Context, by image.Actor, action image.Action, id int64) error {
	return t.rows.ending(ctx, lineOf(by, action, image.Actor{}), func(tx *sql.Tx, l *shelf.Line) error {
		var person int64
		err := tx.QueryRowContext(ctx, `DELETE FROM sessions WHERE id = ? RETURNING person_id`, id).Scan(&person)
		if err != nil {
			return or(err, errNoSession)
		}
		l.Detail = fmt.Sprintf("%s %d", auth.ViaSession, id)
		l.About = shelf.Party{Kind: image.ActorPerson, Former: person}
		return nil
	})
}

// EndAll ends the sessions of a person, but the one with the number keep, and returns how many.
func (t *Sessions) EndAll(ctx context.Context, by image.Actor, person, keep int64) (n int64, err error) {
	err = t.rows.ending(ctx, lineOf(by, image.ActionSessionEnd, image.Actor{}), func(tx *sql.Tx, l *shelf.Line) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE person_id = ? AND id <> ?`, person, keep)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		l.Detail = fmt.Sprintf("%d sessions", n)
		l.About = shelf.Party{Kind: image.ActorPerson, Former: person}
		return err
	})
	return n, err
}

// Seen implements auth.SessionStore.
func (t *Sessions) Seen(ctx context.Context, at map[int64]time.Time) error {
	return t.rows.db.Note(ctx, func(tx *sql.Tx) error {
		for id, seen := range at {
			if err := exec(ctx, tx, `UPDATE sessions SET seen_at = max(seen_at, ?) WHERE id = ?`, stamp(seen), id); err != nil {
				return err
			}
			err := exec(ctx, tx, `UPDATE people SET seen_at = max(seen_at, ?)
				WHERE id = (SELECT person_id FROM sessions WHERE id = ?)`, stamp(seen), id)
			if err != nil {
				return err
			}
		}
		return nil
	})
}
