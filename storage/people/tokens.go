package people

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

// Tokens are what programs show.
type Tokens struct{ rows *rows }

// longestTokenName bounds a token's name, in characters.
const longestTokenName = 100

//nolint:gosec // holds no secret
const selectTokens = `SELECT t.id, t.name, t.hint, t.role, t.made_at, t.made_by, t.ends_at, t.used_at, t.used_address,
	t.used_agent, t.person_id IS NOT NULL, coalesce(p.name, r.name) FROM tokens t
	LEFT JOIN people p ON p.id = t.person_id LEFT JOIN robots r ON r.id = t.robot_id WHERE `

func scanToken(rows *sql.Rows) (t auth.Token, err error) {
	var person bool
	err = rows.Scan(&t.ID, &t.Name, &t.Hint, &t.Role, instant{&t.Made}, &t.MadeBy, instant{&t.Ends}, instant{&t.Used},
		&t.UsedAddress, &t.UsedAgent, &person, &t.Owner.Name)
	t.Owner.Kind = image.ActorRobot
	if person {
		t.Owner.Kind = image.ActorPerson
	}
	return t, err
}

var errNoToken = image.Errorf(image.NotFound, "there is no such token")

// Find implements auth.TokenStore.
func (t *Tokens) Find(ctx context.Context, secret auth.Hash) (auth.Token, auth.Person, auth.Robot, error) {
	return t.find(ctx, `t.secret = ?`, secret[:])
}

func (t *Tokens) find(
	ctx context.Context, where string, args ...any,
) (token auth.Token, person auth.Person, robot auth.Robot, err error) {
	err = t.rows.db.View(ctx, func(tx *sql.Tx) error {
		all, err := database.RowsOf(ctx, tx, scanToken, selectTokens+where, args...)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return errNoToken
		}
		if token = all[0]; token.Owner.Kind == image.ActorPerson {
			person, err = named(ctx, tx, token.Owner.Name)
			return err
		}
		robot, err = robotNamed(ctx, tx, token.Owner.Name)
		return err
	})
	return token, person, robot, err
}

// Stands implements auth.TokenStore.
func (t *Tokens) Stands(ctx context.Context, id int64) (bool, error) {
	token, person, robot, err := t.find(ctx, `t.id = ?`, id)
	if err != nil {
		return false, unlessMissing(err)
	}
	in := robot.LetIn()
	if person.ID != 0 {
		in = person.LetIn()
	}
	return !token.Ended(t.rows.now()) && in == nil, nil
}

// Make implements auth.TokenStore.
func (t *Tokens) Make(ctx context.Context, by image.Actor, token auth.Token, secret auth.Hash) (auth.Token, error) {
	err := t.rows.change(ctx, lineOf(by, image.ActionTokenMake, token.Owner), func(tx *sql.Tx, l *shelf.Line) error {
		var err error
		if token.Name, err = tokenName(token.Name); err != nil {
			return err
		}
		column, owner, err := ownerOf(ctx, tx, token.Owner)
		if err != nil {
			return err
		}
		if err := refuseToken(ctx, tx, column, owner, token.Name); err != nil {
			return err
		}
		l.Detail = token.Name + ", " + token.Hint + "…"
		return tx.QueryRowContext(ctx, `INSERT INTO tokens (secret, hint, name, `+column+`, role, made_at, made_by, ends_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`, secret[:], token.Hint, token.Name, owner, token.Role,
			stamp(token.Made), token.MadeBy, stamp(token.Ends)).Scan(&token.ID)
	})
	return token, err
}

func tokenName(s string) (string, error) {
	name := strings.Join(strings.Fields(s), " ")
	if name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > longestTokenName {
		return "", image.Errorf(image.Invalid, "a token's name is text of at most %d characters", longestTokenName).
			Suggest("Say what it is for.")
	}
	return name, nil
}

// ownerOf returns the column and the number of a token's owner.
func ownerOf(ctx context.Context, tx *sql.Tx, owner image.Actor) (column string, id int64, err error) {
	if owner.Kind == image.ActorRobot {
		r, err := robotNamed(ctx, tx, owner.Name)
		return "robot_id", r.ID, err
	}
	p, err := named(ctx, tx, owner.Name)
	return "person_id", p.ID, err
}

// refuseToken refuses a token whose name its owner has given to another, and one too many.
func refuseToken(ctx context.Context, tx *sql.Tx, column string, owner int64, name string) error {
	var all, same int
	err := tx.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE name = ?1) FROM tokens WHERE `+column+` = ?2`,
		name, owner).Scan(&all, &same)
	switch {
	case err != nil:
		return err
	case same > 0:
		return image.Errorf(image.Conflict, "there is a token %q already", name).Suggest("Choose another name, or revoke it.")
	case all >= auth.MostTokens:
		return image.Errorf(image.Conflict, "there are %d tokens, and more are not allowed", all).
			Suggest("Revoke those that nobody uses.")
	}
	return nil
}

// Of lists the tokens of a person or a robot, by name.
func (t *Tokens) Of(ctx context.Context, owner image.Actor) (all []auth.Token, err error) {
	err = t.rows.db.View(ctx, func(tx *sql.Tx) error {
		column, id, err := ownerOf(ctx, tx, owner)
		if err != nil {
			return err
		}
		all, err = database.RowsOf(ctx, tx, scanToken, selectTokens+`t.`+column+` = ? ORDER BY t.name`, id)
		return err
	})
	return all, err
}

// End revokes a token of owner. It holds at once.
func (t *Tokens) End(ctx context.Context, by, owner image.Actor, id int64) error {
	return t.rows.ending(ctx, lineOf(by, image.ActionTokenEnd, owner), func(tx *sql.Tx, l *shelf.Line) error {
		column, of, err := ownerOf(ctx, tx, owner)
		if err != nil {
			return err
		}
		var name string
		err = tx.QueryRowContext(ctx, `DELETE FROM tokens WHERE id = ? AND `+column+` = ? RETURNING name`, id, of).Scan(&name)
		l.Detail = name
		return or(err, errNoToken)
	})
}

// Shorten has a token of owner end at ends, if it did not end earlier: to replace it by another one.
func (t *Tokens) Shorten(ctx context.Context, by, owner image.Actor, id int64, ends time.Time) error {
	return t.rows.ending(ctx, lineOf(by, image.ActionTokenEnd, owner), func(tx *sql.Tx, l *shelf.Line) error {
		column, of, err := ownerOf(ctx, tx, owner)
		if err != nil {
			return err
		}
		var name string
		err = tx.QueryRowContext(ctx, `UPDATE tokens SET ends_at = CASE ends_at WHEN 0 THEN ?1 ELSE min(ends_at, ?1) END
			WHERE id = ?2 AND `+column+` = ?3 RETURNING name`, stamp(ends), id, of).Scan(&name)
		l.Detail = fmt.Sprintf("%s, at %s", name, ends.UTC().Format(time.RFC3339))
		return or(err, errNoToken)
	})
}

// Used implements auth.TokenStore.
func (t *Tokens) Used(ctx context.Context, uses map[int64]auth.TokenUse) error {
	return t.rows.db.Note(ctx, func(tx *sql.Tx) error {
		for id, use := range uses {
			err := exec(ctx, tx, `UPDATE tokens SET used_at = ?1, used_address = ?2, used_agent = ?3
				WHERE id = ?4 AND used_at <= ?1`, stamp(use.At), use.Address, image.Shorten(use.Agent), id)
			if err != nil {
				return err
			}
		}
		return nil
	})
}
