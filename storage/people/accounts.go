package people

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

// One returns the person with a name; image.NotFound where there is none.
func (t *People) One(ctx context.Context, name string) (p auth.Person, err error) {
	err = t.rows.db.View(ctx, func(tx *sql.Tx) error {
		p, err = named(ctx, tx, name)
		return err
	})
	return p, err
}

// List returns everybody by name.
func (t *People) List(ctx context.Context) (all []auth.Person, err error) {
	err = t.rows.db.View(ctx, func(tx *sql.Tx) error {
		all, err = find(ctx, tx, `ORDER BY p.name`)
		return err
	})
	return all, err
}

// HasAdmin reports whether there is an administrator who may sign in.
func (t *People) HasAdmin(ctx context.Context) (has bool, err error) {
	err = t.rows.db.View(ctx, func(tx *sql.Tx) error {
		has, err = hasAdmin(ctx, tx)
		return err
	})
	return has, err
}

// Add makes an account. What it says has been read by auth; its Password is a hash, or empty.
func (t *People) Add(ctx context.Context, by image.Actor, n auth.NewPerson) (p auth.Person, err error) {
	about := image.Actor{Kind: image.ActorPerson, Name: n.Name}
	err = t.rows.change(ctx, lineOf(by, image.ActionPersonAdd, about), func(tx *sql.Tx, l *shelf.Line) error {
		l.Detail = string(n.Role)
		p, err = t.rows.insert(ctx, tx, by, n)
		return err
	})
	return p, err
}

func (r *rows) insert(ctx context.Context, tx *sql.Tx, by image.Actor, n auth.NewPerson) (auth.Person, error) {
	if err := refuseTaken(ctx, tx, n.Name); err != nil {
		return auth.Person{}, err
	}
	err := exec(ctx, tx, `INSERT INTO people (name, display, role, password, made_at, made_by) VALUES (?, ?, ?, ?, ?, ?)`,
		n.Name, n.Display, n.Role, n.Password, stamp(r.now()), by.Name)
	if err != nil {
		return auth.Person{}, err
	}
	return named(ctx, tx, n.Name)
}

// Kept implements auth.PeopleStore.
func (t *People) Kept(ctx context.Context, name string) (p auth.Person, hash string, err error) {
	err = t.rows.db.View(ctx, func(tx *sql.Tx) error {
		// The same questions whether there is such a person or not.
		err = tx.QueryRowContext(ctx, `SELECT coalesce(max(password), '') FROM people WHERE name = ?`, name).Scan(&hash)
		if err == nil {
			p, err = named(ctx, tx, name)
		}
		return err
	})
	return p, hash, err
}

// Rehash implements auth.PeopleStore.
func (t *People) Rehash(ctx context.Context, id int64, hash string) error {
	return t.rows.db.Note(ctx, func(tx *sql.Tx) error {
		return exec(ctx, tx, `UPDATE people SET password = ? WHERE id = ? AND password <> ''`, hash, id)
	})
}

// SetPassword implements auth.PeopleStore.
func (t *People) SetPassword(
	ctx context.Context, by image.Actor, id int64, hash string, keep int64, secret auth.Hash,
) error {
	return t.rows.ending(ctx, lineOf(by, image.ActionPassword, image.Actor{}), func(tx *sql.Tx, l *shelf.Line) error {
		p, err := numbered(ctx, tx, id)
		if err != nil {
			return err
		}
		l.About = shelf.PartyOf(p.Actor())
		if err := t.rows.setPassword(ctx, tx, p, hash, keep); err != nil || keep == 0 {
			return err
		}
		return exec(ctx, tx, `UPDATE sessions SET secret = ?, before = NULL, renew = 0 WHERE id = ? AND person_id = ?`,
			secret[:], keep, id)
	})
}

// setPassword keeps a hash, and ends the person's codes and sessions but keep.
func (r *rows) setPassword(ctx context.Context, tx *sql.Tx, p auth.Person, hash string, keep int64) error {
	if p.Provider != "" {
		return image.Errorf(image.Conflict, "%s has no password here: %s knows them", p.Name, p.Provider)
	}
	for _, statement := range []struct {
		query string
		args  []any
	}{
		{`UPDATE people SET password = ? WHERE id = ?`, []any{hash, p.ID}},
		{`DELETE FROM codes WHERE person_id = ?`, []any{p.ID}},
		{`DELETE FROM sessions WHERE person_id = ? AND id <> ?`, []any{p.ID, keep}},
	} {
		if err := exec(ctx, tx, statement.query, statement.args...); err != nil {
			return err
		}
	}
	return nil
}

// SetRole gives somebody a role of their own, or with auth.NoRole leaves it to their groups. It holds at once.
func (t *People) SetRole(ctx context.Context, by image.Actor, name string, role auth.Role) error {
	return t.alter(ctx, by, image.ActionPersonRole, name, func(tx *sql.Tx, p auth.Person, l *shelf.Line) error {
		if err := exec(ctx, tx, `UPDATE people SET role = ? WHERE id = ?`, role, p.ID); err != nil {
			return err
		}
		now, err := numbered(ctx, tx, p.ID)
		if err != nil {
			return err
		}
		l.Detail = fmt.Sprintf("%s → %s", roleName(p.Role), roleName(now.Role))
		return renew(ctx, tx, p.ID)
	})
}

// Disable keeps somebody out, and ends their sessions.
func (t *People) Disable(ctx context.Context, by image.Actor, name string) error {
	return t.alter(ctx, by, image.ActionPersonDisable, name, func(tx *sql.Tx, p auth.Person, _ *shelf.Line) error {
		err := exec(ctx, tx, `UPDATE people SET disabled_at = ? WHERE id = ? AND disabled_at = 0`, stamp(t.rows.now()), p.ID)
		if err != nil {
			return err
		}
		return exec(ctx, tx, `DELETE FROM sessions WHERE person_id = ?`, p.ID)
	})
}

// Enable lets somebody in again.
func (t *People) Enable(ctx context.Context, by image.Actor, name string) error {
	return t.alter(ctx, by, image.ActionPersonEnable, name, func(tx *sql.Tx, p auth.Person, _ *shelf.Line) error {
		return exec(ctx, tx, `UPDATE people SET disabled_at = 0 WHERE id = ?`, p.ID)
	})
}

// Remove takes somebody out of the accounts. Nothing of them stays but their number, by which the record names them.
func (t *People) Remove(ctx context.Context, by image.Actor, name string) (number int64, err error) {
	err = t.alter(ctx, by, image.ActionPersonRemove, name, func(tx *sql.Tx, p auth.Person, l *shelf.Line) error {
		number = p.ID
		l.About = shelf.Party{Kind: image.ActorPerson, Former: p.ID}
		if by == p.Actor() {
			l.By = l.About
		}
		for _, query := range []string{
			`DELETE FROM sessions WHERE person_id = ?1`,
			`DELETE FROM tokens WHERE person_id = ?1`,
			`DELETE FROM codes WHERE person_id = ?1`,
			`UPDATE tokens SET made_by = 'former member ' || ?1 WHERE made_by = (SELECT name FROM people WHERE id = ?1)`,
			`UPDATE people SET made_by = 'former member ' || ?1 WHERE made_by = (SELECT name FROM people WHERE id = ?1)`,
			`UPDATE robots SET made_by = 'former member ' || ?1 WHERE made_by = (SELECT name FROM people WHERE id = ?1)`,
		} {
			if err := exec(ctx, tx, query, p.ID); err != nil {
				return err
			}
		}
		return exec(ctx, tx, `UPDATE people SET name = NULL, display = '', role = '', groups = '[]', provider = '',
			subject = '', password = '', removed_at = ? WHERE id = ?`, stamp(t.rows.now()), p.ID)
	})
	return number, err
}

// alter changes an account, writes a line about it, and refuses to leave the server without an administrator.
func (t *People) alter(
	ctx context.Context, by image.Actor, action image.Action, name string,
	f func(tx *sql.Tx, p auth.Person, l *shelf.Line) error,
) error {
	return t.rows.ending(ctx, lineOf(by, action, image.Actor{}), func(tx *sql.Tx, l *shelf.Line) error {
		p, err := named(ctx, tx, name)
		if err != nil {
			return err
		}
		l.About = shelf.PartyOf(p.Actor())
		return keepingAdmin(ctx, tx, func() error { return f(tx, p, l) })
	})
}

// Arrival is somebody whom a provider has let in.
type Arrival struct {
	Provider string // an issuer, or auth.ProviderProxy
	Subject  string // by which the provider knows them, for good
	Name     string // as auth.ParseName gives it
	Display  string
	Groups   []string
}

const byProvider = `AND p.provider = ? AND p.subject = ? AND p.subject <> ''` // as the index has it

// Arrive returns the account of somebody whom a provider has let in, and makes it when they come for the first time.
// A name that somebody else has gets a number.
func (t *People) Arrive(ctx context.Context, a Arrival) (p auth.Person, err error) {
	known := func(tx *sql.Tx) ([]auth.Person, error) {
		return find(ctx, tx, byProvider, a.Provider, a.Subject)
	}
	var all []auth.Person
	changed := false // their role
	err = t.rows.db.View(ctx, func(tx *sql.Tx) error {
		all, err = known(tx)
		return err
	})
	if err != nil {
		return p, err
	}
	if len(all) > 0 && all[0].Display == a.Display && slices.Equal(all[0].Groups, a.Groups) {
		return all[0], nil // as at each request that a proxy passes on
	}
	err = t.rows.db.Note(ctx, func(tx *sql.Tx) error {
		if all, err = known(tx); err != nil {
			return err
		}
		if len(all) == 0 {
			p, err = t.rows.welcome(ctx, tx, a)
			return err
		}
		before := all[0]
		groups, err := database.ListFor(a.Groups)
		if err != nil {
			return err
		}
		err = exec(ctx, tx, `UPDATE people SET display = ?, groups = ? WHERE id = ?`, a.Display, groups, before.ID)
		if err != nil {
			return err
		}
		if p, err = numbered(ctx, tx, before.ID); err != nil || p.Role == before.Role {
			return err
		}
		line := lineOf(image.Server, image.ActionPersonRole, p.Actor())
		line.Detail = fmt.Sprintf("%s → %s, by %s", roleName(before.Role), roleName(p.Role), a.Provider)
		if err := renew(ctx, tx, p.ID); err != nil {
			return err
		}
		changed = true
		return t.rows.record.Append(ctx, tx, line)
	})
	if err == nil && changed {
		t.rows.ended()
	}
	return p, err
}

// welcome makes the account of an arrival.
func (r *rows) welcome(ctx context.Context, tx *sql.Tx, a Arrival) (p auth.Person, err error) {
	name := a.Name
	for n := 2; ; n++ {
		is, err := taken(ctx, tx, name)
		if err != nil {
			return p, err
		}
		if !is {
			break
		}
		name = fmt.Sprintf("%s-%d", a.Name, n)
	}
	groups, err := database.ListFor(a.Groups)
	if err != nil {
		return p, err
	}
	err = exec(ctx, tx, `INSERT INTO people (name, display, groups, provider, subject, made_at, made_by)
		VALUES (?, ?, ?, ?, ?, ?, ?)`, name, a.Display, groups, a.Provider, a.Subject, stamp(r.now()), a.Provider)
	if err != nil {
		return p, err
	}
	if p, err = named(ctx, tx, name); err != nil {
		return p, err
	}
	line := lineOf(image.Server, image.ActionPersonAdd, p.Actor())
	line.Detail = fmt.Sprintf("%s, by %s", roleName(p.Role), a.Provider)
	return p, r.record.Append(ctx, tx, line)
}
