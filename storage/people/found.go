package people

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/database"
)

// People are the accounts of people, their groups' roles and their one-time codes.
type People struct{ rows *rows }

const personColumns = `p.id, p.name, p.display, p.role, p.groups, p.provider, p.subject, p.password <> '',
	p.made_at, p.made_by, p.seen_at, p.disabled_at`

func scanPerson(rows *sql.Rows) (p auth.Person, err error) {
	err = rows.Scan(&p.ID, &p.Name, &p.Display, &p.Own, list[string]{&p.Groups}, &p.Provider, &p.Subject, &p.Password,
		instant{&p.Made}, &p.MadeBy, instant{&p.Seen}, instant{&p.Disabled})
	return p, err
}

// find lists the people of a query's end, with the roles that they have.
func find(ctx context.Context, tx *sql.Tx, end string, args ...any) ([]auth.Person, error) {
	groups, err := groupRoles(ctx, tx)
	if err != nil {
		return nil, err
	}
	one := func(rows *sql.Rows) (auth.Person, error) {
		p, err := scanPerson(rows)
		return p.WithRole(groups), err
	}
	return database.RowsOf(ctx, tx, one, `SELECT `+personColumns+` FROM people p WHERE p.removed_at = 0 `+end, args...)
}

// named returns the person with a name; image.NotFound where there is none.
func named(ctx context.Context, tx *sql.Tx, name string) (auth.Person, error) {
	return only(name)(find(ctx, tx, `AND p.name = ?`, name))
}

// numbered returns the person with a number.
func numbered(ctx context.Context, tx *sql.Tx, id int64) (auth.Person, error) {
	return only(fmt.Sprint(id))(find(ctx, tx, `AND p.id = ?`, id))
}

func only(name string) func([]auth.Person, error) (auth.Person, error) {
	return func(all []auth.Person, err error) (auth.Person, error) {
		if err == nil && len(all) == 0 {
			err = image.Errorf(image.NotFound, "there is no person %s", name)
		}
		if err != nil {
			return auth.Person{}, err
		}
		return all[0], nil
	}
}

func hasAdmin(ctx context.Context, tx *sql.Tx) (bool, error) {
	// Of most people the role says enough.
	all, err := find(ctx, tx, `AND p.disabled_at = 0 AND (p.role = 'admin' OR p.role = '' AND EXISTS
		(SELECT 1 FROM group_roles WHERE role = 'admin'))`)
	return slices.ContainsFunc(all, func(p auth.Person) bool { return p.Role == auth.Admin }), err
}

// keepingAdmin runs f and refuses what it did where it left the server without an administrator.
func keepingAdmin(ctx context.Context, tx *sql.Tx, f func() error) error {
	before, err := hasAdmin(ctx, tx)
	if err != nil {
		return err
	}
	if err := f(); err != nil || !before {
		return err
	}
	after, err := hasAdmin(ctx, tx)
	if err == nil && !after {
		return image.Errorf(image.Conflict, "this would leave the server without an administrator").
			Suggest("Make somebody else administrator first.")
	}
	return err
}

// groupRoles returns the roles of groups.
func groupRoles(ctx context.Context, tx *sql.Tx) (auth.GroupRoles, error) {
	roles := auth.GroupRoles{}
	_, err := database.RowsOf(ctx, tx, func(rows *sql.Rows) (none struct{}, err error) {
		var name string
		var role auth.Role
		err = rows.Scan(&name, &role)
		roles[name] = role
		return none, err
	}, `SELECT name, role FROM group_roles`)
	return roles, err
}

// roleName returns how lines name a role.
func roleName(r auth.Role) string {
	if r == auth.NoRole {
		return "none"
	}
	return string(r)
}

// renew has a person's sessions get new secrets.
func renew(ctx context.Context, tx *sql.Tx, id int64) error {
	return exec(ctx, tx, `UPDATE sessions SET renew = 1 WHERE person_id = ?`, id)
}
