package people

import (
	"context"
	"database/sql"
	"time"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// errNoCode is what all codes that are not good have in common.
var errNoCode = image.Errorf(image.NotFound, "there is no such code")

// firstCode stands in the place of a person's number for the code of the first administrator.
const firstCode = 0

// goodCode returns nil where a code of a person is good.
func (r *rows) goodCode(ctx context.Context, tx *sql.Tx, code auth.Hash, person int64) error {
	var good bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM codes
		WHERE person_id = ? AND secret = ? AND ends_at > ?)`, person, code[:], stamp(r.now())).Scan(&good)
	if err == nil && !good {
		return errNoCode
	}
	return err
}

// Code implements auth.PeopleStore.
func (t *People) Code(ctx context.Context, code auth.Hash, name string) error {
	return t.rows.db.View(ctx, func(tx *sql.Tx) error {
		person := int64(firstCode)
		if name != "" {
			p, err := named(ctx, tx, name)
			if err != nil {
				return err
			}
			person = p.ID
		}
		return t.rows.goodCode(ctx, tx, code, person)
	})
}

// KeepCode implements auth.PeopleStore.
func (t *People) KeepCode(ctx context.Context, by image.Actor, name string, code auth.Hash, life time.Duration) error {
	return t.rows.change(ctx, lineOf(by, image.ActionPersonCode, image.Actor{}), func(tx *sql.Tx, l *shelf.Line) error {
		person, err := t.rows.codeFor(ctx, tx, name, l)
		if err != nil {
			return err
		}
		now := t.rows.now()
		return exec(ctx, tx, `INSERT INTO codes (person_id, secret, made_at, ends_at) VALUES (?1, ?2, ?3, ?4)
			ON CONFLICT DO UPDATE SET secret = ?2, made_at = ?3, ends_at = ?4`,
			person, code[:], stamp(now), stamp(now.Add(life)))
	})
}

// codeFor returns whose code one for name is, and refuses one that would let nobody in.
func (r *rows) codeFor(ctx context.Context, tx *sql.Tx, name string, l *shelf.Line) (person int64, err error) {
	if name == "" {
		l.Detail = "for the first administrator"
		return firstCode, refuseSecondFirst(ctx, tx)
	}
	p, err := named(ctx, tx, name)
	if err == nil && p.Provider != "" {
		err = image.Errorf(image.Conflict, "%s signs in elsewhere: %s knows them", p.Name, p.Provider)
	}
	l.About = shelf.PartyOf(p.Actor())
	return p.ID, err
}

// refuseSecondFirst refuses a first administrator where there is one.
func refuseSecondFirst(ctx context.Context, tx *sql.Tx) error {
	has, err := hasAdmin(ctx, tx)
	if err == nil && has {
		return image.Errorf(image.Conflict, "there is an administrator already").Suggest("Sign in.")
	}
	return err
}

// First implements auth.PeopleStore.
func (t *People) First(ctx context.Context, code auth.Hash, n auth.NewPerson) (p auth.Person, err error) {
	by := image.Actor{Kind: image.ActorPerson, Name: n.Name}
	err = t.rows.change(ctx, lineOf(by, image.ActionPersonAdd, by), func(tx *sql.Tx, l *shelf.Line) error {
		if err := refuseSecondFirst(ctx, tx); err != nil {
			return err
		}
		if err := t.rows.goodCode(ctx, tx, code, firstCode); err != nil {
			return err
		}
		if err := exec(ctx, tx, `DELETE FROM codes WHERE person_id = ?`, firstCode); err != nil {
			return err
		}
		l.Detail = "the first administrator"
		p, err = t.rows.insert(ctx, tx, by, n)
		return err
	})
	return p, err
}

// Redeem implements auth.PeopleStore.
func (t *People) Redeem(ctx context.Context, code auth.Hash, name, hash string) (p auth.Person, err error) {
	by := image.Actor{Kind: image.ActorPerson, Name: name}
	err = t.rows.ending(ctx, lineOf(by, image.ActionPassword, by), func(tx *sql.Tx, l *shelf.Line) error {
		if p, err = named(ctx, tx, name); err != nil {
			return err
		}
		if err := t.rows.goodCode(ctx, tx, code, p.ID); err != nil {
			return err
		}
		l.Detail = "with a one-time code"
		return t.rows.setPassword(ctx, tx, p, hash, 0)
	})
	return p, err
}
