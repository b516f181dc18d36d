package people

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// Groups returns the roles of groups.
func (t *People) Groups(ctx context.Context) (roles auth.GroupRoles, err error) {
	err = t.rows.db.View(ctx, func(tx *sql.Tx) error {
		roles, err = groupRoles(ctx, tx)
		return err
	})
	return roles, err
}

// SaveGroups gives groups these roles, in place of all that they had, and returns for whom that changes something. It
// holds at once.
func (t *People) SaveGroups(
	ctx context.Context, by image.Actor, roles auth.GroupRoles,
) (changes []auth.RoleChange, err error) {
	line := shelf.Line{By: shelf.PartyOf(by), Action: image.ActionGroupsSave, About: shelf.Party{Kind: shelf.PartyGroup}}
	err = t.rows.ending(ctx, line, func(tx *sql.Tx, l *shelf.Line) error {
		people, err := find(ctx, tx, `ORDER BY p.name`)
		if err != nil {
			return err
		}
		l.Detail = inWords(roles)
		changes = auth.RoleChanges(people, roles)
		return keepingAdmin(ctx, tx, func() error {
			if err := exec(ctx, tx, `DELETE FROM group_roles`); err != nil {
				return err
			}
			for name, role := range roles {
				if err := exec(ctx, tx, `INSERT INTO group_roles (name, role) VALUES (?, ?)`, name, role); err != nil {
					return err
				}
			}
			for _, c := range changes {
				if err := exec(ctx, tx, `UPDATE sessions SET renew = 1 WHERE person_id = (SELECT id FROM people WHERE name = ?)`,
					c.Name); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return changes, err
}

// inWords lists the roles of groups, by name.
func inWords(roles auth.GroupRoles) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(roles)) {
		role := roleName(roles[name])
		if name == auth.EverybodyElse {
			name = "everybody else"
		}
		all = append(all, fmt.Sprintf("%s: %s", name, role))
	}
	return strings.Join(all, ", ")
}
