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

// Robots are the accounts of programs.
type Robots struct{ rows *rows }

func scanRobot(rows *sql.Rows) (r auth.Robot, err error) {
	err = rows.Scan(&r.ID, &r.Name, list[auth.Grant]{&r.Grants}, instant{&r.Made}, &r.MadeBy, instant{&r.Disabled})
	return r, err
}

const selectRobots = `SELECT id, name, grants, made_at, made_by, disabled_at FROM robots `

func robotNamed(ctx context.Context, tx *sql.Tx, name string) (auth.Robot, error) {
	all, err := database.RowsOf(ctx, tx, scanRobot, selectRobots+`WHERE name = ?`, name)
	if err == nil && len(all) == 0 {
		err = image.Errorf(image.NotFound, "there is no robot %s", name)
	}
	if err != nil {
		return auth.Robot{}, err
	}
	return all[0], nil
}

// One returns the robot with a name; image.NotFound where there is none.
func (t *Robots) One(ctx context.Context, name string) (r auth.Robot, err error) {
	err = t.rows.db.View(ctx, func(tx *sql.Tx) error {
		r, err = robotNamed(ctx, tx, name)
		return err
	})
	return r, err
}

// List returns all robots by name.
func (t *Robots) List(ctx context.Context) (all []auth.Robot, err error) {
	err = t.rows.db.View(ctx, func(tx *sql.Tx) error {
		all, err = database.RowsOf(ctx, tx, scanRobot, selectRobots+`ORDER BY name`)
		return err
	})
	return all, err
}

// Add makes a robot. Its name has been read by auth.ParseName.
func (t *Robots) Add(ctx context.Context, by image.Actor, name string, grants []auth.Grant) (r auth.Robot, err error) {
	about := image.Actor{Kind: image.ActorRobot, Name: name}
	err = t.rows.change(ctx, lineOf(by, image.ActionRobotAdd, about), func(tx *sql.Tx, l *shelf.Line) error {
		if err := refuseTaken(ctx, tx, name); err != nil {
			return err
		}
		kept, err := database.ListFor(grants)
		if err != nil {
			return err
		}
		l.Detail = fmt.Sprint(grants)
		err = exec(ctx, tx, `INSERT INTO robots (name, grants, made_at, made_by) VALUES (?, ?, ?, ?)`,
			name, kept, stamp(t.rows.now()), by.Name)
		if err != nil {
			return err
		}
		r, err = robotNamed(ctx, tx, name)
		return err
	})
	return r, err
}

// Change sets what a robot may, and whether its tokens are taken. It holds at once.
func (t *Robots) Change(ctx context.Context, by image.Actor, name string, grants []auth.Grant, disabled bool) error {
	about := image.Actor{Kind: image.ActorRobot, Name: name}
	return t.rows.ending(ctx, lineOf(by, image.ActionRobotChange, about), func(tx *sql.Tx, l *shelf.Line) error {
		r, err := robotNamed(ctx, tx, name)
		if err != nil {
			return err
		}
		kept, err := database.ListFor(grants)
		if err != nil {
			return err
		}
		l.Detail = fmt.Sprintf("%s → %s", r.Grants, grants)
		if disabled {
			l.Detail += ", disabled"
		}
		switch {
		case !disabled:
			r.Disabled = time.Time{}
		case r.Disabled.IsZero():
			r.Disabled = t.rows.now()
		}
		return exec(ctx, tx, `UPDATE robots SET grants = ?, disabled_at = ? WHERE id = ?`, kept, stamp(r.Disabled), r.ID)
	})
}

// Remove takes a robot and its tokens away.
func (t *Robots) Remove(ctx context.Context, by image.Actor, name string) error {
	about := image.Actor{Kind: image.ActorRobot, Name: name}
	return t.rows.ending(ctx, lineOf(by, image.ActionRobotRemove, about), func(tx *sql.Tx, _ *shelf.Line) error {
		r, err := robotNamed(ctx, tx, name)
		if err != nil {
			return err
		}
		return exec(ctx, tx, `DELETE FROM robots WHERE id = ?`, r.ID)
	})
}
